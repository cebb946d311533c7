"""The claim itself, on connections side by side: what counts, what is refused, and that nobody waits in a ring."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from random import Random

import asyncpg
import pytest

from shared.kafka.claim import ClaimLost, LogChanged, Position, check_no_hole, claim
from tests.pair import World

LOG, TOPIC = "cluster/topic", "claimed"
PARTITIONS = 16
CLAIMS_EACH = 150


@contextlib.asynccontextmanager
async def session(world: World, *plans_without: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the service; the planner does without these ways."""
    connection = await world.connect("scoring")
    try:
        for way in plans_without:
            await connection.execute(f"SET enable_{way} = off")
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def sql(world: World) -> AsyncIterator[asyncpg.Connection]:
    """Positions of a topic of its own, lying in the table in no order."""
    async with session(world) as connection:
        for partition in Random(7).sample(range(PARTITIONS), PARTITIONS):
            await connection.execute(
                "INSERT INTO position (log_id, topic, partition, next_offset, seq, partitions) "
                "VALUES ($1, $2, $3, 0, 0, $4)",
                LOG,
                TOPIC,
                partition,
                PARTITIONS,
            )
        yield connection


async def positions(connection: asyncpg.Connection) -> dict[int, Position]:
    rows = await connection.fetch("SELECT partition, next_offset, seq FROM position WHERE topic = $1", TOPIC)
    return {row["partition"]: Position(row["next_offset"], row["seq"]) for row in rows}


async def claimed(
    connection: asyncpg.Connection, known: Mapping[int, Position], to: Mapping[int, int]
) -> dict[int, Position]:
    async with connection.transaction():
        return await claim(connection, LOG, TOPIC, known, to)


async def test_a_claim_moves_offset_and_seq(sql: asyncpg.Connection) -> None:
    known = await positions(sql)
    moved = await claimed(sql, known, {3: 10, 1: 0})
    assert moved == {1: Position(0, 1), 3: Position(10, 1)}
    assert await positions(sql) == known | moved


@pytest.mark.parametrize(
    ("stored", "why"),
    [
        ("next_offset = 5", "a rewound or restored position: seq alone would let it pass"),
        ("seq = seq + 1", "another worker's look, which moves no offset: the offset alone would let it pass"),
        ("log_id = 'another'", "the positions of another log"),
    ],
)
async def test_a_claim_is_refused_whichever_part_of_the_position_differs(
    sql: asyncpg.Connection, stored: str, why: str
) -> None:
    known = await positions(sql)
    await sql.execute(f"UPDATE position SET {stored} WHERE topic = $1 AND partition = 2", TOPIC)
    before = await positions(sql)
    with pytest.raises(ClaimLost, match=r"partitions \[2\]"):
        await claimed(sql, known, {2: 0})
    with pytest.raises(ClaimLost, match=r"partitions \[2\]"):
        await claimed(sql, known, {1: 10, 2: 10, 3: 10})
    assert await positions(sql) == before, f"something was kept in spite of {why}"


async def test_of_two_claims_of_the_same_batch_one_counts(world: World, sql: asyncpg.Connection) -> None:
    known = await positions(sql)
    async with session(world) as one, session(world) as other:
        outcomes = await asyncio.gather(
            *(claimed(connection, known, {0: 7, 1: 7}) for connection in (one, other)), return_exceptions=True
        )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["ClaimLost", "dict"]
    assert {p: at for p, at in (await positions(sql)).items() if p < 2} == {0: Position(7, 1), 1: Position(7, 1)}


async def test_claims_that_overlap_under_different_plans_neither_deadlock_nor_lose_one(
    world: World, sql: asyncpg.Connection
) -> None:
    """An UPDATE alone locks in the order of its plan; two of them that were merely given sorted arrays deadlock."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    won: Counter[int] = Counter()

    async def claims(connection: asyncpg.Connection, chosen: Random) -> None:
        for _ in range(CLAIMS_EACH):
            partitions = chosen.sample(range(PARTITIONS), PARTITIONS - 2)
            known = await positions(connection)
            with contextlib.suppress(ClaimLost):
                await claimed(connection, known, {p: known[p].next_offset + 1 for p in partitions})
                won.update(partitions)

    async with (
        session(world, "hashjoin", "mergejoin") as one,
        session(world, "nestloop", "mergejoin", "indexscan", "bitmapscan") as two,
        session(world, "nestloop", "hashjoin") as three,
    ):
        await asyncio.gather(*(claims(session, Random(seed + n)) for n, session in enumerate((one, two, three))))
    assert won.total() > CLAIMS_EACH
    assert await positions(sql) == {p: Position(won[p], won[p]) for p in range(PARTITIONS)}


def test_only_a_log_that_begins_above_the_position_is_a_hole() -> None:
    at = {0: Position(10, 1), 1: Position(10, 1)}
    check_no_hole("scoring", TOPIC, at, {0: 10, 1: 0})
    with pytest.raises(LogChanged, match="3 records are gone: partition 1 wants offset 10 and begins at 13"):
        check_no_hole("scoring", TOPIC, at, {0: 10, 1: 13})
