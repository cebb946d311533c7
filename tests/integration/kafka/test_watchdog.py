"""A worker that gets nothing though the log is ahead is ended; one that waits for a server is not."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest
from aiokafka import TopicPartition

from shared.kafka.clients import asking_consumer
from shared.kafka.watchdog import Behind, positions_in, watch
from tests.adding import send, total_is, working
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

STUCK_SECONDS = 1.0


async def test_a_worker_that_is_stuck_is_ended_and_one_that_works_is_not(world: World) -> None:
    ended: list[str] = []
    async with working(world) as worker, contextlib.AsyncExitStack() as stack:
        asker = asking_consumer(world.bootstrap)
        stack.push_async_callback(asker.stop)
        await asker.start()
        consumer = worker.loop.consumer
        behind = Behind(positions_in(worker.loop.pool, worker.loop.topic), asker, consumer.assignment)
        watching = asyncio.create_task(
            watch(
                "scoring",
                lambda: worker.loop.claimed_at,
                behind,
                end=ended.append,
                stuck_seconds=STUCK_SECONDS,
                ask_every_seconds=0.1,
            )
        )
        for number in range(5):
            await send(world, {0: [1]})
            await total_is(world, number + 1)
        assert ended == []
        # A paused consumer is one that gets nothing and is told nothing, as after a broker's restart.
        consumer.pause(*(TopicPartition(worker.loop.topic, p) for p in range(world.partitions)))
        await send(world, {0: [10]})

        async def is_ended() -> bool:
            return bool(ended)

        await until(is_ended, "the watchdog's word")
        assert ended[0].startswith("scoring: nothing was claimed for ")
        await watching


async def outcome(is_behind: Callable[[], Awaitable[bool]], seconds: float) -> list[str]:
    ended: list[str] = []
    watching = asyncio.create_task(
        watch("scoring", lambda: 0.0, is_behind, end=ended.append, stuck_seconds=0.2, ask_every_seconds=0.01)
    )
    await asyncio.wait([watching], timeout=seconds)
    watching.cancel()
    return ended


async def test_a_worker_waits_as_long_as_a_server_is_away() -> None:
    async def refused() -> bool:
        raise ConnectionRefusedError

    async def ahead() -> bool:
        return True

    assert await outcome(refused, 0.5) == []
    assert len(await outcome(ahead, 30.0)) == 1
