"""Scoring as a process on real servers: events in health.events, answers in Postgres and health.changes."""

from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from shared.contracts.envelope import HealthEvent
from shared.contracts.health import decode_change
from tests.integration.scoring.deployed import NOW, archived, event, send, snapshot_of
from tests.pair import World
from tests.processes import running, until
from tests.reading import everything


@pytest.fixture
async def scoring(world: World) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect("scoring")
    yield connection
    await connection.close()


async def test_events_become_a_score_and_the_score_a_message(world: World, scoring: asyncpg.Connection) -> None:
    async with running(world, "scoring"):
        await send(world, [event("acme", n, NOW - timedelta(days=n)) for n in range(20)])

        async def said() -> bool:
            snapshot = await snapshot_of(scoring, "acme")
            return snapshot is not None and await archived(scoring) == 20

        await until(said, "a snapshot of acme")
    snapshot = await snapshot_of(scoring, "acme")
    assert snapshot is not None
    assert snapshot.signals["active_days_28d"] == 20
    assert snapshot.score is not None
    assert round(sum(c.points for c in snapshot.contributions), 3) == snapshot.score
    topic = world.topic("health.changes")
    messages = [decode_change(record.value) async for record in everything(world.bootstrap, topic)]
    assert max(messages, key=lambda m: m.version).version >= snapshot.version
    assert {m.account for m in messages} == {"acme"}


async def test_the_same_event_twice_is_counted_once_and_its_row_says_so(
    world: World, scoring: asyncpg.Connection
) -> None:
    events = [event("acme", n, NOW) for n in range(3)]
    async with running(world, "scoring"):
        await send(world, [*events, events[0]])
        await send(world, [events[0], event("acme", 99, NOW)])

        async def all_there() -> bool:
            return await archived(scoring) == 4

        await until(all_there, "four events")
    rows = await scoring.fetch("SELECT seen FROM usage_event ORDER BY seen DESC")
    assert [row["seen"] for row in rows] == [3, 1, 1, 1]


async def test_live_usage_and_the_import_of_the_same_event_count_once(
    world: World, scoring: asyncpg.Connection
) -> None:
    live = event("acme", 1, NOW)
    imported = HealthEvent(**{f: getattr(live, f) for f in live.__struct_fields__} | {"importrun": "run"})
    async with running(world, "scoring"):
        await send(world, [live])
        await send(world, [imported, event("acme", 2, NOW)])

        async def all_there() -> bool:
            return await archived(scoring) == 2

        await until(all_there, "two events")
        assert await scoring.fetchval("SELECT max(seen) FROM usage_event") == 2
        assert await scoring.fetchval("SELECT count(*) FROM event") == 0


async def test_a_killed_worker_is_followed_by_one_that_loses_and_doubles_nothing(
    world: World, scoring: asyncpg.Connection
) -> None:
    first = [event(f"a{n % 7}", n, NOW - timedelta(hours=n % 90)) for n in range(400)]
    second = [event(f"a{n % 7}", n, NOW - timedelta(hours=n % 90)) for n in range(400, 600)]
    async with running(world, "scoring") as killed:
        await send(world, first)

        async def begun() -> bool:
            return await archived(scoring) > 0

        await until(begun, "a first batch")
        killed.kill()
    async with running(world, "scoring"):
        await send(world, [*second, *first[:50]])

        async def all_there() -> bool:
            return await archived(scoring) == 600

        await until(all_there, "600 events")
        counted = [await snapshot_of(scoring, f"a{n}") for n in range(7)]
        assert all(snapshot is not None for snapshot in counted)


async def test_an_import_is_quiet_until_it_has_ended(world: World, scoring: asyncpg.Connection) -> None:
    imported = [
        HealthEvent(**{f: getattr(e, f) for f in e.__struct_fields__} | {"importrun": "r1"})
        for e in (event("acme", n, NOW - timedelta(days=n)) for n in range(10))
    ]
    async with running(world, "scoring"):
        await send(world, imported)

        async def begun() -> bool:
            snapshot = await snapshot_of(scoring, "acme")
            return snapshot is not None and snapshot.quiet == "import"

        await until(begun, "a quiet snapshot")
        await send(world, [event("acme", 1000, NOW, kind="import.ended", run="r1")])

        async def ended() -> bool:
            return await scoring.fetchval("SELECT importing FROM published WHERE account = 'acme'") is None

        await until(ended, "the end of the import")
        await send(world, [event("acme", 2000 + n, NOW, feature=f"new{n}", user=f"new{n}") for n in range(30)])

        async def loud() -> bool:
            snapshot = await snapshot_of(scoring, "acme")
            return snapshot is not None and snapshot.quiet is None

        await until(loud, "a snapshot that is not quiet")


async def test_an_account_is_looked_at_though_nothing_comes(world: World, scoring: asyncpg.Connection) -> None:
    async with running(world, "scoring"):
        await send(world, [event("acme", n, NOW) for n in range(5)])

        async def said() -> bool:
            return await snapshot_of(scoring, "acme") is not None

        await until(said, "a snapshot")
        before = await snapshot_of(scoring, "acme")
        await scoring.execute("UPDATE clock SET offset_by = '25 hours'")

        async def said_again() -> bool:
            now = await snapshot_of(scoring, "acme")
            return before is not None and now is not None and now.as_of - before.as_of > timedelta(hours=24)

        await until(said_again, "the daily snapshot")


async def test_whoever_is_made_due_by_hand_is_looked_at_once_and_not_for_ever(
    world: World, scoring: asyncpg.Connection
) -> None:
    async with running(world, "scoring"):
        await send(world, [event("acme", n, NOW) for n in range(5)])

        async def said() -> bool:
            return await snapshot_of(scoring, "acme") is not None

        await until(said, "a snapshot")
        await scoring.execute("UPDATE published SET look_at = now()")

        async def is_done() -> bool:
            return bool(await scoring.fetchval("SELECT look_at > now() FROM published"))

        await until(is_done, "the look")


async def test_amounts_beyond_reason_stop_nobody(world: World, scoring: asyncpg.Connection) -> None:
    amount = {"amount": "999999999999999", "currency": "EUR"}
    async with running(world, "scoring"):
        await send(
            world,
            [event("acme", n, NOW, kind="subscription.started", subscription=f"s{n}", mrr=amount) for n in range(9)],
        )
        await send(world, [event("acme", 100, NOW), event("beta", 1, NOW)])

        async def all_there() -> bool:
            return await archived(scoring) == 11

        await until(all_there, "what came after")
        assert await scoring.fetchval("SELECT arr FROM published WHERE account = 'acme'") == 9 * 12 * 999999999999999
