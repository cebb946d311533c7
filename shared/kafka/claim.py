"""Kafka delivers the mail, Postgres stamps the book: a batch counts only if the book is at the page where it began."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiokafka.errors import KafkaError

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

    Raises LogChanged when they were stored under another log or another partition count; then nothing is begun.
    """
    rows = await connection.fetch(SQL["positions"], topic)
    if not rows:
        await connection.execute(SQL["begin_positions"], log.log_id, topic, log.partitions)
        rows = await connection.fetch(SQL["positions"], topic)
    for row in rows:
        check_same_log(service, topic, Log(row["log_id"], row["partitions"]), log)
    return {row["partition"]: Position(row["next_offset"], row["seq"]) for row in rows}


def check_same_log(service: str, topic: str, ours: Log, found: Log) -> None:
    """Raises LogChanged where `found` is not the log that we have read, naming both and the way on."""
    if (ours.log_id, ours.partitions) == (found.log_id, found.partitions):
        return
    if ours.cluster != found.cluster:
        change = "this is another cluster: is it the right one?"
    elif ours.log_id != found.log_id:
        change = "the topic was made anew."
    else:
        change = "partitions were added."
    raise LogChanged(
        f"{topic}: positions belong to log {ours.log_id} with {ours.partitions} partitions, "
        f"the broker has log {found.log_id} with {found.partitions}: {change} "
        + (
            f"To read it from its start: bellwether positions adopt {service} {topic}"
            if ours.partitions == found.partitions
            else cannot_be_read(ours.partitions, found.partitions)
        )
    )


def cannot_be_read(partitions: int, found: int) -> str:
    """Why a log of another partition count is not read, and what must be done: no command may make us read it."""
    return (
        f"It cannot be read: what is known of an account is kept under partition crc32(account) mod {partitions}, for "
        f"life, and under {found} partitions would be looked for elsewhere. Stop whoever writes it, delete it, make it "
        f"again by `bellwether migrate --partitions {partitions}`, and adopt that one"
    )


def check_no_hole(service: str, topic: str, positions: Mapping[int, Position], log_starts: Mapping[int, int]) -> None:
    """Raises LogChanged where the log begins above our positions: records between are gone for good."""
    wanted = {p: positions[p].next_offset for p in sorted(log_starts)}
    holes = [p for p, offset in wanted.items() if log_starts[p] > offset]
    if holes:
        gone = sum(log_starts[p] - wanted[p] for p in holes)
        each = ", ".join(f"{p} wants offset {wanted[p]} and begins at {log_starts[p]}" for p in holes)
        raise LogChanged(
            f"{topic}: {gone} records are gone: partition {each}. "
            f"To go on without them: bellwether positions accept-gap {service} {topic} {' '.join(map(str, holes))}"
        )


class LogShort(KafkaError):
    """The log ends before a position: for a moment after a new leader was elected, or for good."""


def check_not_short(service: str, topic: str, positions: Mapping[int, Position], log_ends: Mapping[int, int]) -> None:
    """Raises LogShort where the log ends before our position: its broker has lost what it had acknowledged."""
    wanted = {p: positions[p].next_offset for p in sorted(log_ends)}
    short = [p for p, offset in wanted.items() if log_ends[p] < offset]
    if short:
        each = ", ".join(f"{p} ends at {log_ends[p]} and was read to {wanted[p]}" for p in short)
        raise LogShort(
            f"{topic}: the broker has lost the end of its log, new records take the offsets of lost ones: partition "
            f"{each}. To read it again from its start: bellwether positions adopt {service} {topic}"
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
