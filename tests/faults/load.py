"""Traffic that goes on while servers and workers fall, as a product's backend sends it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from shared.kafka.clients import producer
from tests.e2e.traffic import Sent
from tests.pair import World

PACE_SECONDS = 0.05  # between two slices of what is sent


@dataclass
class Load:
    """`sent` of `sends` are acknowledged or in the producer; no more than `allowed` of them leave."""

    world: World
    sends: Sequence[Sent]
    per_second: float
    allowed: int = 0
    sent: int = 0

    async def send_all(self, to: AIOKafkaProducer) -> None:
        """With any key or none. Returns when the broker has acknowledged everything."""
        while self.sent < len(self.sends):
            at_once = max(1, round(self.per_second * PACE_SECONDS))
            until = min(self.allowed, self.sent + at_once)
            for number, one in enumerate(self.sends[self.sent : until], self.sent):
                key = str(number).encode() if number % 2 else None
                await to.send(self.world.topic(one.topic), one.body, key=key)
            self.sent = until
            await asyncio.sleep(PACE_SECONDS)
        await to.flush()


@contextlib.asynccontextmanager
async def sending(world: World, sends: Sequence[Sent], per_second: float) -> AsyncIterator[Load]:
    """Sends what is allowed while the body runs, and is at its end after it."""
    to = producer(world.bootstrap)
    await to.start()
    load = Load(world, sends, per_second)
    task = asyncio.create_task(load.send_all(to))
    try:
        yield load
        load.allowed = len(sends)
        await task
    finally:
        task.cancel()
        await to.stop()
