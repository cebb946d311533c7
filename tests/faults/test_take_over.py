"""How long a partition waits for another worker, at the settings that ship."""

import asyncio
import contextlib
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import asyncpg
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import GroupCoordinatorNotAvailableError

from shared.contracts.topics import partition_of
from tests.integration.scoring.deployed import NOW, archived, event, send
from tests.pair import World
from tests.processes import running, until


@contextlib.asynccontextmanager
async def two_workers(world: World) -> AsyncIterator[tuple[Process, Process]]:
    """Two scoring workers that share the partitions."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()

    async def they_share() -> bool:
        try:
            (described,) = await admin.describe_consumer_groups([f"{world.prefix}scoring"])
        except GroupCoordinatorNotAvailableError:  # the broker's first group of all
            return False
        _, _, state, _, _, members, *_ = described.groups[0]
        return state == "Stable" and len(members) == 2

    try:
        async with running(world, "scoring") as one, running(world, "scoring") as other:
            await until(they_share, "two members share the partitions")
            yield one, other
    finally:
        await admin.close()


def one_of_each_partition(world: World) -> list[str]:
    accounts = {partition_of(f"a{n}", world.partitions): f"a{n}" for n in range(100)}
    return [accounts[partition] for partition in range(world.partitions)]


@pytest.mark.parametrize(
    ("end", "seconds_max"),
    [
        pytest.param(Process.kill, 15.0, id="killed"),  # a session of 10 s, a rebalance, a take-over
        pytest.param(Process.terminate, 5.0, id="asked to stop"),  # it leaves the group: two heartbeats at most
    ],
)
async def test_the_partitions_of_a_worker_that_ends_are_read_by_the_other_one(
    world: World, end: Callable[[Process], None], seconds_max: float
) -> None:
    sql: asyncpg.Connection = await world.connect("scoring")
    accounts = one_of_each_partition(world)
    try:
        async with two_workers(world) as (ends, _):
            await send(world, [event(account, 0, NOW) for account in accounts])
            await until(lambda: has_archived(sql, len(accounts)), "both workers at work")
            end(ends)
            await asyncio.wait_for(ends.wait(), seconds_max)
            ended_at = time.monotonic()
            await send(world, [event(account, 1, NOW - timedelta(hours=1)) for account in accounts])
            await until(lambda: has_archived(sql, 2 * len(accounts)), "every partition is read again")
            seconds = time.monotonic() - ended_at
    finally:
        await sql.close()
    print(f"taken over in {seconds:.1f} s")
    assert seconds < seconds_max


async def has_archived(sql: asyncpg.Connection, events: int) -> bool:
    return await archived(sql) == events
