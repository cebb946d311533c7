"""A worker of ingest that kills itself: `python -m tests.integration.ingest.dying STEP BATCH`.

STEP is one of the six of a batch; the process is gone, as after kill -9, as soon as that batch has taken that step.
"""

import asyncio
import os
import signal
import sys
from enum import StrEnum
from typing import Any

from services.ingest.forward import Forwarder
from shared.settings import Shared
from tests.integration.ingest.composed import Around, working

BATCH = 50  # records; below the number from which the forwarder hands over whole batches


class Step(StrEnum):
    READ = "read"
    JUDGED = "judged"
    SET_ASIDE = "set aside"
    HANDED_OVER = "handed to the producer"
    ACKNOWLEDGED = "acknowledged"
    COMMITTED = "committed"


class Death:
    """Comes at the given step of the given batch, counted from 1."""

    def __init__(self, step: Step, batch: int) -> None:
        self._step, self._batch, self._batches = step, batch, 0

    def begins(self) -> None:
        self._batches += 1

    def has_taken(self, step: Step) -> None:
        if (step, self._batches) == (self._step, self._batch):
            os.kill(os.getpid(), signal.SIGKILL)

    def consumer(self, within: Any) -> Any:
        death = self

        class Dying(Around):
            async def getmany(self, **how: Any) -> Any:
                if polled := await within.getmany(**how):
                    death.begins()
                    death.has_taken(Step.READ)
                return polled

            async def commit(self, positions: Any) -> None:
                await within.commit(positions)
                death.has_taken(Step.COMMITTED)

        return Dying(within)

    def intake(self, within: Any) -> Any:
        death = self

        class Dying(Around):
            async def take(self, items: Any, now: Any) -> Any:
                death.has_taken(Step.JUDGED)
                return await within.take(items, now)

        return Dying(within)

    def forwarder(self, within: Forwarder) -> Any:
        death, producer = self, within._producer

        class DyingProducer(Around):
            async def send(self, *what: Any, **how: Any) -> Any:
                acknowledgement = await producer.send(*what, **how)
                death.has_taken(Step.HANDED_OVER)
                return acknowledgement

        class Dying(Around):
            async def send(self, records: Any, *, seconds_max: float) -> Any:
                death.has_taken(Step.SET_ASIDE)
                sent = await within.send(records, seconds_max=seconds_max)
                death.has_taken(Step.ACKNOWLEDGED)
                return sent

        within._producer = DyingProducer(producer)
        return Dying(within)


async def main(death: Death) -> None:
    async with working(
        Shared(),
        partitions=int(os.environ["BELLWETHER_PARTITIONS"]),
        around_consumer=death.consumer,
        around_intake=death.intake,
        around_forwarder=death.forwarder,
        records_max=BATCH,
    ) as at_work:
        await at_work.task


if __name__ == "__main__":
    asyncio.run(main(Death(Step(sys.argv[1]), int(sys.argv[2]))))
