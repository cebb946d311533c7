"""A worker that kills itself at one step of a batch: `python -m tests.faults.dying SERVICE STEP BATCH`.

It is the real loop with the real work; what the loop is given is wrapped, so that the product has no hooks for this.
It joins a group of its own: Kafka would keep the partitions of a killed one for its session, and which worker has them
is no more than a hint.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from aiokafka.client import AIOKafkaClient

from services.alerts import definitions
from services.alerts.worker import AlertsWork
from services.scoring.worker import Scoring
from shared.clock import Clock
from shared.contracts.topics import HEALTH_CHANGES, HEALTH_EVENTS, OUTREACH_EVENTS
from shared.kafka.batch import Batch, Message
from shared.kafka.clients import consumer, producer
from shared.kafka.log_id import LogIdentity
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox, Row
from shared.postgres.pool import Connection, Pool, open_pool
from shared.settings import Shared

# As a batch passes them; the loop numbers them 1 claim, 2 archive, 3 fold and read, 4 decide, 5 commit and publish.
STEPS = ("polled", "claimed", "archived", "read", "decided", "stored", "committed", "begun", "published", "told")
RECORDS_MAX = 25  # so that a short log is many batches


class Death:
    """`at` does not return once its step has come in the batch that was chosen, or in one after it."""

    def __init__(self, step: str, batch: int) -> None:
        self._step, self._left = step, batch

    def next_batch(self) -> None:
        self._left -= 1

    def is_near(self, step: str) -> bool:
        return self._left <= 0 and step == self._step

    def at(self, step: str) -> None:
        if self.is_near(step):
            os.kill(os.getpid(), signal.SIGKILL)


class Wrapped:
    """Passes everything on that a wrapper does not name."""

    def __init__(self, inner: Any, death: Death) -> None:
        self.inner, self.death = inner, death

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class DyingConsumer(Wrapped):
    async def getmany(self, **how: Any) -> Any:
        polled = await self.inner.getmany(**how)
        if any(polled.values()):
            self.death.next_batch()
            self.death.at("polled")
        return polled

    async def commit(self, offsets: Any) -> None:
        self.death.at("published")
        await self.inner.commit(offsets)
        self.death.at("told")


class DyingProducer(Wrapped):
    """Dies with one message acknowledged and the next unsent."""

    sent = 0

    async def send(self, *message: Any, **more: Any) -> Any:
        self.sent += self.death.is_near("begun")
        if self.sent > 1:
            await self.inner.flush()
            self.death.at("begun")
        return await self.inner.send(*message, **more)


class DyingOutbox(Outbox):
    def __init__(self, to: DyingProducer) -> None:
        super().__init__(to)
        self._death = to.death

    async def store(self, tx: Connection, messages: Sequence[Message]) -> list[Row]:
        rows = await super().store(tx, messages)
        self._death.at("stored")
        return rows

    def settled(self, rows: Iterable[Row]) -> None:
        self._death.at("committed")
        super().settled(rows)


class DyingWork(Wrapped):
    async def archive(self, tx: Connection, batch: Batch) -> Any:
        self.death.at("claimed")
        novel = await self.inner.archive(tx, batch)
        self.death.at("archived")
        return novel

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: Any) -> Any:
        reading = await self.inner.fold_and_read(tx, batch, novel)
        self.death.at("read")
        return reading

    async def decide(self, tx: Connection, batch: Batch, reading: Any) -> Sequence[Message]:
        messages: Sequence[Message] = await self.inner.decide(tx, batch, reading)
        self.death.at("decided")
        return messages


def work_of(service: str, settings: Shared, pool: Pool) -> tuple[str, Any]:
    """What it reads, and what it does with it."""
    if service == "scoring":
        return HEALTH_EVENTS.name, Scoring(pool, settings.topic(HEALTH_CHANGES.name), 10)  # so few that states reload
    return HEALTH_CHANGES.name, AlertsWork(definitions.load(), settings.topic(OUTREACH_EVENTS.name), 100)


async def live(service: str, death: Death) -> None:
    """As `run_loop` does, until `death`."""
    settings = Shared()
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(settings, service, connections_max=3))
        client = AIOKafkaClient(bootstrap_servers=settings.kafka)
        await client.bootstrap()
        reads, writes = consumer(settings.kafka, f"{settings.prefix}{uuid.uuid4()}"), producer(settings.kafka)
        await reads.start()
        await writes.start()
        topic, work = work_of(service, settings, pool)
        loop: Loop[Any, Any] = Loop(
            service=service,
            topic=settings.topic(topic),
            pool=pool,
            consumer=DyingConsumer(reads, death),
            outbox=DyingOutbox(DyingProducer(writes, death)),
            log_identity=LogIdentity(client),
            clock=Clock(pool),
            work=DyingWork(work, death),
            records_max=RECORDS_MAX,
        )
        await loop.run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(live(sys.argv[1], Death(sys.argv[2], int(sys.argv[3]))))
