"""A log that ends before the position: a new leader that knows less for a moment, or a broker that has lost records."""

import asyncio

import pytest

from shared.kafka.claim import LogChanged
from tests.adding import execute, send, total_is, working
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

SECONDS_MAX = 30.0
LOST = "UPDATE position SET next_offset = next_offset + {records}, seq = seq + 1 WHERE partition = 0"


async def test_a_broker_that_has_lost_the_end_of_its_log_stops_the_worker_by_name(world: World) -> None:
    await send(world, {0: [1, 2]})
    async with working(world):
        await total_is(world, 3)
    await execute(world, LOST.format(records=5))
    async with working(world) as worker:
        with pytest.raises(LogChanged, match=r"lost the end.* 0 ends at 2 and was read to 7.*positions adopt scoring"):
            await asyncio.wait_for(worker.task, SECONDS_MAX)


async def test_a_leader_that_knows_less_for_a_moment_stops_nobody(world: World) -> None:
    await send(world, {0: [1, 2]})
    async with working(world) as worker:
        await total_is(world, 3)
        await execute(world, LOST.format(records=5))
        forgotten = worker.adder.forgotten
        worker.adder.looks = {0: ["somebody"]}  # whose claim is lost, so that the worker looks where it stands

        async def has_looked() -> bool:
            return worker.adder.forgotten >= forgotten + 2

        await until(has_looked, "a second look at a log that is too short")
        await execute(world, LOST.format(records=-5))
        await send(world, {0: [4]})
        await total_is(world, 7)
