"""A broken pipe is not silence: a stream that stops raises one company alert and holds what rests on it."""

import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.alerts.domain.evaluation import COMPANY
from shared.contracts.health import Snapshot
from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.integration.alerts.test_batches import start
from tests.pair import World
from tests.processes import until
from tests.unit.services.alerts.said import DAY, HOUR, MINUTE, said

pytestmark = pytest.mark.slow

STOPPED = 25 * HOUR  # by now usage counts as stopped
TOLD = STOPPED + 21 * MINUTE  # and by now somebody has been told


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Deployed]:
    async with deployed(world) as made:
        yield made


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


def everywhere(alerts: Deployed, at: datetime, **fields: Any) -> list[Snapshot]:
    """One account in each partition says that usage was heard at `at`."""
    busy = [alerts.account_in(partition, "busy") for partition in range(alerts.world.partitions)]
    return [said(account, at, **fields) for account in busy]


async def is_pending(alerts: Deployed, openings: int = 1) -> None:
    async def opened() -> bool:
        found = await alerts.sql.fetchval("SELECT count(*) FROM alert WHERE account = $1", COMPANY)
        return bool(found == openings)

    await until(opened, "the company alert is pending")


async def stop_the_pipe(alerts: Deployed) -> None:
    """Time passes and nothing comes."""
    await alerts.move_clock_to(STOPPED)
    await is_pending(alerts)
    await alerts.move_clock_to(TOLD)


