"""`bellwether positions`: what a person decides when a log is not the one we knew."""

import asyncio
import json
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

import asyncpg
import typer
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from services.cli.connect import connection, settings_here
from services.ingest.moving import Moves, NotMoved, moving
from shared.conditions.durations import EXPECTATION, duration_us
from shared.kafka.claim import cannot_be_read
from shared.kafka.clients import consumer
from shared.kafka.log_id import LogIdentity
from shared.settings import Shared

T = TypeVar("T")

app = typer.Typer(no_args_is_help=True, help="Positions in Kafka's logs: ingest's are its group's offsets.")

INGEST = "ingest"
Service = Annotated[str, typer.Argument(help="scoring or alerts")]
AnyService = Annotated[str, typer.Argument(help="ingest, scoring or alerts")]
Topic = Annotated[str, typer.Argument(help="As the worker's message names it.")]


@app.command()
def adopt(service: Service, topic: Topic) -> None:
    """Read a log that was made anew from its start; what is known stays, duplicates are found by their ids.

    A log of another partition count is refused: accounts would be looked for in the wrong partition.
    """
    if service == INGEST:
        raise typer.BadParameter("ingest reads a raw topic that was made anew from its start by itself")

    async def run() -> int:
        settings = settings_here()
        client = AIOKafkaClient(bootstrap_servers=settings.kafka)
        await client.bootstrap()
        try:
            log = await LogIdentity(client).of(topic)
        finally:
            await client.close()
        async with connection(settings, service) as opened, opened.transaction():
            known = await opened.fetchval("SELECT max(partitions) FROM position WHERE topic = $1", topic)
            if known not in (None, log.partitions):
                raise typer.BadParameter(f"{topic} has {log.partitions}. {cannot_be_read(known, log.partitions)}")
            await opened.execute("DELETE FROM position WHERE topic = $1", topic)
            await opened.execute(
                "INSERT INTO position (log_id, topic, partition, next_offset, seq, partitions) "
                "SELECT $1, $2, partition, 0, 0, $3::int FROM generate_series(0, $3::int - 1) AS partition",
                log.log_id,
                topic,
                log.partitions,
            )
            await _audit(opened, "positions.adopted", service, topic)
        return log.partitions

    typer.echo(f"{service} reads {topic} from the start of its {asyncio.run(run())} partitions")


@app.command("accept-gap")
def accept_gap(service: AnyService, topic: Topic, partitions: Annotated[list[int], typer.Argument(min=0)]) -> None:
    """Go on at the log's present start; the records before it are lost and stay so."""

    async def run() -> int:
        settings = settings_here()
        if service == INGEST:
            return await _ingest_over_the_gap(settings, topic, partitions)
        reader = consumer(settings.kafka, f"{settings.prefix}positions")
        await reader.start()
        try:
            log_starts = await reader.beginning_offsets([TopicPartition(topic, partition) for partition in partitions])
        finally:
            await reader.stop()
        async with connection(settings, service) as opened, opened.transaction():
            lost = [await _over_the_gap(opened, at, log_start) for at, log_start in sorted(log_starts.items())]
            await _audit(opened, "positions.gap_accepted", service, topic)
        return sum(lost)

    typer.echo(f"{service} goes on with {topic} where it begins; {_or_why_not(run())} records are lost")


async def _over_the_gap(opened: asyncpg.Connection, at: TopicPartition, log_start: int) -> int:
    """How many records were between."""
    before: int | None = await opened.fetchval(
        "SELECT next_offset FROM position WHERE topic = $1 AND partition = $2 FOR UPDATE", *at
    )
    if before is None or before >= log_start:
        raise typer.BadParameter(f"{at.topic}/{at.partition} has no gap: position {before}, log starts at {log_start}")
    await opened.execute(
        "UPDATE position SET next_offset = $3, seq = seq + 1 WHERE topic = $1 AND partition = $2", *at, log_start
    )
    return log_start - before


@app.command()
def rewind(
    service: AnyService,
    since: Annotated[str, typer.Option(help="A duration back from now, such as 2h, or an instant with its offset.")],
) -> None:
    """Read again what the raw topics got since then, after a restore of Postgres; what counted counts only once.

    What was refused or parked since the backup exists only there. Records are found by their timestamps, which their
    producers set: go back further rather than less.
    """
    if service != INGEST:
        raise typer.BadParameter(f"{service} goes on by itself where its restored positions say")
    begin = _instant(since)

    async def run() -> Moves:
        settings = settings_here()
        async with connection(settings, INGEST) as opened, opened.transaction(), moving(settings) as mover:
            moves = await mover.rewind(begin)
            await _audit_moves(opened, "positions.rewound", moves, since=begin.isoformat())
            return moves

    moves = _or_why_not(run())
    again = sum(before - after for before, after in moves.values())
    typer.echo(f"ingest reads {again} records of {len(moves)} partitions again, since {begin.isoformat()}")


async def _ingest_over_the_gap(settings: Shared, topic: str, partitions: Sequence[int]) -> int:
    async with connection(settings, INGEST) as opened, opened.transaction(), moving(settings) as mover:
        moves = await mover.accept_gap(topic, partitions)
        await _audit_moves(opened, "positions.gap_accepted", moves)
    return sum(after - before for before, after in moves.values())


def _instant(written: str) -> datetime:
    if (back_us := duration_us(written)) is not None:
        return datetime.now(UTC) - timedelta(microseconds=back_us)
    try:
        instant = datetime.fromisoformat(written)
    except ValueError as error:
        raise typer.BadParameter(f"{written!r} is neither {EXPECTATION} nor an instant") from error
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{written!r} has no offset from UTC: add Z or +01:00")
    return instant


def _or_why_not(moving_: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(moving_)
    except (NotMoved, KafkaError) as error:
        raise typer.BadParameter(str(error)) from error


async def _audit_moves(opened: asyncpg.Connection, what: str, moves: Moves, **more: str) -> None:
    """Written before the offsets move for good: the transaction ends after they have."""
    moved = [{"topic": tp.topic, "partition": tp.partition, "from": f, "to": to} for tp, (f, to) in moves.items()]
    await opened.execute(
        "INSERT INTO audit (actor, what, about) VALUES ('cli', $1, $2::jsonb)",
        what,
        json.dumps({"service": INGEST, "moved": moved} | more),
    )


async def _audit(opened: asyncpg.Connection, what: str, service: str, topic: str) -> None:
    await opened.execute(
        "INSERT INTO audit (actor, what, about) "
        "VALUES ('cli', $1, jsonb_build_object('service', $2::text, 'topic', $3::text))",
        what,
        service,
        topic,
    )
