"""What may go wrong with batches: twice, out of order, cut off, unreadable, raced for. All is told, once by id."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from msgspec.structs import replace

from services.alerts import store
from services.alerts.definitions import load
from services.alerts.domain.alert import Found, Past, Subject
from services.alerts.domain.decision import Decision, Held, on_nothing_open
from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.pair import World
from tests.processes import until
from tests.unit.services.alerts.said import DAY, HOUR, failed_payment, invoice, said, ticket, turned


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Deployed]:
    async with deployed(world) as made:
        yield made


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_the_same_batch_again_changes_nothing(alerts: Deployed, now: datetime) -> None:
    snapshots = [
        said("acme", now - HOUR, notables=[failed_payment("in_1", now, "e1")], records=[invoice("in_1", "failed")]),
        said("acme", now, **turned("red", "yellow", now)),
        said("late", now, records=[ticket("T-1", now - 50 * HOUR)]),
    ]
    async with worker(alerts.world):
        await alerts.say(*snapshots)
        await alerts.messages(None, 3)
        before = await alerts.all_rows()
        await alerts.say(*snapshots)
        await alerts.messages(None, 3)
    assert await alerts.all_rows() == before


async def test_a_position_moved_back_repeats_nothing(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(said("acme", now, **turned("red", "yellow", now)))
        await alerts.messages(None, 1)
    before = await alerts.all_rows()
    await alerts.sql.execute("UPDATE position SET next_offset = 0, seq = seq + 1")
    async with worker(alerts.world):
        await alerts.caught_up()
        await alerts.messages(None, 1)
    assert await alerts.all_rows() == before


async def test_an_older_version_never_wins_but_its_notables_count(alerts: Deployed, now: datetime) -> None:
    newer = said("acme", now)
    older = said(
        "acme",
        now - HOUR,
        **turned("red", "yellow", now - HOUR),
        notables=[failed_payment("in_1", now - HOUR, "e1")],
    )
    async with worker(alerts.world):
        await alerts.say(newer)
        await alerts.say(older)
        # The band is green by now, so red is nobody's alarm any more; the payment failed whatever came after.
        assert short(await alerts.messages(None, 1)) == [("triggered", "payment_failed", "in_1")]
    assert await alerts.sql.fetchval("SELECT version FROM view") == newer.version


async def test_what_is_no_snapshot_is_set_aside_and_holds_up_nobody(alerts: Deployed, now: datetime) -> None:
    topic, broken = alerts.world.topic("health.changes"), (b"{", b"", None, b'{"type": "health.changed", "data": {}}')
    for value in broken:
        await alerts.writer.send_and_wait(topic, value, b"acme", 0)
    async with worker(alerts.world):
        await alerts.say(said("acme", now, **turned("red", "yellow", now)))
        await alerts.messages(None, 1)
    rows = await alerts.sql.fetch("SELECT partition, record_offset, key, value FROM set_aside ORDER BY record_offset")
    assert [tuple(row) for row in rows] == [(0, at, b"acme", value or b"") for at, value in enumerate(broken)]


async def test_what_a_quiet_snapshot_brings_is_opened_and_told_to_nobody(alerts: Deployed, now: datetime) -> None:
    imported = said(
        "acme",
        now,
        **turned("red", "yellow", now),
        records=[ticket("T-1", now - 50 * HOUR)],
        quiet="import",
    )
    async with worker(alerts.world):
        await alerts.say(imported)
        await alerts.messages(None, 0)
        rows = await alerts.alerts()
        assert [(row["rule"], row["state"], row["quiet"], row["told_at"]) for row in rows] == [
            ("band_turned_red", "firing", "import", None),
            ("critical_ticket_open", "firing", "import", None),
        ]
        # Nor is anybody told that it is over.
        await alerts.say(said("acme", now + timedelta(seconds=1)))
        await alerts.messages(None, 0)


async def test_a_live_event_about_a_quiet_alert_is_told(alerts: Deployed, now: datetime) -> None:
    failed = [invoice("in_1", "failed")]
    async with worker(alerts.world):
        first = failed_payment("in_1", now - HOUR, "e1")
        await alerts.say(said("acme", now - HOUR, notables=[first], records=failed, quiet="import"))
        await alerts.messages(None, 0)
        await alerts.say(said("acme", now, notables=[failed_payment("in_1", now, "e2")], records=failed))
        (message,) = await alerts.messages(None, 1)
    assert message["data"]["transition"]["event"] == "quiet_ended"


async def test_a_flapping_band_is_told_once_a_day_and_not_forgotten(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(said("acme", now - 3 * HOUR, **turned("red", "yellow", now - 3 * HOUR)))
        await alerts.say(said("acme", now - 2 * HOUR))
        await alerts.say(said("acme", now - HOUR, **turned("red", "green", now - HOUR)))
        told = short(await alerts.messages(None, 2))
        assert told == [("triggered", "band_turned_red", ""), ("resolved", "band_turned_red", "")]
        (gated,) = await alerts.sql.fetch("SELECT gate, state FROM alert WHERE state <> 'resolved'")
        assert (gated["gate"], gated["state"]) == ("cooldown", "firing")
        await alerts.move_clock_to(DAY)
        messages = await alerts.messages(None, 3)
    assert messages[2]["type"] == "outreach.triggered"
    assert messages[2]["data"]["transition"]["event"] == "gate_ended"


async def test_a_case_that_nobody_works_on_becomes_overdue_once(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(said("acme", now, **turned("red", "yellow", now)))
        await alerts.move_clock_to(25 * HOUR)

        async def is_overdue() -> bool:
            return bool(await alerts.sql.fetchval("SELECT is_overdue FROM work_case"))

        await until(is_overdue, "the case is overdue")
        await alerts.caught_up()
    events = await alerts.sql.fetch(
        "SELECT event, actor FROM change JOIN alert ON id = alert WHERE account = 'acme' ORDER BY number"
    )
    assert [tuple(row) for row in events] == [
        ("triggered", "rule:band_turned_red@1"),
        ("overdue", "rule:band_turned_red@1"),
    ]


async def test_killed_at_work_it_tells_each_thing_once(alerts: Deployed, now: datetime) -> None:
    snapshots = [said(f"a{n}", now, **turned("red", "yellow", now)) for n in range(300)]
    process = start(alerts.world)
    try:
        for at, snapshot in enumerate(snapshots):
            await alerts.send(snapshot)
            if at == len(snapshots) // 2:
                process.kill()
                process.wait()
                process = start(alerts.world)
        messages = await alerts.messages(None, len(snapshots))
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert {message["subject"] for message in messages} == {snapshot.account for snapshot in snapshots}


def start(world: World) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "services.alerts.main", "worker"], env=world.env())


async def test_two_connections_cannot_both_open_an_alert(world: World, now: datetime) -> None:
    catalogue = load()
    rule = catalogue.rules["band_turned_red"]
    found = Found(holds=1, words="band went from yellow to red")
    made = on_nothing_open(rule, catalogue.playbook_of(rule), Subject(0, "acme", "", "ana"), found, Past(), now=now)
    assert made is not None
    # The other one believes that there has been an opening before, so that its id differs.
    alert = replace(made.held.alert, id="al_other", n=2)
    rival = Decision(Held(alert), tuple(replace(change, alert=alert.id) for change in made.changes))
    first, second = await world.connect("alerts"), await world.connect("alerts")
    try:
        outcomes = await asyncio.gather(written(first, made), written(second, rival))
        assert sorted(outcomes) == ["alert_one_open", "written"]
        assert await first.fetchval("SELECT count(*) FROM alert WHERE state <> 'resolved'") == 1
    finally:
        await first.close()
        await second.close()


async def written(connection: asyncpg.Connection, decision: Decision) -> str:
    try:
        async with connection.transaction():
            await store.write(connection, [decision])
            await asyncio.sleep(0)  # let the other one begin
    except asyncpg.UniqueViolationError as lost:
        return str(lost.constraint_name)
    return "written"
