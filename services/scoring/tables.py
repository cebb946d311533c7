"""Scoring's tables, declared once; a test compares them with what the migrations make."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    Table,
    Text,
    func,
    text,
)

from shared.postgres import loop_tables

metadata = MetaData()
loop_tables.declare(metadata)

_Time = DateTime(timezone=True)


def _archive(name: str) -> Table:
    return Table(
        name,
        metadata,
        Column("day", Date, primary_key=True),
        Column("hash", BigInteger, primary_key=True, autoincrement=False),
        Column("partition", SmallInteger, nullable=False),
        Column("account", Text, nullable=False),
        Column("log_offset", BigInteger, nullable=False),
        Column("applied_at", _Time, nullable=False),
        Column("seen", Integer, CheckConstraint("seen > 0"), nullable=False),
        Column("body", LargeBinary, nullable=False),
        postgresql_partition_by="RANGE (day)",
    )


usage_event = _archive("usage_event")
event = _archive("event")

fresh = Table(
    "fresh",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
state = Table(
    "state",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("account", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
)
published = Table(
    "published",
    metadata,
    Column("account", Text, CheckConstraint("length(account) BETWEEN 1 AND 128"), primary_key=True),
    Column("partition", SmallInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("as_of", _Time, nullable=False),
    Column("look_at", _Time, nullable=False),
    Column("importing", LargeBinary),
    Column("score", Integer, CheckConstraint("score BETWEEN 0 AND 100000")),
    Column("band", Text, nullable=False),
    Column("segment", Text),
    Column("lifecycle", Text),
    Column("owner", Text),
    Column("name", Text),
    Column("arr", Numeric, nullable=False, server_default=text("0")),
    Column("snapshot", LargeBinary, nullable=False),
    Index("published_by_look", "partition", "look_at"),
    Index("published_by_partition", "partition", "account"),
    Index("published_by_score", "score", "account"),
)
history = Table(
    "history",
    metadata,
    Column("account", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("as_of", _Time, nullable=False),
    Column("score", Integer),
    Column("band", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)
watermark = Table(
    "watermark",
    metadata,
    Column("partition", SmallInteger, primary_key=True, autoincrement=False),
    Column("stream", Text, primary_key=True),
    Column("newest", _Time, nullable=False),
    Column("events", BigInteger, nullable=False),
)
definition = Table(
    "definition",
    metadata,
    Column("version", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", _Time, nullable=False, server_default=func.now()),
    Column("active", Boolean, nullable=False, server_default=text("false")),
    Index("definition_active", "active", unique=True, postgresql_where=text("active")),
)