async def test_a_stream_that_stops_is_told_once_and_resolves_itself(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(*everywhere(alerts, now))
        await alerts.move_clock_to(STOPPED)
        await is_pending(alerts)
        await alerts.messages(None, 0)
        await alerts.move_clock_to(TOLD)
        (told,) = await alerts.messages(None, 1)
        assert short([told]) == [("triggered", "source_stalled", "product.usage")]
        data = told["data"]
        assert (told["subject"], data["words"]) == (COMPANY, "nothing of product.usage has reached us for 25 hours")
        assert (data["cause"], data["owner"], data["playbook"]["id"]) == ("time", "queue:data", "mend_the_pipe")
        await alerts.say(said(alerts.account_in(0, "busy"), now + TOLD))
        await alerts.move_clock_to(TOLD + 2 * MINUTE)
        assert short(await alerts.messages(None, 2))[1] == ("resolved", "source_stalled", "product.usage")
        # The next time it is another opening.
        await alerts.move_clock_to(TOLD + STOPPED)
        await is_pending(alerts, 2)
        await alerts.move_clock_to(TOLD + TOLD)
        again = (await alerts.messages(None, 3))[2]
    assert again["data"]["alert"] != data["alert"]
    assert await alerts.violations(moved_by=3 * DAY) == []


async def test_many_workers_restarted_and_killed_raise_one_alert(alerts: Deployed, now: datetime) -> None:
    processes = [start(alerts.world) for _ in range(2)]
    try:
        async with worker(alerts.world):
            await alerts.say(*everywhere(alerts, now))
            await alerts.move_clock_to(STOPPED)
            await is_pending(alerts)
            processes[0].kill()
            processes[0].wait()
            processes[0] = start(alerts.world)
            await alerts.move_clock_to(TOLD)
            await alerts.messages(COMPANY, 1)
        async with worker(alerts.world):
            await alerts.move_clock_to(TOLD + 3 * HOUR)
            await alerts.messages(None, 1)
            await alerts.say(*everywhere(alerts, now + TOLD + 3 * HOUR))
            await alerts.move_clock_to(TOLD + 3 * HOUR + 2 * MINUTE)
            told = short(await alerts.messages(None, 2))
    finally:
        for process in processes:
            process.send_signal(signal.SIGTERM)
            process.wait(10)
    assert [kind for kind, _, _ in told] == ["triggered", "resolved"]
    assert await alerts.violations(moved_by=2 * DAY) == []


async def test_the_silent_are_told_once_and_only_when_the_stream_is_heard_again(
    alerts: Deployed, now: datetime
) -> None:
    quiet, back = alerts.account_in(1, "quiet"), alerts.account_in(1, "back")
    crossing = {"last_usage_at": now - 10 * DAY + HOUR}
    async with worker(alerts.world):
        await alerts.say(*everywhere(alerts, now), *(said(one, now, instants=crossing) for one in (quiet, back)))
        await stop_the_pipe(alerts)
        assert [m["subject"] for m in await alerts.messages(None, 1)] == [COMPANY]
        # What was missed comes first, in its order, and with it that one of the two had been there all the time.
        await alerts.say(said(back, now + HOUR / 2))
        await alerts.say(*everywhere(alerts, now + TOLD))
        assert short(await alerts.messages(quiet, 1)) == [("triggered", "went_silent", "")]
        await alerts.messages(back, 0)
    assert await alerts.violations(moved_by=2 * DAY) == []


async def test_what_opens_while_its_stream_has_stopped_waits_behind_a_gate(alerts: Deployed, now: datetime) -> None:
    accounts = still, over = alerts.account_in(2, "still"), alerts.account_in(2, "over")
    silent = {"last_usage_at": now - 11 * DAY}
    async with worker(alerts.world):
        await alerts.say(*everywhere(alerts, now))
        await stop_the_pipe(alerts)
        await alerts.messages(None, 1)
        stale = {"product.usage": now, "billing.events": now + TOLD}
        await alerts.say(*(said(one, now + TOLD, instants=silent, freshness=stale) for one in accounts))
        await alerts.messages(None, 1)
        gates = await alerts.sql.fetch("SELECT account, state, gate, gate_until FROM alert WHERE rule = 'went_silent'")
        assert sorted(map(tuple, gates)) == sorted((one, "firing", "source_stalled", None) for one in accounts)
        # A sign of life that is itself older than a day changes nothing.
        late = {"product.usage": now + HOUR / 2}
        await alerts.say(said(alerts.account_in(2, "busy"), now + TOLD, freshness=late))
        await alerts.messages(None, 1)
        await alerts.say(said(over, now + TOLD + MINUTE))
        assert short(await alerts.messages(still, 1)) == [("triggered", "went_silent", "")]
        await alerts.messages(over, 0)
        await alerts.move_clock_to(TOLD + 2 * MINUTE)
        await alerts.messages(COMPANY, 2)
    states = {row["account"]: (row["state"], row["gate"]) for row in await alerts.alerts()}
    assert (states[still], states[over]) == (("firing", None), ("resolved", None))
    assert await alerts.violations(moved_by=2 * DAY) == []


async def test_a_backlog_that_is_not_read_yet_makes_nobody_silent(alerts: Deployed, now: datetime) -> None:
    quiet, beside, elsewhere = (alerts.account_in(p, name) for p, name in ((3, "quiet"), (3, "beside"), (0, "else")))
    later = now + 10 * DAY
    async with worker(alerts.world):
        await alerts.say(*(said(one, now) for one in (quiet, beside, elsewhere)))
    await alerts.move_clock_to(10 * DAY + HOUR)
    await alerts.send(said(elsewhere, later + HOUR))
    for hour in range(1, 200):  # the news of others first, then that it was used again, then what comes after
        await alerts.send(said(beside, now + hour * HOUR))
    await alerts.send(said(quiet, now + 200 * HOUR))
    await alerts.send(said(beside, later + HOUR))
    async with worker(alerts.world, records_max=2):  # so slowly that looks fall due meanwhile
        await alerts.caught_up()
        await alerts.messages(None, 0)
    assert await alerts.violations(moved_by=11 * DAY) == []


async def test_who_was_down_reads_what_waits_before_calling_anybody(alerts: Deployed, now: datetime) -> None:
    async with worker(alerts.world):
        await alerts.say(*everywhere(alerts, now))
    await alerts.move_clock_to(STOPPED)
    for hour in range(1, 25):
        for snapshot in everywhere(alerts, now + hour * HOUR):
            await alerts.send(snapshot)
    async with worker(alerts.world, records_max=10):
        await alerts.caught_up()
        await alerts.move_clock_to(TOLD)
        await alerts.messages(None, 0)
    assert await alerts.violations(moved_by=2 * DAY) == []
