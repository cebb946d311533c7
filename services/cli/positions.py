"""`bellwether positions`: what a person decides when a log is not the one we knew."""

import asyncio
from typing import Annotated

import asyncpg
import typer
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient

from services.cli.connect import connection, settings_here
from shared.kafka.claim import cannot_be_read
from shared.kafka.clients import consumer
from shared.kafka.log_id import LogIdentity

app = typer.Typer(no_args_is_help=True, help="Positions in Kafka's logs, as Postgres keeps them.")

Service = Annotated[str, typer.Argument(help="scoring or alerts")]
Topic = Annotated[str, typer.Argument(help="As the worker's message names it.")]


@app.command()
def adopt(service: Service, topic: Topic) -> None:
    """Read a log that was made anew from its start; what is known stays, duplicates are found by their ids.

    A log of another partition count is refused: accounts would be looked for in the wrong partition.
    """

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
def accept_gap(service: Service, topic: Topic, partitions: Annotated[list[int], typer.Argument(min=0)]) -> None:
    """Go on at the log's present start; the records before it are lost and stay so."""

    async def run() -> int:
        settings = settings_here()
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

    typer.echo(f"{service} goes on with {topic} where it begins; {asyncio.run(run())} records are lost")


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


async def _audit(opened: asyncpg.Connection, what: str, service: str, topic: str) -> None:
    await opened.execute(
        "INSERT INTO audit (actor, what, about) "
        "VALUES ('cli', $1, jsonb_build_object('service', $2::text, 'topic', $3::text))",
        what,
        service,
        topic,
    )
