"""How late things are under a steady load: events go out when they are due, answered or not."""

import asyncio
import contextlib
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from services.cli.bench.figures import Latency, latency
from services.cli.bench.traffic import PROBE_MARK, SOURCE, probe, usage
from services.cli.importing.checking import cloud_event
from services.cli.importing.outcome import Draft
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HEADERS
from shared.contracts.topics import HEALTH_CHANGES, HEALTH_EVENTS, OUTREACH_EVENTS
from shared.settings import Shared

RATE = 500.0  # events a second
PROBE_EVERY = 20  # 25 probes a second: half a thousand in 20 s
GRACE_SECONDS = 5.0  # for the last ones; what comes later counts as unanswered

_PROBE = re.compile(rb'%s(\d+)"' % PROBE_MARK.encode())


class Ear:
    """Listens to one topic for what the probes cause. An answer counts when a plain consumer has it in hand."""

    def __init__(self, settings: Shared, topic: str) -> None:
        self._topic = settings.topic(topic)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, fetch_max_wait_ms=20)
        self.heard: dict[int, float] = {}
        self._news = asyncio.Condition()

    async def start(self, partitions: int) -> None:
        """From here on nothing is missed."""
        await self._consumer.start()
        assigned = [TopicPartition(self._topic, partition) for partition in range(partitions)]
        self._consumer.assign(assigned)
        await self._consumer.seek_to_end(*assigned)
        for one in assigned:
            await self._consumer.position(one)

    async def listen(self) -> None:
        """Until it is cancelled."""
        async for record in self._consumer:
            now = time.monotonic()
            for found in _PROBE.findall(record.value):
                self.heard.setdefault(int(found), now)
            async with self._news:
                self._news.notify_all()

    async def wait_for(self, probes: int) -> None:
        """Return once so many have been answered."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.heard) >= probes)

    async def stop(self) -> None:
        await self._consumer.stop()


@dataclass(frozen=True, slots=True)
class Delays:
    """From the moment an event was due until a consumer had in hand what became of it."""

    accepted: Latency
    scored: Latency
    reached_out: Latency


class OpenLoop:
    """One measurement. `due` of a probe is when it should have gone, so that our own delays count too."""

    def __init__(self, settings: Shared, to_broker: AIOKafkaProducer, partitions: int) -> None:
        self._settings = settings
        self._to_broker = to_broker
        self._partitions = partitions
        self._due: dict[int, float] = {}
        self.sent_per_second = 0.0

    async def measure(self, seconds: float) -> Delays:
        """Sends for `seconds`, then waits for the last answers."""
        ears = [Ear(self._settings, topic.name) for topic in (HEALTH_EVENTS, HEALTH_CHANGES, OUTREACH_EVENTS)]
        try:
            for ear in ears:
                await ear.start(self._partitions)
            listening = [asyncio.create_task(ear.listen()) for ear in ears]
            await self._send(seconds)
            await self._wait_for_the_last(ears)
            for task in listening:
                task.cancel()
            await asyncio.gather(*listening, return_exceptions=True)
        finally:
            for ear in ears:
                await ear.stop()
        return Delays(*(latency(self._delays(ear), len(self._due)) for ear in ears))

    def _delays(self, ear: Ear) -> list[float]:
        return [(ear.heard[number] - due) * 1000 for number, due in self._due.items() if number in ear.heard]

    async def _send(self, seconds: float) -> None:
        began, number, total = time.monotonic(), 0, int(RATE * seconds)
        while number < total:
            due = began + number / RATE
            if (early := due - time.monotonic()) > 0:
                await asyncio.sleep(early)
            if number % PROBE_EVERY == 0:
                self._due[number] = due
                await self._put(probe(number, datetime.now(UTC)))
            else:
                await self._put(usage(number, "open", datetime.now(UTC)))
            number += 1
        await self._to_broker.flush()
        self.sent_per_second = total / (time.monotonic() - began)

    async def _put(self, draft: Draft) -> None:
        topic = self._settings.topic(TYPES[draft.type].stream.name)
        await self._to_broker.send(topic, cloud_event(draft, SOURCE), draft.subject.encode(), headers=HEADERS)

    async def _wait_for_the_last(self, ears: Sequence[Ear]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                for ear in ears:
                    await ear.wait_for(len(self._due))
