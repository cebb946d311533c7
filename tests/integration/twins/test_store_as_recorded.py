"""The store's twin answers as Postgres does: whatever simulated workers asked of it is asked of the real one too."""

import asyncio
from collections import Counter

import pytest

from tests.integration.twins.recorded import STATEMENTS, Replay, recorded
from tests.pair import World
from tests.simulation.actions import (
    Action,
    BrokerAway,
    CutAcks,
    EndImport,
    Kill,
    MoveClock,
    Pass,
    Send,
    SendAgain,
    SendUnreadable,
    Start,
    StoreAway,
    Zombie,
)
from tests.simulation.events import KINDS, Told

pytestmark = pytest.mark.slow

ALL_KINDS = Send(tuple(Told(number % 3, number, 5 * number) for number in range(len(KINDS))))
IMPORT = Send(tuple(Told(1, kind, 900 - 24 * kind, is_import=True) for kind in range(len(KINDS))))
PLAN: list[Action] = [
    ALL_KINDS,
    Pass(3.0),
    Start("scoring"),
    Start("alerts"),
    SendAgain(3),
    IMPORT,
    SendUnreadable(1),
    Pass(1.0),
    CutAcks("scoring", 0, (True, False)),
    ALL_KINDS,
    EndImport(1),
    Kill("scoring", 1),
    Zombie("scoring", 0, 20, ALL_KINDS),
    SendAgain(5),
    MoveClock(400),
    CutAcks("alerts", 0, (False,)),
    StoreAway(2.0),
    Zombie("alerts", 0, 20, ALL_KINDS),
    Kill("alerts", 0),
    BrokerAway(2.0),
]


@pytest.mark.parametrize("seed", [1, 2])
async def test_postgres_answers_as_its_twin_did(world: World, seed: int) -> None:
    connection = await world.connect("scoring")
    await connection.execute("UPDATE identity_key SET key = $1", bytes(range(32)))
    await connection.close()
    replay = Replay(world)
    try:
        await replay.ask(await asyncio.to_thread(recorded, PLAN, seed))  # it runs an event loop of its own
    finally:
        await replay.close()
    assert replay.differences[:3] == []


def test_a_run_asks_every_statement_that_has_a_twin() -> None:
    asked = Counter(STATEMENTS[one.sql] for one in recorded(PLAN, 1) if one.sql in STATEMENTS)
    print(asked)
    assert sorted(set(STATEMENTS.values()) - asked.keys()) == []
