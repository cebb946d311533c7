"""Each rule of the catalogue on real servers: it opens at its edge and not before it.

The tests share a deployment, each with an account of its own.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from services.cli.embedded.pair import Addresses
from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.pair import new_world
from tests.unit.services.alerts.said import DAY, HOUR, band, failed_payment, invoice, said, ticket, turned

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alerts(pair: Addresses) -> AsyncIterator[Deployed]:
    async with new_world(pair, "rules_") as world, deployed(world) as made, worker(world):
        yield made


@pytest.fixture
def acme(request: pytest.FixtureRequest) -> str:
    """An account that no other test has."""
    return str(request.node.name)


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_a_band_that_worsens_is_told_with_all_one_needs(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR))
    await alerts.say(said(acme, now, **turned("red", "yellow", now)))
    (message,) = await alerts.messages(acme, 1)
    data = message["data"]
    assert message["key"] == acme.encode()
    assert message["type"] == "outreach.triggered"
    assert message["id"] == f"{data['alert']}.1"
    assert data["rule"] == "band_turned_red"
    assert data["words"] == "band went from yellow to red"
    assert data["transition"] == {
        "from": None, "to": "firing", "event": "triggered", "why": "band went from yellow to red",
    }  # fmt: skip
    assert (data["score"], data["previous_score"], data["band"]) == (41.25, 62.75, "red")
    assert data["previous_score"] + sum(delta["points"] for delta in data["deltas"]) == data["score"]
    assert (data["owner"], data["name"], data["arr"]) == ("ana", "Acme GmbH", {"amount": "48000.00", "currency": "EUR"})
    assert (data["priority"], data["cause"], data["model"], data["quiet"]) == ("urgent", "behaviour", "health@1", None)
    assert data["playbook"]["id"] == "save_plan"
    assert [step["audience"] for step in data["playbook"]["steps"]] == ["owner", "team", "customer"]
    due = datetime.fromisoformat(data["due_at"]) - datetime.fromisoformat(data["opened_at"])
    assert due == DAY


async def test_a_band_that_improves_to_yellow_is_nobodys_alarm(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now, **turned("yellow", "red", now)))
    await alerts.messages(acme, 0)


async def test_yellow_then_red_is_told_twice_and_yellow_ends(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR, **turned("yellow", "green", now - HOUR)))
    await alerts.say(said(acme, now, **turned("red", "yellow", now)))
    told = sorted(short(await alerts.messages(acme, 3)))
    assert told == [
        ("resolved", "band_turned_yellow", ""),
        ("triggered", "band_turned_red", ""),
        ("triggered", "band_turned_yellow", ""),
    ]


async def test_a_recovery_ends_the_alarm_and_is_good_news(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR, **turned("red", "yellow", now - HOUR)))
    await alerts.say(said(acme, now, **turned("green", "red", now)))
    messages = await alerts.messages(acme, 3)
    assert sorted(short(messages)) == [
        ("resolved", "band_turned_red", ""),
        ("triggered", "band_recovered", ""),
        ("triggered", "band_turned_red", ""),
    ]
    (end,) = [m for m in messages if m["type"] == "outreach.resolved"]
    assert end["data"]["transition"] == {
        "from": "firing", "to": "resolved", "event": "cleared", "why": "no longer: band went from yellow to red",
    }  # fmt: skip


async def test_a_band_that_changed_before_max_age_is_history(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(f"{acme}.old", now, **turned("red", "green", now - 25 * HOUR)))
    await alerts.say(said(acme, now, **turned("red", "green", now - 23 * HOUR)))
    assert short(await alerts.messages(acme, 1)) == [("triggered", "band_turned_red", "")]
    await alerts.messages(f"{acme}.old", 0)


async def test_each_invoice_has_its_own_alert_until_it_is_paid(alerts: Deployed, acme: str, now: datetime) -> None:
    first = said(
        acme,
        now - 2 * HOUR,
        notables=[failed_payment("in_1", now - 2 * HOUR, "e1"), failed_payment("in_2", now - 2 * HOUR, "e2")],
        records=[invoice("in_1", "failed"), invoice("in_2", "failed")],
    )
    again = said(
        acme,
        now - HOUR,
        notables=[failed_payment("in_1", now - HOUR, "e3")],
        records=[invoice("in_1", "failed"), invoice("in_2", "failed")],
    )
    paid = said(acme, now, records=[invoice("in_1", "paid"), invoice("in_2", "failed")])
    await alerts.say(first)
    await alerts.say(again)
    await alerts.say(paid)
    messages = await alerts.messages(acme, 3)
    assert sorted(short(messages)) == [
        ("resolved", "payment_failed", "in_1"),
        ("triggered", "payment_failed", "in_1"),
        ("triggered", "payment_failed", "in_2"),
    ]
    assert messages[0]["data"]["triggered_by"] in (["e1"], ["e2"])


async def test_a_critical_ticket_is_told_from_48_hours_on(alerts: Deployed, acme: str, now: datetime) -> None:
    tickets = [
        ticket("old", now - 48 * HOUR),
        ticket("young", now - 47 * HOUR),
        ticket("calm", now - 90 * HOUR, priority="high"),
        ticket("over", now - 90 * HOUR, status="solved"),
    ]
    await alerts.say(said(acme, now, records=tickets))
    (message,) = await alerts.messages(acme, 1)
    assert short([message]) == [("triggered", "critical_ticket_open", "old")]
    assert message["data"]["words"] == "ticket old: priority is urgent and opened was at least 2 days ago"


async def test_a_ticket_that_is_no_longer_declared_is_over(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR, records=[ticket("T-1", now - 50 * HOUR)]))
    await alerts.say(said(acme, now))
    assert short(await alerts.messages(acme, 2))[1] == ("resolved", "critical_ticket_open", "T-1")


async def test_a_ticket_left_out_for_lack_of_room_is_not_over(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR, records=[ticket("T-1", now - 50 * HOUR)]))
    await alerts.say(said(acme, now, records_left_out=3))
    await alerts.messages(acme, 1)


async def test_usage_ends_silence_and_that_is_said(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now - HOUR, instants={"last_usage_at": now - 11 * DAY}))
    await alerts.say(said(acme, now))
    assert short(await alerts.messages(acme, 2)) == [
        ("triggered", "went_silent", ""),
        ("resolved", "went_silent", ""),
    ]


async def test_who_has_left_is_not_silent(alerts: Deployed, acme: str, now: datetime) -> None:
    gone = {"band": band("red", now - 50 * DAY), "lifecycle": band("churned", now - 20 * DAY)}
    await alerts.say(said(acme, now, statuses=gone, instants={"last_usage_at": now - 11 * DAY}))
    await alerts.messages(acme, 0)


async def test_a_term_that_has_ended_opens_no_window(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now, instants={"term_end": now - HOUR, "last_usage_at": now}))
    await alerts.messages(acme, 0)


async def test_an_account_without_owner_goes_to_the_playbooks_queue(alerts: Deployed, acme: str, now: datetime) -> None:
    await alerts.say(said(acme, now, owner=None, **turned("red", "green", now)))
    (message,) = await alerts.messages(acme, 1)
    assert message["data"]["owner"] == "queue:at_risk"
