"""Workers stopped as a whole (SIGSTOP) and woken after their partitions have moved on."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from itertools import groupby

import psutil
import pytest

from tests.adding import send, total_is, working
from tests.pair import ROOT, World
from tests.parking import Spot
from tests.processes import SECONDS_MAX, until
from tests.reading import everything

pytestmark = pytest.mark.slow


@contextlib.asynccontextmanager
async def stopped_at(world: World, spot: Spot) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker process that has read what there is, and has stopped itself there. Ends cleanly once it is awake."""
    zombie = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.adding", spot, cwd=ROOT, env=world.env(), stdout=asyncio.subprocess.DEVNULL
    )
    process = psutil.Process(zombie.pid)

    async def is_stopped() -> bool:
        return bool(process.status() == psutil.STATUS_STOPPED)

    try:
        await until(is_stopped, f"stopped when {spot}")
        yield zombie
    finally:
        zombie.send_signal(signal.SIGCONT)
        zombie.terminate()
        assert await asyncio.wait_for(zombie.wait(), SECONDS_MAX) == 0


async def totals(world: World) -> list[int]:
    """What was told, in the order of the topic; the same twice in a row says nothing new."""
    told = [int(record.value) async for record in everything(world.bootstrap, world.topic("health.changes"))]
    return [total for total, _ in groupby(told)]


async def has_told(world: World, wanted: list[int]) -> bool:
    return await totals(world) == wanted


@pytest.mark.parametrize(
    ("spot", "woken"),
    [
        (Spot.POLLED, [1, 3]),
        (Spot.CLAIMED, [1, 3]),
        # Its batch was committed, so it is said, though late: whoever keeps the greatest is right.
        (Spot.SENT, [1, 3, 1]),
    ],
)
async def test_a_stopped_worker_counts_nothing_twice_and_goes_on_when_it_wakes(
    world: World, spot: Spot, woken: list[int]
) -> None:
    await send(world, {0: [1]})
    async with stopped_at(world, spot) as zombie:
        async with working(world):
            await total_is(world, 1)
            await send(world, {0: [2]})
            await until(lambda: has_told(world, [1, 3]), "the successor has told 1 and 3")
            zombie.send_signal(signal.SIGCONT)
            await until(lambda: has_told(world, woken), f"{woken} told")
        await send(world, {0: [4]})  # only the one that was stopped is left to read it
        await total_is(world, 7)
        # What its successor had told last it tells again, as nobody has deleted that yet.
        again = [] if woken[-1] == 3 else [3]
        await until(lambda: has_told(world, [*woken, *again, 7]), "7 told")
