"""Whoever else is at work: a worker that was stopped and wakes up, people, an older backup. All is told, once by id."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from shared.http.auth import create_key
from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.integration.alerts.test_api import answering, client, serve
from tests.integration.alerts.test_batches import start
from tests.pair import World
from tests.processes import until
from tests.reading import everything
from tests.unit.services.alerts.said import DAY, HOUR, MINUTE, said, ticket, turned

pytestmark = pytest.mark.slow

TABLES = ("view", "look", "stream_freshness", "fired", "alert", "change", "work_case", "step", "position", "outbox")


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Deployed]:
    async with deployed(world) as made:
        yield made


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_a_stopped_worker_that_wakes_up_tells_nothing_twice(alerts: Deployed, now: datetime) -> None:
    accounts = [f"a{n}" for n in range(40)]
    first = start(alerts.world)
    try:
        await alerts.say(*(said(one, now - HOUR, **turned("red", "yellow", now - HOUR)) for one in accounts))
        first.send_signal(signal.SIGSTOP)
        async with worker(alerts.world):
            await alerts.say(*(said(one, now) for one in accounts[:20]))
            first.send_signal(signal.SIGCONT)
            await alerts.say(*(said(one, now) for one in accounts[20:]))
            await alerts.messages(None, 80)
            await alerts.say(said("last", now, **turned("red", "yellow", now)))
            told = await alerts.messages(None, 81)
    finally:
        first.kill()
        first.wait()
    assert Counter((m["subject"], m["type"]) for m in told).most_common(1)[0][1] == 1
    assert await alerts.violations(timedelta()) == []


async def test_people_and_the_worker_change_the_same_alerts_at_once(alerts: Deployed, now: datetime) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    accounts = [f"a{n}" for n in range(25)]
    port, process = serve(alerts.world)
    key = await create_key(alerts.sql, "crm")
    try:
        async with worker(alerts.world), client(port, key) as http:
            await answering(http)
            await alerts.say(*(said(one, now - HOUR, **turned("red", "yellow", now - HOUR)) for one in accounts))
            opened = {m["subject"]: m["data"]["alert"] for m in await alerts.messages(None, len(accounts))}
            wanted = [(alert, chance.choice(VERBS)) for alert in opened.values() for _ in range(3)]
            ends = [alerts.send(said(one, now)) for one in chance.sample(accounts, 15)]
            answers = await asyncio.gather(*(act(http, alert, verb) for alert, verb in wanted), *ends)
            assert {status for status in answers if status is not None} <= {200, 409}
            await alerts.caught_up()
            resolved = await alerts.sql.fetchval("SELECT count(*) FROM change WHERE tells = 'resolved'")
            await alerts.messages(None, len(accounts) + resolved)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)
    assert resolved >= 15
    assert await alerts.violations(timedelta()) == []


VERBS = ("start", "snooze", "done", "decline")


async def act(http: httpx.AsyncClient, alert: str, verb: str) -> int:
    bodies: dict[str, Any] = {
        "snooze": {"until": (datetime.now(UTC) + DAY).isoformat(), "reason": "not now"},
        "done": {"outcome": "called"},
        "decline": {"reason": "already_handled"},
    }
    return (await http.post(f"/v1/outreach/{alert}/{verb}", json=bodies.get(verb))).status_code


async def test_a_batch_waits_for_the_person_who_was_first(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(said("acme", now - HOUR, **turned("red", "yellow", now - HOUR)))
        await alerts.messages(None, 1)
        person = await alerts.world.connect("alerts")
        try:
            async with person.transaction():
                await person.execute("SELECT * FROM alert FOR UPDATE")
                await alerts.send(said("acme", now))
                await until(lambda: waits(alerts), "the batch waits for the row")
                await person.execute("UPDATE work_case SET started_at = now(), started_by = 'user:ana'")
            assert short(await alerts.messages(None, 2))[1] == ("resolved", "band_turned_red", "")
        finally:
            await person.close()
    # The case that somebody had taken stays with them.
    assert await alerts.sql.fetchval("SELECT state FROM work_case") == "open"
    assert await alerts.violations(timedelta()) == []


async def waits(alerts: Deployed) -> bool:
    return bool(await alerts.sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"))


async def test_a_restore_repeats_ids_and_openings(alerts: Deployed, now: datetime) -> None:
    def red(account: str, at: datetime) -> Any:
        return said(account, at, **turned("red", "green", at), records=[ticket("T-1", now - 50 * HOUR)])

    async with worker(alerts.world, records_max=1):
        await alerts.say(red("ends", now - 3 * HOUR), red("stays", now - 3 * HOUR), said("later", now - 3 * HOUR))
        await alerts.messages(None, 4)
    await save(alerts)
    early = await told_ids(alerts)
    async with worker(alerts.world, records_max=1):
        await alerts.say(said("ends", now - 2 * HOUR), red("later", now - 2 * HOUR))
        await alerts.say(red("ends", now - HOUR), said("later", now - HOUR))
        await alerts.say(red("new", now))
        await alerts.messages(None, 13)
    told, openings = await told_ids(alerts), await all_openings(alerts)
    await restore(alerts)
    assert len(await all_openings(alerts)) == 4 < len(openings)
    # Record by record, as they came: what is over before it is read again opens nothing.
    async with worker(alerts.world, records_max=1):

        async def said_again() -> bool:
            now_told = await told_ids(alerts)
            return all(now_told[one] == 2 for one in told.keys() - early.keys())

        await until(said_again, "what came after the backup is said again")
        await alerts.caught_up()
    assert (await told_ids(alerts)).keys() == told.keys()  # not a single new one
    assert await all_openings(alerts) == openings


async def save(alerts: Deployed) -> None:
    for table in TABLES:
        await alerts.sql.execute(f"CREATE TABLE backup_{table} AS TABLE {table}")


async def restore(alerts: Deployed) -> None:
    """As from a backup that is older than what was done since."""
    await alerts.sql.execute(f"TRUNCATE {', '.join(TABLES)}")
    for table in TABLES:
        await alerts.sql.execute(f"INSERT INTO {table} OVERRIDING SYSTEM VALUE TABLE backup_{table}")


async def told_ids(alerts: Deployed) -> Counter[tuple[str, str, str, str]]:
    """How often each message stands in the topic: its id, and what it says of which subject."""
    topic = alerts.world.topic("outreach.events")
    messages = [msgspec.json.decode(record.value) async for record in everything(alerts.world.bootstrap, topic)]
    return Counter((m["id"], m["type"], m["data"]["rule"], m["subject"]) for m in messages)


async def all_openings(alerts: Deployed) -> set[tuple[str, str, str, str, int, str]]:
    rows = await alerts.alerts()
    return {(row["id"], row["account"], row["rule"], row["key"], row["n"], row["state"]) for row in rows}


async def test_a_look_that_fails_is_put_off_and_the_others_go_on(alerts: Deployed, now: datetime) -> None:
    accounts = [f"a{n}" for n in range(10)]
    async with worker(alerts.world):
        await alerts.say(*(said(one, now, records=[ticket("T-1", now - 47 * HOUR)]) for one in accounts))
        good = await alerts.sql.fetchval("SELECT message FROM view WHERE account = 'a3'")
        await alerts.sql.execute("UPDATE view SET message = 'broken' WHERE account = 'a3'")
        await alerts.move_clock_to(HOUR)
        assert {m["subject"] for m in await alerts.messages(None, 9)} == {*accounts} - {"a3"}
        (at,) = [row["at"] for row in await alerts.sql.fetch("SELECT at FROM look WHERE account = 'a3'")]
        assert 14 * MINUTE < at - (datetime.now(UTC) + HOUR) < 15 * MINUTE
        await alerts.sql.execute("UPDATE view SET message = $1 WHERE account = 'a3'", good)
        await alerts.messages(None, 9)
        await alerts.move_clock_to(HOUR + 15 * MINUTE)
        assert (await alerts.messages("a3", 1))[0]["data"]["cause"] == "time"
    assert await alerts.violations(moved_by=DAY) == []
