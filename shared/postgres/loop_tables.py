"""The tables of the claimed batch, the same in each schema that runs the loop."""

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
)

POSITION_SQL = """
-- Where the next batch begins. A batch counts only if it moves this row from where it began.
CREATE TABLE {schema}.position (
    log_id      text     NOT NULL,
    topic       text     NOT NULL,
    partition   smallint NOT NULL,
    next_offset bigint   NOT NULL CHECK (next_offset >= 0),
    seq         bigint   NOT NULL CHECK (seq >= 0),
    partitions  smallint NOT NULL CHECK (partitions > 0),
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);
-- What is committed but not yet acknowledged by the broker, in order.
CREATE TABLE {schema}.outbox (
    n         bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    partition smallint NOT NULL,
    topic     text     NOT NULL,
    target    smallint NOT NULL,
    key       bytea    NOT NULL,
    value     bytea    NOT NULL
);
-- Serves: the leftovers of the partitions a worker takes over.
CREATE INDEX outbox_by_partition ON {schema}.outbox (partition, n);
"""

SET_ASIDE_SQL = """
-- Records that failed alone, whole, until a person has them sent again; the position has moved past them.
CREATE TABLE {schema}.set_aside (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_id        text        NOT NULL,
    topic         text        NOT NULL,
    partition     smallint    NOT NULL,
    record_offset bigint      NOT NULL CHECK (record_offset >= 0),
    source        text        NOT NULL,
    reason        text        NOT NULL,
    key           bytea       NOT NULL,
    value         bytea       NOT NULL,
    at            timestamptz NOT NULL,
    retried_at    timestamptz,
    -- A record is set aside once, however often it is read.
    UNIQUE (log_id, topic, partition, record_offset)
);
"""


def declare(metadata: MetaData) -> None:
    """Declare `position`, `outbox` and `set_aside` in the service's metadata."""
    Table(
        "position",
        metadata,
        Column("log_id", Text, nullable=False),
        Column("topic", Text, primary_key=True),
        Column("partition", SmallInteger, primary_key=True, autoincrement=False),
        Column("next_offset", BigInteger, CheckConstraint("next_offset >= 0"), nullable=False),
        Column("seq", BigInteger, CheckConstraint("seq >= 0"), nullable=False),
        Column("partitions", SmallInteger, CheckConstraint("partitions > 0"), nullable=False),
    )
    Table(
        "outbox",
        metadata,
        Column("n", BigInteger, Identity(always=True), primary_key=True),
        Column("partition", SmallInteger, nullable=False),
        Column("topic", Text, nullable=False),
        Column("target", SmallInteger, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Index("outbox_by_partition", "partition", "n"),
    )
    Table(
        "set_aside",
        metadata,
        Column("id", BigInteger, Identity(always=True), primary_key=True),
        Column("log_id", Text, nullable=False),
        Column("topic", Text, nullable=False),
        Column("partition", SmallInteger, nullable=False),
        Column("record_offset", BigInteger, CheckConstraint("record_offset >= 0"), nullable=False),
        Column("source", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("key", LargeBinary, nullable=False),
        Column("value", LargeBinary, nullable=False),
        Column("at", DateTime(timezone=True), nullable=False),
        Column("retried_at", DateTime(timezone=True)),
        UniqueConstraint("log_id", "topic", "partition", "record_offset"),
    )
