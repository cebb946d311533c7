"""A log that is not the one we knew: the worker stops by name, and goes on where the command it names was run."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition

from shared.kafka.claim import LogChanged
from shared.kafka.log_id import TopicGone
from tests.adding import execute, send, shared_of, total_is, working
from tests.commands import bellwether
from tests.integration.kafka.making_anew import begins_at, group_is_gone, group_stands_at, has_partitions, made_anew
from tests.pair import World

pytestmark = pytest.mark.slow

SECONDS_MAX = 30.0


def events_of(world: World) -> str:
    return world.topic("health.events")


async def stops_by_name(world: World, meanwhile: Callable[[], Awaitable[None]] | None = None) -> str:
    """What a worker says when it stops; `meanwhile` happens while it runs.

    While a topic is being made anew there is none, which ends a worker too: it is started again, as by a supervisor.
    """
    while True:
        with contextlib.suppress(TopicGone):
            async with working(world) as worker:
                if meanwhile is not None:
                    happening, meanwhile = meanwhile, None
                    await happening()
                with pytest.raises(LogChanged) as stopped:
                    await asyncio.wait_for(worker.task, SECONDS_MAX)
                return str(stopped.value)


async def do_as_told(world: World, message: str) -> None:
    """Run the command that a message ends with."""
    told = re.search(r": bellwether (positions [\w.\- ]+)$", message)
    assert told, message
    code, said = await bellwether(world, *told[1].split())
    assert code == 0, said


async def made_anew_with(world: World, numbers: list[int]) -> None:
    await total_is(world, 6)
    await made_anew(world, events_of(world))
    await send(world, {0: numbers, 1: [1000]})


@pytest.mark.parametrize("numbers", [[10], [10] * 5], ids=["fewer records", "more records"])
@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
async def test_a_topic_made_anew_is_read_only_once_it_is_adopted(
    world: World, numbers: list[int], *, is_running: bool
) -> None:
    await send(world, {0: [1, 2, 3]})
    making = partial(made_anew_with, world, numbers)
    if is_running:
        message = await stops_by_name(world, making)
    else:
        async with working(world):
            await total_is(world, 6)
        await making()
        message = await stops_by_name(world)
    assert "the topic was made anew" in message
    assert message.endswith(f"bellwether positions adopt scoring {events_of(world)}")
    await total_is(world, 6)  # nothing of the new log was applied
    await do_as_told(world, message)
    async with working(world):
        await total_is(world, 6 + sum(numbers) + 1000)


async def test_records_that_retention_took_are_passed_over_only_once_that_is_accepted(world: World) -> None:
    await send(world, {0: [1], 1: [2]})
    async with working(world):
        await total_is(world, 3)
    await send(world, {0: [10, 20, 40], 1: [100, 200, 400], 2: [7]})
    await begins_at(world, events_of(world), {0: 2, 1: 3})
    message = await stops_by_name(world)
    assert "3 records are gone: partition 0 wants offset 1 and begins at 2, 1 wants offset 1 and begins at 3" in message
    assert message.endswith(f"bellwether positions accept-gap scoring {events_of(world)} 0 1")
    await total_is(world, 3)
    await do_as_told(world, message)
    async with working(world):
        await total_is(world, 3 + 20 + 40 + 400 + 7)


async def test_records_that_retention_takes_before_a_running_worker_stop_it(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world) as worker:
        await total_is(world, 1)
        at = TopicPartition(events_of(world), 0)
        worker.loop.consumer.pause(at)
        await send(world, {0: [10, 20, 40]})
        await begins_at(world, events_of(world), {0: 3})
        worker.loop.consumer.resume(at)
        with pytest.raises(LogChanged, match="2 records are gone") as stopped:
            await asyncio.wait_for(worker.task, SECONDS_MAX)
    await do_as_told(world, str(stopped.value))
    async with working(world):
        await total_is(world, 41)


@pytest.mark.parametrize("offset", [None, 0, 1, 3, 100], ids=["gone", "at 0", "lower", "higher", "beyond the end"])
async def test_what_kafka_says_of_the_group_is_not_believed(world: World, offset: int | None) -> None:
    await send(world, {0: [1, 2]})
    async with working(world):
        await total_is(world, 3)
    group = shared_of(world).group("adder")
    if offset is None:
        await group_is_gone(world, group)
    else:
        await group_stands_at(world, group, events_of(world), {0: offset})
    await send(world, {0: [10, 20]})
    async with working(world):
        await total_is(world, 33)
        await send(world, {0: [100]})
        await total_is(world, 133)


async def test_gaps_of_a_foreign_transaction_are_no_hole_and_what_it_aborts_is_not_applied(world: World) -> None:
    foreign = AIOKafkaProducer(bootstrap_servers=world.bootstrap, transactional_id=f"{world.prefix}foreign")
    await foreign.start()
    try:
        async with working(world):
            await send(world, {0: [1]})
            async with foreign.transaction():
                await foreign.send_and_wait(events_of(world), b"10", partition=0)
            await foreign.begin_transaction()
            await foreign.send_and_wait(events_of(world), b"5000", partition=0)
            await foreign.abort_transaction()
            await send(world, {0: [2]})
            await total_is(world, 13)
            async with foreign.transaction():
                await foreign.send_and_wait(events_of(world), b"20", partition=0)
            await total_is(world, 33)
        async with working(world):  # begins after a marker
            await send(world, {0: [100]})
            await total_is(world, 133)
    finally:
        await foreign.stop()
    connection = await world.connect("scoring")
    next_offset = await connection.fetchval("SELECT next_offset FROM position WHERE partition = 0")
    await connection.close()
    assert next_offset == 9  # 5 records, 1 aborted, 3 markers


async def partitions_added(world: World) -> None:
    await total_is(world, 6)
    await has_partitions(world, events_of(world), world.partitions + 2)
    await send(world, {0: [50], world.partitions: [1000]})


@pytest.mark.parametrize("is_running", [False, True], ids=["stopped", "running"])
async def test_added_partitions_stop_the_worker_and_no_command_makes_it_read_them(
    world: World, *, is_running: bool
) -> None:
    await send(world, {0: [1, 2, 3]})
    if is_running:
        message = await stops_by_name(world, partial(partitions_added, world))
    else:
        async with working(world):
            await total_is(world, 6)
        await partitions_added(world)
        message = await stops_by_name(world)
    assert f"with {world.partitions} partitions" in message
    code, said = await bellwether(world, "positions", "adopt", "scoring", events_of(world))
    assert code != 0
    assert "cannot be read" in " ".join(said.replace("│", "").split())
    assert "cannot be read" in await stops_by_name(world)
    await made_anew(world, events_of(world))  # with as many as before: what the message asks for
    await send(world, {0: [100]})
    await do_as_told(world, await stops_by_name(world))
    async with working(world):
        await total_is(world, 106)


async def test_another_cluster_behind_the_same_address_is_named(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world):
        await total_is(world, 1)
    connection = await world.connect("scoring")
    ours: str = await connection.fetchval("SELECT DISTINCT log_id FROM position")
    await connection.close()
    cluster, topic_id = ours.split("/")
    await execute(world, f"UPDATE position SET log_id = 'elsewhere/{topic_id}'")
    message = await stops_by_name(world)
    assert f"log elsewhere/{topic_id} " in message
    assert f"log {cluster}/{topic_id} " in message
    assert "another cluster" in message
