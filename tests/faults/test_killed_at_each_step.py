"""kill -9 at every step of both loops, one world, one log: whoever comes next goes on, and each event counts once."""

import asyncio
import contextlib
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from aiokafka import AIOKafkaConsumer

from shared.contracts.envelope import HealthEvent
from tests.e2e.traffic import Mix, traffic
from tests.faults.agreement import changes_agree, have_read, outreach_agrees
from tests.faults.dying import STEPS
from tests.integration.scoring.deployed import send
from tests.oracle import agree_with_the_oracle, archived_ids, in_the_log
from tests.pair import ROOT, World
from tests.processes import running, until

SENDS = 3_000
AT_FIRST = 300
AT_ONCE = 30  # whenever everything is read and somebody still lives: a worker dies only of records
MIX = Mix(repeats=0.05, broken=0, parked=0, late=0.1, accounts=60)
BATCHES_MAX = 2  # that a worker does before the one it dies in
DEATH_SECONDS_MAX = 60.0
AT_REST_SECONDS_MAX = 60.0


async def die(world: World, service: str, step: str, batch: int) -> None:
    """One life of a worker."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.faults.dying", service, step, str(batch), cwd=ROOT, env=world.env()
    )
    try:
        assert await asyncio.wait_for(process.wait(), DEATH_SECONDS_MAX) == -signal.SIGKILL, (service, step)
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()


async def die_at_every_step(world: World, service: str, random: Random) -> None:
    """One life after the other, so that each takes over what the one before has left."""
    for step in random.sample(STEPS, len(STEPS)):
        await die(world, service, step, 1 + random.randrange(BATCHES_MAX))


@contextlib.asynccontextmanager
async def reading(world: World) -> AsyncIterator[AIOKafkaConsumer]:
    reader = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, enable_auto_commit=False)
    await reader.start()
    try:
        yield reader
    finally:
        await reader.stop()


@contextlib.asynccontextmanager
async def fed(
    world: World, events: Sequence[HealthEvent], is_hungry: Callable[[], Awaitable[bool]]
) -> AsyncIterator[None]:
    """Some events at first, some more whenever everything is read, and those that are left after the body."""
    waiting = deque(events)

    async def send_next(count: int) -> None:
        await send(world, [waiting.popleft() for _ in range(min(count, len(waiting)))])

    async def feed() -> None:
        while waiting:
            await until(is_hungry, "everything so far is read", DEATH_SECONDS_MAX)
            await send_next(AT_ONCE)

    await send_next(AT_FIRST)
    async with asyncio.TaskGroup() as group:
        feeding = group.create_task(feed())
        yield
        feeding.cancel()
    await send_next(len(waiting))


async def die_in_both(world: World, random: Random) -> None:
    """Scoring and alerts side by side; once scoring has died at every step it lives on, and alerts has what to read."""
    of_scoring, of_alerts = Random(random.random()), Random(random.random())
    async with asyncio.TaskGroup() as group:
        alerts = group.create_task(die_at_every_step(world, "alerts", of_alerts))
        await die_at_every_step(world, "scoring", of_scoring)
        async with running(world, "scoring"):
            await alerts


@pytest.mark.timeout(400)
async def test_workers_killed_at_each_step_lose_and_double_nothing(world: World, seed: int) -> None:
    random = Random(seed)
    sent = traffic(seed, SENDS, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1), MIX)
    async with contextlib.AsyncExitStack() as stack:
        sql = {service: await world.connect(service) for service in ("scoring", "alerts")}
        for connection in sql.values():
            stack.push_async_callback(connection.close)
        reader = await stack.enter_async_context(reading(world))

        async def at_rest() -> bool:
            return await have_read(world, sql, reader)

        async with fed(world, [one.event for one in sent.sends if one.event], at_rest):
            await die_in_both(world, random)
        async with running(world, "scoring"), running(world, "alerts"):
            await until(at_rest, "everything is read", AT_REST_SECONDS_MAX)
            assert await archived_ids(sql["scoring"]) == await in_the_log(world.bootstrap, world.topic("health.events"))
            await agree_with_the_oracle(sql["scoring"], sent.events.values())
            await until(at_rest, "what was said last is read", AT_REST_SECONDS_MAX)
            await changes_agree(world, sql["scoring"])
            await outreach_agrees(world, sql["alerts"])
