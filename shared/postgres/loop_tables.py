"""The two tables of the claimed batch, the same in each schema that runs the loop."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
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


def declare(metadata: MetaData) -> None:
    """Declare `position` and `outbox` in the service's metadata."""
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
