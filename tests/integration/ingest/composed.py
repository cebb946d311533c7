"""The worker of ingest in a test's own process or in one that is to die, with stand-ins round what it is made of."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from services.ingest.forward import Forwarder
from services.ingest.intake import Intake
from services.ingest.positions import Group
from services.ingest.timekeeping import Timekeeper
from services.ingest.worker import Worker
from shared.clock import Clock
from shared.kafka.claim import LogChanged
from shared.kafka.clients import POLL_RECORDS_MAX, consumer
from shared.kafka.log_id import LogIdentity
from shared.postgres.pool import open_pool
from shared.settings import Shared
from tests.pair import World

Wrap = Callable[[Any], Any]


class Around:
    """Stands before the real thing: what a subclass does not say otherwise is asked of that."""

    def __init__(self, within: Any) -> None:
        self.within = within

    def __getattr__(self, name: str) -> Any:
        return getattr(self.within, name)


def as_it_is(part: Any) -> Any:
    return part


@dataclass
class Working:
    worker: Worker
    forwarder: Forwarder
    stopping: asyncio.Event
    task: asyncio.Task[None]

    async def stop(self) -> None:
        self.stopping.set()
        await self.task


def shared_of(world: World) -> Shared:
    return Shared.model_validate({"kafka": world.bootstrap, "postgres": world.dsn, "prefix": world.prefix})


@contextlib.asynccontextmanager
async def working(
    shared: Shared,
    *,
    partitions: int,
    around_consumer: Wrap = as_it_is,
    around_forwarder: Wrap = as_it_is,
    around_intake: Wrap = as_it_is,
    records_max: int = POLL_RECORDS_MAX,
) -> AsyncIterator[Working]:
    """The real worker on connections of its own, running; stopped afterwards."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(shared, "ingest", connections_max=3))
        client = AIOKafkaClient(bootstrap_servers=shared.kafka)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        admin = AIOKafkaAdminClient(bootstrap_servers=shared.kafka)
        await admin.start()
        stack.push_async_callback(admin.close)
        forwarder = Forwarder(shared.kafka, shared.topic("health.events"), partitions)
        await forwarder.start()
        stack.push_async_callback(forwarder.stop)
        reader = consumer(shared.kafka, shared.group("ingest"))
        await reader.start()
        stack.push_async_callback(reader.stop)
        timekeeper = Timekeeper(Clock(pool), pool)
        stack.push_async_callback(timekeeper.stop)
        worker = Worker(
            consumer=around_consumer(reader),
            group=Group(admin, shared.group("ingest")),
            intake=around_intake(Intake(pool, around_forwarder(forwarder), timekeeper, ack_seconds_max=10.0)),
            log_identity=LogIdentity(client),
            topic_prefix=shared.prefix,
            release_every_seconds=5.0,
            records_max=records_max,
        )
        stopping = asyncio.Event()
        task = asyncio.create_task(worker.run(stopping))
        try:
            yield Working(worker, forwarder, stopping, task)
        finally:
            stopping.set()
            with contextlib.suppress(LogChanged):
                await task
