"""Spots of a batch at which a worker can be made to stand still: what zombies are made of."""

import asyncio
import os
import signal
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from shared.kafka.loop import Loop


class Spot(StrEnum):
    POLLED = "polled"  # records in hand, nothing claimed
    CLAIMED = "claimed"  # inside the transaction, holding the claim's rows
    COMMITTED = "committed"  # nothing handed to the producer yet
    SENT = "sent"  # in the producer's memory, not on the wire


class Parking:
    """Stands still at each of its spots the first time a worker comes past with records in hand."""

    def __init__(self, *spots: Spot) -> None:
        self._reached = {spot: asyncio.Event() for spot in spots}
        self._go_on = {spot: asyncio.Event() for spot in spots}

    async def at(self, spot: Spot) -> None:
        if spot in self._reached and not self._reached[spot].is_set():
            self._reached[spot].set()
            await self._stand(spot)

    async def reached(self, spot: Spot, seconds_max: float = 20.0) -> None:
        await asyncio.wait_for(self._reached[spot].wait(), seconds_max)

    def go_on(self, spot: Spot) -> None:
        self._go_on[spot].set()

    def close(self) -> None:
        """Whoever stands here goes on, and nobody stops any more."""
        for event in (*self._reached.values(), *self._go_on.values()):
            event.set()

    async def _stand(self, spot: Spot) -> None:
        await self._go_on[spot].wait()


class Stopping(Parking):
    """Stops the whole process, heartbeats and all, until somebody sends SIGCONT."""

    async def _stand(self, spot: Spot) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)


@dataclass(kw_only=True)
class ParkedLoop(Loop[Any, Any]):
    """Parks before the claim, where the loop still believes in its assignment, and between commit and producer."""

    parking: Parking

    async def _settle(self, *args: Any, **kwargs: Any) -> None:
        if args[0].records:
            await self.parking.at(Spot.POLLED)
        await super()._settle(*args, **kwargs)

    async def _publish(self) -> None:
        if self.outbox.size:
            await self.parking.at(Spot.COMMITTED)
        await super()._publish()


class ParkedProducer:
    """Parks once a record is in the producer; the task that would send it has had no turn yet."""

    def __init__(self, producer: Any, parking: Parking) -> None:
        self._producer, self._parking = producer, parking

    async def send(self, *args: Any, **kwargs: Any) -> Any:
        sent = await self._producer.send(*args, **kwargs)
        await self._parking.at(Spot.SENT)
        return sent
