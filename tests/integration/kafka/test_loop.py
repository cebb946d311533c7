"""The claimed batch on real servers, with the smallest service that can lose or double something."""

import asyncio

from shared.kafka.clients import consumer
from tests.adding import execute, send, total_is, working
from tests.pair import World
from tests.processes import until

SECONDS_MAX = 30.0


async def test_each_record_counts_once_whoever_reads_it(world: World) -> None:
    await send(world, {0: [1, 2], 1: [3]})
    async with working(world), working(world) as second:
        await total_is(world, 6)
        await second.stop()
        await send(world, {0: [10], 1: [20], 2: [30], 3: [40]})
        await total_is(world, 106)


async def test_a_position_moved_without_a_rebalance_drops_the_cache(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world) as worker:
        await total_is(world, 1)
        forgotten = worker.adder.forgotten
        # Another worker's batch: it added 100 and left the offset where it is, as a look does.
        await execute(world, "UPDATE position SET seq = seq + 1 WHERE partition = 0")
        await execute(world, "UPDATE watermark SET events = events + 100 WHERE partition = 0")
        await send(world, {0: [5]})
        await total_is(world, 106)
        assert worker.adder.forgotten > forgotten


async def test_a_rewound_position_is_read_again_from_where_postgres_says(world: World) -> None:
    await send(world, {0: [1, 2]})
    async with working(world) as worker:
        await total_is(world, 3)
        await worker.stop()
        # As after the restore of an older backup: Kafka's committed offset is ahead and must not be believed.
        await execute(world, "UPDATE position SET next_offset = 1, seq = seq + 1 WHERE partition = 0")
        await execute(world, "UPDATE watermark SET events = 1 WHERE partition = 0")
    async with working(world):
        await send(world, {0: [4]})
        await total_is(world, 7)


async def test_what_was_committed_and_never_published_leaves_first(world: World) -> None:
    await execute(
        world,
        "INSERT INTO outbox (partition, topic, target, key, value) "
        f"VALUES (0, '{world.topic('health.changes')}', 0, 'total', '0')",
    )
    await send(world, {0: [7]})
    async with working(world):
        await total_is(world, 7)
        reader = consumer(world.bootstrap, f"{world.prefix}reading")
        reader.subscribe([world.topic("health.changes")])
        await reader.start()
        try:
            read: list[bytes | None] = []
            while len(read) < 2:
                read.append((await asyncio.wait_for(reader.getone(), SECONDS_MAX)).value)
        finally:
            await reader.stop()
    assert read == [b"0", b"7"]


async def test_a_look_claims_though_it_moves_no_offset(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world) as worker:
        await total_is(world, 1)
        connection = await world.connect("scoring")
        before = await connection.fetchrow("SELECT next_offset, seq FROM position WHERE partition = 0")
        worker.adder.looks = {0: ["somebody"]}

        async def looked() -> bool:
            return bool(before["seq"] < await connection.fetchval("SELECT seq FROM position WHERE partition = 0"))

        await until(looked, "a claim without a record")
        after = await connection.fetchval("SELECT next_offset FROM position WHERE partition = 0")
        await connection.close()
        assert after == before["next_offset"]


async def test_a_batch_that_is_too_slow_is_read_again_in_smaller_ones(world: World) -> None:
    await send(world, {0: [1] * 60})
    async with working(world, slow_above=25, records_max=100) as worker:
        await total_is(world, 60)
        assert worker.adder.forgotten >= 2
