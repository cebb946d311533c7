"""Drafts into health.events: the partition ingest would choose, acknowledged by the broker, at the readers' pace."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from services.cli.importing.outcome import Draft
from services.cli.importing.pacing import Pace
from shared.clock import Clock
from shared.contracts.envelope import HEADERS, HealthEvent, encode
from shared.contracts.topics import HEALTH_EVENTS, partition_of
from shared.kafka.clients import producer
from shared.settings import Shared

CHUNK_EVENTS = 500  # a quarter of what may lie unread: sending and reading overlap


@dataclass(frozen=True, slots=True)
class Stamp:
    """What all events of one run share. `source` is part of their identity, `actor` says who brought them."""

    source: str
    actor: str
    run: str


class Sender:
    """One import run's way to the topic."""

    def __init__(self, producer: AIOKafkaProducer, pace: Pace, clock: Clock, stamp: Stamp) -> None:
        self._producer = producer
        self._pace = pace
        self._clock = clock
        self._stamp = stamp

    async def wait_until_read(self) -> None:
        """Return once scoring has read everything that is in the topic. Raises Stalled."""
        await self._pace.wait_until_read()

    async def send(self, drafts: Sequence[Draft]) -> None:
        """Return when the broker has acknowledged every one. Raises KafkaError, Stalled; sending again is harmless."""
        for start in range(0, len(drafts), CHUNK_EVENTS):
            chunk = drafts[start : start + CHUNK_EVENTS]
            await self._pace.wait_for_room(len(chunk))
            await asyncio.gather(*[await self._put(draft) for draft in chunk])

    async def _put(self, draft: Draft) -> asyncio.Future[object]:
        event = HealthEvent(
            id=draft.id,
            source=self._stamp.source,
            type=draft.type,
            subject=draft.subject,
            time=draft.time,
            account=draft.account,
            receivedat=self._clock.now(),
            actor=self._stamp.actor,
            importrun=self._stamp.run,
            data=draft.data,
        )
        partition = partition_of(draft.account, self._pace.partitions)
        sent: asyncio.Future[object] = await self._producer.send(
            self._pace.topic, encode(event), draft.account.encode(), partition=partition, headers=HEADERS
        )
        return sent


@asynccontextmanager
async def open_sender(settings: Shared, clock: Clock, stamp: Stamp) -> AsyncIterator[Sender]:
    """A sender into this deployment's health.events, paced by what scoring has read of it."""
    async with Pace(settings.kafka, settings.topic(HEALTH_EVENTS.name), settings.group("scoring")) as pace:
        to_broker = producer(settings.kafka)
        await to_broker.start()
        try:
            yield Sender(to_broker, pace, clock, stamp)
        finally:
            await to_broker.stop()
