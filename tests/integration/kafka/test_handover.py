"""Partitions change hands: at once, in the middle of a batch, and from owners that only seem to be gone."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from itertools import groupby

import pytest
from aiokafka import TopicPartition

from shared.kafka.claim import LogChanged
from shared.kafka.log_id import TopicGone
from shared.postgres.pool import IDLE_IN_TRANSACTION_TIMEOUT_MS
from tests.adding import Worker, send, total_is, working
from tests.integration.kafka.making_anew import made_anew
from tests.pair import World
from tests.parking import Parking, Spot
from tests.processes import SECONDS_MAX, until
from tests.reading import everything

pytestmark = pytest.mark.slow

ALL = {0: [10], 1: [20], 2: [30], 3: [40]}
AGAIN = {0: [1], 1: [2], 2: [3], 3: [4]}
HAND_OVER_SECONDS_MAX = 5.0  # two heartbeats and a take-over; the session timeout is 10 s


async def published(world: World) -> dict[int, list[int]]:
    """The totals of each partition in the order of the topic; one that is told twice in a row says nothing new."""
    totals: dict[int, list[int]] = {}
    async for record in everything(world.bootstrap, world.topic("health.changes")):
        totals.setdefault(record.partition, []).append(int(record.value))
    return {partition: [total for total, _ in groupby(told)] for partition, told in totals.items()}


async def shared_by(one: Worker, other: Worker) -> None:
    """Wait until each has half of the partitions."""

    async def is_so() -> bool:
        return len(one.partitions) == len(other.partitions) == 2 and not one.partitions & other.partitions

    await until(is_so, "two workers share the partitions")


@contextlib.asynccontextmanager
async def taken_from(world: World, *spots: Spot) -> AsyncIterator[tuple[Parking, Worker, Worker]]:
    """A worker parked at the first of `spots`, a record of every partition in hand; a second one has half of them.

    Where the first one holds the claim's rows, the second one waits for them.
    """
    parking = Parking(*spots)
    await send(world, ALL)
    async with working(world, parking=parking) as first:
        await parking.reached(spots[0])
        async with working(world) as second:
            await shared_by(first, second)
            if spots[0] is Spot.CLAIMED:
                await somebody_waits(world)
            yield parking, first, second


async def somebody_waits(world: World) -> None:
    connection = await world.connect("scoring")

    async def is_so() -> bool:
        return bool(await connection.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    try:
        await until(is_so, "somebody waits for a lock")
    finally:
        await connection.close()


async def test_a_worker_that_stops_hands_over_well_within_the_session_timeout(world: World) -> None:
    async with working(world) as leaves, working(world) as stays:
        await shared_by(leaves, stays)
        await send(world, ALL)
        await total_is(world, 100)
        await leaves.stop()
        left_at = time.monotonic()
        await send(world, AGAIN)
        await total_is(world, 110)
        seconds = time.monotonic() - left_at
    print(f"handed over in {seconds:.1f} s")
    assert seconds < HAND_OVER_SECONDS_MAX


async def test_a_worker_that_joins_in_the_middle_of_a_batch_doubles_nothing(world: World) -> None:
    async with taken_from(world, Spot.CLAIMED) as (parking, _, second):
        parking.go_on(Spot.CLAIMED)
        await total_is(world, 100)
        await send(world, AGAIN)
        await total_is(world, 110)
        assert second.adder.forgotten >= 2  # its first claim was lost to the batch it had waited for
    assert await published(world) == {0: [10, 11], 1: [20, 22], 2: [30, 33], 3: [40, 44]}


async def test_a_batch_of_which_some_partitions_are_lost_is_rolled_back_whole_and_read_again(world: World) -> None:
    async with taken_from(world, Spot.POLLED) as (parking, first, second):
        lost = sum(ALL[p][0] for p in second.partitions)
        await total_is(world, lost)
        parking.go_on(Spot.POLLED)
        await total_is(world, 100)
        assert first.adder.forgotten >= 2
        await send(world, AGAIN)
        await total_is(world, 110)
    assert await published(world) == {0: [10, 11], 1: [20, 22], 2: [30, 33], 3: [40, 44]}


async def test_a_successor_waits_for_a_held_claim_no_longer_than_its_owner_may_idle(world: World) -> None:
    parking = Parking(Spot.CLAIMED)
    await send(world, ALL)
    async with working(world, parking=parking) as zombie:
        await parking.reached(Spot.CLAIMED)
        held_at = time.monotonic()
        async with working(world) as successor:
            await shared_by(zombie, successor)
            await total_is(world, sum(ALL[p][0] for p in successor.partitions))
            seconds = time.monotonic() - held_at
            parking.go_on(Spot.CLAIMED)  # to a closed connection
            await total_is(world, 100)
            await send(world, AGAIN)
            await total_is(world, 110)
    print(f"waited {seconds:.1f} s")
    assert -1 < seconds - IDLE_IN_TRANSACTION_TIMEOUT_MS / 1000 < 2


async def test_what_an_owner_committed_after_the_hand_over_and_never_published_leaves_first(world: World) -> None:
    async with taken_from(world, Spot.CLAIMED, Spot.COMMITTED) as (parking, first, second):
        forgotten = second.adder.forgotten
        parking.go_on(Spot.CLAIMED)
        await parking.reached(Spot.COMMITTED)
        moved = second.partitions
        await send(world, {p: AGAIN[p] for p in moved})
        await total_is(world, 100 + sum(AGAIN[p][0] for p in moved))
        assert second.adder.forgotten > forgotten
        await first.die()
        await send(world, {p: numbers for p, numbers in AGAIN.items() if p not in moved})
        await total_is(world, 110)
    assert await published(world) == {0: [10, 11], 1: [20, 22], 2: [30, 33], 3: [40, 44]}


async def test_a_zombies_message_may_come_late_and_whoever_keeps_the_greatest_is_right(world: World) -> None:
    async with taken_from(world, Spot.COMMITTED) as (parking, _, second):
        moved = second.partitions
        await send(world, {p: AGAIN[p] for p in moved})
        await total_is(world, 100 + sum(AGAIN[p][0] for p in moved))

        async def is_ahead() -> bool:
            return all(len(totals) == 2 for p, totals in (await published(world)).items() if p in moved)

        await until(is_ahead, "the successor has published")
        parking.go_on(Spot.COMMITTED)
        await send(world, {p: numbers for p, numbers in AGAIN.items() if p not in moved})
        await total_is(world, 110)
    late = {p: [ALL[p][0], ALL[p][0] + AGAIN[p][0], ALL[p][0]] for p in moved}
    in_order = {p: [ALL[p][0], ALL[p][0] + AGAIN[p][0]] for p in ALL if p not in moved}
    found = await published(world)
    assert found == late | in_order
    assert {p: max(totals) for p, totals in found.items()} == {0: 11, 1: 22, 2: 33, 3: 44}


async def test_a_consumer_that_goes_back_by_itself_counts_nothing_twice(world: World) -> None:
    async with working(world) as worker:
        await send(world, {0: [1, 2]})
        await total_is(world, 3)
        worker.loop.consumer.seek(TopicPartition(world.topic("health.events"), 0), 0)
        await send(world, {0: [4]})
        await total_is(world, 7)


async def test_a_batch_does_not_count_once_its_log_has_been_made_anew(world: World) -> None:
    parking, topic = Parking(Spot.CLAIMED), world.topic("health.events")
    await send(world, {0: [1]})
    async with working(world, parking=parking) as worker:
        await parking.reached(Spot.CLAIMED)
        await made_anew(world, topic)
        await until(lambda: is_known(worker, topic), "the broker says so")
        parking.go_on(Spot.CLAIMED)
        with pytest.raises(LogChanged, match="made anew"):
            await asyncio.wait_for(worker.task, SECONDS_MAX)
    await total_is(world, 0)


async def is_known(worker: Worker, topic: str) -> bool:
    try:
        await worker.loop.log_identity.of(topic)
    except TopicGone:
        return False
    return True
