"""Everything that a run asks of the store's twin, in the order in which it was answered; and the same asked anew."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from shared.postgres import named_sql
from tests.pair import World
from tests.simulation.actions import Action
from tests.simulation.running import happen
from tests.simulation.workers import Product, definition
from tests.simulation.world import World as Simulated
from tests.twins.statements import LOOP, Named
from tests.twins.statements_alerts import ALERTS
from tests.twins.statements_scoring import SCORING
from tests.twins.store import Connection
from tests.twins.tables import Found
from tests.twins.virtual_time import run

TWINNED: dict[str, Named] = {"shared.kafka": LOOP, "services.scoring": SCORING, "services.alerts": ALERTS}
STATEMENTS = {
    named_sql.load(package)[name]: f"{package}: {name}" for package, named in TWINNED.items() for name in named
}
ACTS = ("BEGIN", "COMMIT", "ROLLBACK")
MOVED_FROM_OUTSIDE = "SELECT offset_by FROM clock"


@dataclass(frozen=True)
class Asked:
    """One statement, act of a transaction or end of a session, and what the twin answered."""

    session: int
    service: str
    sql: str
    arguments: Sequence[Any]
    answer: Found | BaseException | None


def recorded(plan: Sequence[Action], seed: int) -> list[Asked]:
    """What workers asked while the plan happened. Nothing in it may restore the store: a replay cannot."""
    heard: list[Asked] = []
    sessions: dict[Connection, int] = {}

    def asked(by: Connection, sql: str, arguments: Sequence[Any], answer: Found | BaseException | None) -> None:
        number = sessions.setdefault(by, len(sessions))
        heard.append(Asked(number, by.service, sql, arguments, answer))

    async def main() -> None:
        world = Simulated(Product(), seed)
        world.database.asked = asked
        await happen(world, plan)
        await _ask_what_runs_do_not(world)

    run(main())
    return heard


async def _ask_what_runs_do_not(world: Simulated) -> None:
    """Their catalogue is parsed before, and no look of theirs fails."""
    connection = Connection(world.database, "scoring", world.workers[0].process)
    sql, account = named_sql.load("services.scoring"), world.rows("scoring.published")[0]["account"]
    for version in (definition()["version"], "no such version"):
        await connection.fetch(sql["definition_body"], version)
    await connection.fetch(sql["put_off"], [account, "nobody"], [world.now, world.now])
    await connection.fetch(sql["load_published"], [account])


class Replay:
    """The same sessions on the real server, one statement after the other. `differences` is empty if all is alike."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._sessions: dict[int, asyncpg.Connection] = {}
        self.differences: list[str] = []

    async def ask(self, asked: Iterable[Asked]) -> None:
        for one in asked:
            if one.sql == "CLOSE":
                if one.session in self._sessions:
                    await self._sessions.pop(one.session).close()
                continue
            if one.sql == MOVED_FROM_OUTSIDE:
                continue
            if one.session not in self._sessions:
                self._sessions[one.session] = await self._world.connect(one.service)
            await self._ask(self._sessions[one.session], one)

    async def close(self) -> None:
        await asyncio.gather(*(session.close() for session in self._sessions.values()))

    async def _ask(self, session: asyncpg.Connection, one: Asked) -> None:
        try:
            if one.sql in ACTS:
                await session.execute(one.sql)
                return
            rows: Found | BaseException = [dict(row) for row in await session.fetch(one.sql, *one.arguments)]
        except asyncpg.PostgresError as error:
            rows = error
        if not _alike(one.sql, one.answer, rows):
            name = STATEMENTS.get(one.sql, one.sql)
            self.differences.append(f"{name} {one.arguments!r}\n  twin: {one.answer!r}\n  real: {rows!r}")


def _alike(sql: str, twin: Found | BaseException | None, real: Found | BaseException) -> bool:
    if isinstance(twin, BaseException) or isinstance(real, BaseException):
        return type(twin) is type(real)
    assert twin is not None
    if not real:
        return not twin or ("RETURNING" not in sql.upper() and "SELECT" not in sql.upper())
    columns = real[0].keys()
    mine = [{name: row[name] for name in columns} for row in twin]
    if "ORDER BY" in sql and "INSERT" not in sql:
        return mine == list(real)
    return sorted(mine, key=repr) == sorted(real, key=repr)
