"""Kafka delivers the mail, Postgres stamps the book: a batch counts only if the book is at the page where it began."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from shared.kafka.log_id import Log
from shared.postgres import named_sql
from shared.postgres.pool import Connection

SQL = named_sql.load("shared.kafka")


class ClaimLost(Exception):
    """Somebody else moved a position of this batch: nothing of it counts here."""


class LogChanged(Exception):
    """The log is not the one our positions belong to; a person must decide how to go on."""


@dataclass(frozen=True, slots=True)
class Position:
    """Where a partition stands. `seq` counts every claim, so that a look, which moves no offset, is seen too."""

    next_offset: int
    seq: int


async def load_positions(connection: Connection, service: str, topic: str, log: Log) -> dict[int, Position]:
    """The positions of all partitions, begun at 0 where there are none.

    Raises LogChanged when they were stored under another log or another partition count.
    """
    await connection.execute(SQL["begin_positions"], log.log_id, topic, log.partitions)
    rows = await connection.fetch(SQL["positions"], topic)
    for row in rows:
        if row["log_id"] != log.log_id or row["partitions"] != log.partitions:
            raise LogChanged(
                f"{topic}: positions belong to log {row['log_id']} with {row['partitions']} partitions, "
                f"the broker has log {log.log_id} with {log.partitions}. "
                f"To read the new log from its start: bellwether positions adopt {service} {topic}"
            )
    return {row["partition"]: Position(row["next_offset"], row["seq"]) for row in rows}


def check_no_hole(service: str, topic: str, positions: Mapping[int, Position], log_starts: Mapping[int, int]) -> None:
    """Raises LogChanged where the log begins above our position: records between are gone for good."""
    for partition, log_start in log_starts.items():
        wanted = positions[partition].next_offset
        if log_start > wanted:
            raise LogChanged(
                f"{topic}/{partition}: wants offset {wanted}, the log begins at {log_start}: "
                f"{log_start - wanted} records are gone. "
                f"To go on without them: bellwether positions accept-gap {service} {topic} {partition}"
            )


async def claim(
    tx: Connection, log_id: str, topic: str, known: Mapping[int, Position], next_offsets: Mapping[int, int]
) -> dict[int, Position]:
    """Move every partition of `next_offsets` from its `known` position; the positions afterwards.

    Raises ClaimLost if a single one has been moved by somebody else.
    """
    partitions = sorted(next_offsets)
    moved = await tx.fetch(
        SQL["claim"],
        log_id,
        topic,
        partitions,
        [known[p].next_offset for p in partitions],
        [known[p].seq for p in partitions],
        [next_offsets[p] for p in partitions],
    )
    if lost := _missing(partitions, (row["partition"] for row in moved)):
        raise ClaimLost(f"{topic}: partitions {lost} were moved by another worker")
    return {p: Position(next_offsets[p], known[p].seq + 1) for p in partitions}


def _missing(asked: Iterable[int], got: Iterable[int]) -> list[int]:
    return sorted(set(asked) - set(got))
