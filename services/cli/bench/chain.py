"""The whole chain, as fast as it goes: raw topic, ingest, scoring, alerts, until all have read all."""

import asyncio
import time
from datetime import UTC, datetime

from aiokafka import AIOKafkaProducer

from services.cli.bench.figures import Throughput
from services.cli.bench.traffic import SOURCE, usage
from services.cli.importing.checking import cloud_event
from services.cli.importing.pacing import POLL_SECONDS, Pace, Stalled
from shared.contracts.envelope import HEADERS
from shared.contracts.topics import HEALTH_CHANGES, HEALTH_EVENTS, PRODUCT_USAGE
from shared.settings import Shared

ROUND_EVENTS = 10_000  # two seconds of work or more, so that starts and ends weigh little
ROUND_SECONDS_MAX = 60.0


class Chain:
    """Sends rounds of events into the raw topic and waits until nobody has anything left to read."""

    def __init__(self, settings: Shared, to_broker: AIOKafkaProducer) -> None:
        self._settings = settings
        self._to_broker = to_broker
        self._rounds = 0

    async def measure(self, seconds: float) -> Throughput:
        """Whole rounds, as many as begin within `seconds`."""
        began, events = time.monotonic(), 0
        while time.monotonic() - began < seconds:
            await self.round(ROUND_EVENTS)
            events += ROUND_EVENTS
        return Throughput(events, time.monotonic() - began)

    async def round(self, events: int) -> None:
        """Raises Stalled if the end is not reached in ROUND_SECONDS_MAX."""
        settings, run = self._settings, f"round{self._rounds}"
        self._rounds += 1
        changes = Pace(settings.kafka, settings.topic(HEALTH_CHANGES.name), settings.group("alerts"))
        accepted = Pace(settings.kafka, settings.topic(HEALTH_EVENTS.name), settings.group("scoring"))
        async with accepted, changes:
            goal = sum(await accepted.counted()) + events
            now = datetime.now(UTC)
            for number in range(events):
                draft = usage(number, run, now)
                event = cloud_event(draft, SOURCE)
                await self._to_broker.send(
                    settings.topic(PRODUCT_USAGE.name), event, draft.subject.encode(), headers=HEADERS
                )
            await self._to_broker.flush()
            await _until_read(accepted, goal)
            await changes.wait_until_read()


async def _until_read(accepted: Pace, goal: int) -> None:
    deadline = time.monotonic() + ROUND_SECONDS_MAX
    while True:
        unread, read = await accepted.counted()
        if not unread and read >= goal:
            return
        if time.monotonic() > deadline:
            raise Stalled(f"{goal - read} events were not scored within {ROUND_SECONDS_MAX:.0f} s")
        await asyncio.sleep(POLL_SECONDS)
