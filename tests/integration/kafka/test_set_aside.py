"""One bad record among many, a source that is all bad, a release of ours that is: who goes on, and what is kept."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import AIOKafkaProducer

from shared.kafka.set_aside import FAILURES_MAX, EverythingFails
from tests.adding import total_is, working
from tests.pair import World
from tests.processes import until

SECONDS_MAX = 30.0


async def produce(world: World, records: Sequence[tuple[str, bytes]], partition: int = 0) -> None:
    """(source, value) each; the adder takes the key for the source."""
    writer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all")
    await writer.start()
    try:
        for source, value in records:
            await writer.send(world.topic("health.events"), value, source.encode(), partition)
        await writer.flush()
    finally:
        await writer.stop()


async def set_aside(world: World) -> list[tuple[int, str, bytes, str]]:
    """(offset, source, value, reason), in order."""
    connection = await world.connect("scoring")
    rows = await connection.fetch("SELECT record_offset, source, value, reason FROM set_aside ORDER BY record_offset")
    await connection.close()
    return [tuple(row) for row in rows]


async def test_one_bad_record_among_many_is_set_aside_and_the_others_count(world: World) -> None:
    await produce(world, [*[("good", b"1")] * 30, ("odd", b"three"), *[("good", b"1")] * 30])
    async with working(world):
        await total_is(world, 60)
    reason = "ValueError(\"invalid literal for int() with base 10: b'three'\")"
    assert await set_aside(world) == [(30, "odd", b"three", reason)]
    async with working(world):
        await produce(world, [("odd", b"5")])
        await total_is(world, 65)


async def test_a_bad_record_whose_source_no_database_can_hold_is_kept_all_the_same(world: World) -> None:
    await produce(world, [("good", b"1"), ("nul\0" + "x" * 2_000, b"three"), ("good", b"1")])
    async with working(world):
        await total_is(world, 2)
    ((offset, source, value, _),) = await set_aside(world)
    assert (offset, source[:5], len(source), value) == (1, "nul\N{REPLACEMENT CHARACTER}x", 1_000, b"three")


async def test_a_source_that_is_all_bad_is_quarantined_alone(world: World) -> None:
    await produce(world, [("good", b"1")])
    async with working(world) as worker:
        await total_is(world, 1)
        bad = [("broken", b"x")] * 40
        mixed = [record for pair in zip(bad, [("good", b"1")] * 40, strict=True) for record in pair]
        await produce(world, mixed)
        await total_is(world, 41)
        forgotten = worker.adder.forgotten
        await produce(world, [*bad, ("good", b"1")])
        await total_is(world, 42)
        assert worker.adder.forgotten == forgotten, "a quarantined source must cost nobody a batch"
    kept = await set_aside(world)
    assert [(source, value) for _, source, value, _ in kept] == bad * 2
    assert [reason for *_, reason in kept[FAILURES_MAX:]] == ["quarantined"] * (80 - FAILURES_MAX)


async def test_a_worker_of_which_nothing_has_ever_passed_stops_by_name(world: World) -> None:
    await produce(world, [(f"source {number}", b"x") for number in range(20)])
    async with working(world) as worker:
        with pytest.raises(EverythingFails, match=r"first 5 records .* all failed.*bellwether aside retry scoring"):
            await asyncio.wait_for(asyncio.shield(worker.task), SECONDS_MAX)
        worker.task = asyncio.create_task(asyncio.sleep(0))
    assert len(await set_aside(world)) == FAILURES_MAX


async def test_a_look_that_fails_alone_is_put_off_and_the_others_are_looked_at(world: World) -> None:
    await produce(world, [("good", b"1")])
    async with working(world) as worker:
        await total_is(world, 1)
        connection = await world.connect("scoring")
        seq = await connection.fetchval("SELECT seq FROM position WHERE partition = 0")
        worker.adder.cannot_look_at = "poor"
        worker.adder.looks = {0: ["a", "b", "poor", "c"]}

        async def put_off() -> bool:
            return bool(worker.adder.put_off_looks)

        await until(put_off, "the look put off")
        assert worker.adder.put_off_looks == [{0: ["poor"]}]
        await produce(world, [("good", b"1")])
        await total_is(world, 2)
        # "a" with "b", "poor" without a look, "c", and the record: each its own claim.
        assert await connection.fetchval("SELECT seq FROM position WHERE partition = 0") == seq + 4
        await connection.close()
    assert await set_aside(world) == []
