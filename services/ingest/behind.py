"""Whether raw records wait that nobody takes: what the watchdog asks, by clients of its own."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from aiokafka import TopicPartition

from services.ingest.positions import Group, Position
from shared.contracts.topics import STREAMS
from shared.kafka.clients import asking_admin, asking_client, asking_consumer
from shared.kafka.log_id import LogIdentity
from shared.kafka.overdue import overdue_ended
from shared.kafka.watchdog import Behind, Standing, Standings
from shared.postgres.pool import Pool
from shared.settings import Shared

_START = Position(0, "")


def committed(group: Group, identity: LogIdentity, pool: Pool, topics: Iterable[str]) -> Standings:
    """What Kafka says of the raw topics, as long as Postgres answers too."""

    async def standings(asked: frozenset[TopicPartition]) -> Mapping[TopicPartition, Standing]:
        await pool.fetchval("SELECT 1")
        partitions = asked or [
            TopicPartition(topic, p) for topic in topics for p in range((await identity.of(topic)).partitions)
        ]
        return dict.fromkeys(partitions, _START) | await group.positions(partitions)

    return standings


@contextlib.asynccontextmanager
async def opened(
    shared: Shared, pool: Pool, assigned: Callable[[], frozenset[TopicPartition]]
) -> AsyncIterator[Behind]:
    """Raises KafkaConnectionError where no broker answers."""
    client = asking_client(shared.kafka)
    admin = asking_admin(shared.kafka)
    reader = asking_consumer(shared.kafka)
    async with contextlib.AsyncExitStack() as stack:
        for start, stop in (
            (client.bootstrap, client.close),
            (admin.start, admin.close),
            (reader.start, reader.stop),
        ):
            stack.push_async_callback(stop)
            await start()
        await stack.enter_async_context(overdue_ended(client, admin, reader))
        topics = [shared.topic(stream.name) for stream in STREAMS]
        standings = committed(Group(admin, shared.group("ingest")), LogIdentity(client), pool, topics)
        yield Behind(standings, reader, assigned)
