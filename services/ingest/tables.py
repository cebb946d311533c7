"""Ingest's tables, declared once; a test compares them with what the migrations make."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()

_Time = DateTime(timezone=True)

alias = Table(
    "alias",
    metadata,
    Column("source", Text, CheckConstraint("length(source) BETWEEN 1 AND 64"), primary_key=True),
    Column("kind", Text, CheckConstraint("length(kind) BETWEEN 1 AND 64"), primary_key=True),
    Column("external_id", Text, CheckConstraint("length(external_id) BETWEEN 1 AND 128"), primary_key=True),
    Column("id", Text, CheckConstraint("length(id) BETWEEN 1 AND 128"), nullable=False),
    Column("linked_at", _Time, nullable=False),
)

aside = Table(
    "aside",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("origin", Text, nullable=False, unique=True),
    Column("topic", Text),
    Column("partition", SmallInteger),
    Column("record_offset", BigInteger),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("pointer", Text, nullable=False),
    Column("value", Text),
    Column("expected", Text, nullable=False),
    Column("alias_source", Text),
    Column("alias_id", Text),
    Column("source", Text),
    Column("event_id", Text),
    Column("type", Text),
    Column("time", _Time),
    Column("payload", LargeBinary, nullable=False),
    Column("version", Text, nullable=False),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('open', 'replayed', 'released', 'discarded')"),
        nullable=False,
        server_default="open",
    ),
    Column("received_at", _Time, nullable=False),
    Column("settled_at", _Time),
    Column("settled_by", Text),
    CheckConstraint("(topic IS NULL) = (partition IS NULL) AND (topic IS NULL) = (record_offset IS NULL)"),
    CheckConstraint("(reason = 'unknown_alias') = (alias_source IS NOT NULL AND alias_id IS NOT NULL)"),
    CheckConstraint("(state = 'open') = (settled_at IS NULL) AND (state = 'open') = (settled_by IS NULL)"),
    Index(
        "aside_by_alias",
        "alias_source",
        "alias_id",
        postgresql_where=text("state = 'open' AND alias_id IS NOT NULL"),
    ),
    Index("aside_by_reason", "reason", "id", postgresql_where=text("state = 'open'")),
)

import_run = Table(
    "import_run",
    metadata,
    Column("id", Text, CheckConstraint("length(id) BETWEEN 1 AND 64"), primary_key=True),
    Column("file_hash", Text, nullable=False),
    Column("mapping_hash", Text, nullable=False),
    Column("next_row", BigInteger, CheckConstraint("next_row >= 0"), nullable=False, server_default="0"),
    Column("counts", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column(
        "state",
        Text,
        CheckConstraint("state IN ('running', 'ended', 'failed')"),
        nullable=False,
        server_default="running",
    ),
    Column("started_at", _Time, nullable=False, server_default=func.now()),
    Column("updated_at", _Time, nullable=False, server_default=func.now()),
    UniqueConstraint("file_hash", "mapping_hash"),
)
