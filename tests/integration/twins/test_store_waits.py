"""Locks, rollbacks and timeouts: each behaviour on the twin in virtual time, and on a real Postgres."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from random import Random
from typing import Any

import asyncpg
import pytest

from shared.kafka.claim import SQL
from shared.postgres import named_sql
from shared.postgres.pool import CONNECTION_ERRORS, open_pool
from tests.adding import shared_of
from tests.pair import World
from tests.simulation.workers import Product
from tests.twins.process import Process
from tests.twins.store import Connection, Database
from tests.twins.tables import Tables
from tests.twins.virtual_time import run

pytestmark = pytest.mark.slow

Connect = Callable[[], Awaitable[Any]]
Case = Callable[[Connect], Awaitable[None]]

ALERTS = named_sql.load("services.alerts")
NOW = datetime(2026, 11, 24, tzinfo=UTC)
CASES: list[Case] = []


def case(body: Case) -> Case:
    CASES.append(body)
    return body


async def claim(connection: Any, partitions: list[int], offset: int, seq: int) -> list[int]:
    """The partitions that moved, each by one record."""
    ones = [1] * len(partitions)
    rows = await connection.fetch(
        SQL["claim"], "log", "topic", partitions, [offset * one for one in ones], [seq * one for one in ones], ones
    )
    return [row["partition"] for row in rows]


async def begun(connect: Connect) -> tuple[Any, Any]:
    """Two connections to a store with four positions at 0."""
    first, second = await connect(), await connect()
    await first.execute(SQL["begin_positions"], "log", "topic", 4)
    return first, second


async def waits(task: "asyncio.Task[Any]") -> bool:
    """It has not ended a good while later."""
    done, _ = await asyncio.wait([task], timeout=0.5)
    return not done


@case
async def a_claim_needs_the_offset_and_the_seq(connect: Connect) -> None:
    one, _ = await begun(connect)
    assert await claim(one, [0, 1], offset=0, seq=1) == []
    assert await claim(one, [0, 1], offset=1, seq=0) == []
    assert sorted(await claim(one, [0, 1], offset=0, seq=0)) == [0, 1]
    assert sorted(await claim(one, [0, 2], offset=0, seq=0)) == [2]


@case
async def who_waits_for_a_claim_that_is_committed_has_lost(connect: Connect) -> None:
    one, other = await begun(connect)
    async with one.transaction():
        assert await claim(one, [0], 0, 0) == [0]
        waiting = asyncio.ensure_future(claim(other, [0, 1], 0, 0))
        assert await waits(waiting)
    assert await waiting == [1]


@case
async def who_waits_for_a_claim_that_is_rolled_back_wins(connect: Connect) -> None:
    one, other = await begun(connect)
    with contextlib.suppress(ZeroDivisionError):
        async with one.transaction():
            assert await claim(one, [0], 0, 0) == [0]
            waiting = asyncio.ensure_future(claim(other, [0], 0, 0))
            assert await waits(waiting)
            raise ZeroDivisionError
    assert await waiting == [0]


@case
async def two_that_claim_the_same_in_opposite_orders_wait_and_do_not_deadlock(connect: Connect) -> None:
    one, other = await begun(connect)
    async with one.transaction():
        assert await claim(one, [1], 0, 0) == [1]
        waiting = asyncio.ensure_future(claim(other, [3, 2, 1, 0], 0, 0))
        assert await waits(waiting)
        assert await claim(one, [2], 0, 0) == [2]
    assert sorted(await waiting) == [0, 3]


@case
async def nobody_waits_for_a_row_longer_than_three_seconds(connect: Connect) -> None:
    one, other = await begun(connect)
    async with one.transaction():
        await claim(one, [0], 0, 0)
        for _ in range(2):
            await one.fetch(SQL["positions"], "topic")  # not idle
            waiting = asyncio.ensure_future(claim(other, [0], 0, 0))
            with pytest.raises(asyncpg.LockNotAvailableError):
                await waiting
    assert await claim(other, [1], 0, 0) == [1]


@case
async def an_idle_transaction_is_ended_and_lets_go(connect: Connect) -> None:
    one, other = await begun(connect)
    with pytest.raises(CONNECTION_ERRORS):
        await _idle_too_long(one, other)
    assert one.is_closed()


async def _idle_too_long(one: Any, other: Any) -> None:
    async with one.transaction():
        await claim(one, [0], 0, 0)
        with pytest.raises(asyncpg.LockNotAvailableError):
            await claim(other, [0], 0, 0)
        assert await claim(other, [0], 0, 0) == [0]
        await one.fetch(SQL["positions"], "topic")


@case
async def what_is_not_committed_is_seen_by_nobody_else_and_numbers_are_not_given_back(connect: Connect) -> None:
    one, other = await begun(connect)
    columns = [0], ["topic"], [0], [b"key"], [b"value"]
    with contextlib.suppress(ZeroDivisionError):
        async with one.transaction():
            assert [row["n"] for row in await one.fetch(SQL["outbox_store"], *columns)] == [1]
            assert len(await one.fetch(SQL["outbox_leftovers"], [0], [], 9)) == 1
            assert len(await other.fetch(SQL["outbox_leftovers"], [0], [], 9)) == 0
            raise ZeroDivisionError
    assert len(await one.fetch(SQL["outbox_leftovers"], [0], [], 9)) == 0
    assert [row["n"] for row in await one.fetch(SQL["outbox_store"], *columns)] == [2]


@case
async def after_an_error_a_transaction_does_nothing_and_leaves_nothing(connect: Connect) -> None:
    one, other = await begun(connect)
    async with one.transaction():
        await claim(one, [0], 0, 0)
        with pytest.raises(asyncpg.ForeignKeyViolationError):
            await one.execute(ALERTS["write_changes"], CHANGE)
        with pytest.raises(asyncpg.InFailedSQLTransactionError):
            await one.fetch(SQL["positions"], "topic")
    assert await claim(other, [0], 0, 0) == [0]


@case
async def who_fires_the_same_notable_at_once_waits_and_finds_it_fired(connect: Connect) -> None:
    one, other = await begun(connect)
    notable = ["acme"], ["rule"], ["n1"], [NOW]
    async with one.transaction():
        assert len(await one.fetch(ALERTS["fire"], *notable)) == 1
        waiting = asyncio.ensure_future(other.fetch(ALERTS["fire"], *notable))
        assert await waits(waiting)
    assert list(await waiting) == []


CHANGE = (
    '[{"alert": "al_1", "number": 1, "event": "held", "after": "pending", "why": "w", "actor": "a", '
    '"at": "2026-11-24T12:00:00Z", "before": null, "tells": null}]'
)


@pytest.mark.parametrize("body", CASES, ids=lambda body: body.__name__)
def test_on_the_twin(body: Case) -> None:
    async def main() -> None:
        database = Database(Tables(), Product().find)
        process = Process("test", Random(1))

        async def connect() -> Connection:
            return Connection(database, "alerts", process)

        await body(connect)

    run(main())


@pytest.mark.parametrize("body", CASES, ids=lambda body: body.__name__)
async def test_on_postgres(body: Case, world: World) -> None:
    pool = open_pool(shared_of(world), "alerts", connections_max=2)
    async with pool, contextlib.AsyncExitStack() as stack:

        async def connect() -> Any:
            return await stack.enter_async_context(pool.acquire())

        await body(connect)
