"""Each rule of the catalogue on real servers: it opens at its edge and not before it."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.pair import World
from tests.unit.services.alerts.said import DAY, HOUR, band, failed_payment, invoice, said, ticket, turned


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Deployed]:
    async with deployed(world) as made, worker(world):
        yield made


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_a_band_that_worsens_is_told_with_all_that_a_person_needs(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR))
    await alerts.say(said("acme", now, **turned("red", "yellow", now)))
    (message,) = await alerts.messages(1)
    data = message["data"]
    assert message["key"] == b"acme"
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


async def test_a_band_that_improves_to_yellow_is_nobodys_alarm(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now, **turned("yellow", "red", now)))
    await alerts.messages(0)


async def test_yellow_then_red_is_told_twice_and_yellow_ends_by_itself(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR, **turned("yellow", "green", now - HOUR)))
    await alerts.say(said("acme", now, **turned("red", "yellow", now)))
    told = sorted(short(await alerts.messages(3)))
    assert told == [
        ("resolved", "acme", "band_turned_yellow", ""),
        ("triggered", "acme", "band_turned_red", ""),
        ("triggered", "acme", "band_turned_yellow", ""),
    ]


async def test_a_recovery_resolves_the_alarm_and_is_told_as_good_news(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR, **turned("red", "yellow", now - HOUR)))
    await alerts.say(said("acme", now, **turned("green", "red", now)))
    messages = await alerts.messages(3)
    assert sorted(short(messages)) == [
        ("resolved", "acme", "band_turned_red", ""),
        ("triggered", "acme", "band_recovered", ""),
        ("triggered", "acme", "band_turned_red", ""),
    ]
    (end,) = [m for m in messages if m["type"] == "outreach.resolved"]
    assert end["data"]["transition"] == {
        "from": "firing", "to": "resolved", "event": "cleared", "why": "no longer: band went from yellow to red",
    }  # fmt: skip


async def test_a_band_that_changed_before_the_rules_max_age_is_history(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("old", now, **turned("red", "green", now - 25 * HOUR)))
    await alerts.say(said("new", now, **turned("red", "green", now - 23 * HOUR)))
    assert short(await alerts.messages(1)) == [("triggered", "new", "band_turned_red", "")]


async def test_each_invoice_has_its_own_alert_and_a_paid_one_ends_its_own(alerts: Deployed, now: datetime) -> None:
    first = said(
        "acme",
        now - 2 * HOUR,
        notables=[failed_payment("in_1", now - 2 * HOUR, "e1"), failed_payment("in_2", now - 2 * HOUR, "e2")],
        records=[invoice("in_1", "failed"), invoice("in_2", "failed")],
    )
    again = said(
        "acme",
        now - HOUR,
        notables=[failed_payment("in_1", now - HOUR, "e3")],
        records=[invoice("in_1", "failed"), invoice("in_2", "failed")],
    )
    paid = said("acme", now, records=[invoice("in_1", "paid"), invoice("in_2", "failed")])
    await alerts.say(first)
    await alerts.say(again)
    await alerts.say(paid)
    assert sorted(short(await alerts.messages(3))) == [
        ("resolved", "acme", "payment_failed", "in_1"),
        ("triggered", "acme", "payment_failed", "in_1"),
        ("triggered", "acme", "payment_failed", "in_2"),
    ]
    assert alerts.heard[0]["data"]["triggered_by"] in (["e1"], ["e2"])


async def test_a_critical_ticket_is_told_once_it_is_open_for_48_hours(alerts: Deployed, now: datetime) -> None:
    tickets = [
        ticket("old", now - 48 * HOUR),
        ticket("young", now - 47 * HOUR),
        ticket("calm", now - 90 * HOUR, priority="high"),
        ticket("over", now - 90 * HOUR, status="solved"),
    ]
    await alerts.say(said("acme", now, records=tickets))
    assert short(await alerts.messages(1)) == [("triggered", "acme", "critical_ticket_open", "old")]
    assert alerts.heard[0]["data"]["words"] == "ticket old: priority is urgent and opened was at least 2 days ago"
    await alerts.move_clock_to(HOUR)
    assert short(await alerts.messages(2))[1] == ("triggered", "acme", "critical_ticket_open", "young")
    assert alerts.heard[1]["data"]["cause"] == "time"


async def test_a_ticket_that_is_no_longer_declared_is_over(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR, records=[ticket("T-1", now - 50 * HOUR)]))
    await alerts.say(said("acme", now))
    assert short(await alerts.messages(2))[1] == ("resolved", "acme", "critical_ticket_open", "T-1")


async def test_a_ticket_left_out_for_lack_of_room_is_not_over(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR, records=[ticket("T-1", now - 50 * HOUR)]))
    await alerts.say(said("acme", now, records_left_out=3))
    await alerts.messages(1)


async def test_silence_is_told_without_an_event_of_the_account_while_others_go_on(
    alerts: Deployed, now: datetime
) -> None:
    await alerts.say(said("silent", now), said("busy", now))
    await alerts.move_clock_to(10 * DAY)
    later = now + 10 * DAY
    await alerts.say(said("busy", later - HOUR))
    await alerts.messages(0)
    await alerts.say(said("busy", later + HOUR))
    (message,) = await alerts.messages(1)
    assert short([message]) == [("triggered", "silent", "went_silent", "")]
    assert message["data"]["cause"] == "time"


async def test_when_the_whole_stream_stops_nobody_is_silent(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("one", now), said("two", now))
    await alerts.move_clock_to(30 * DAY)
    stale = {"product.usage": now, "billing.events": now + 30 * DAY}
    await alerts.say(
        said("one", now + 30 * DAY, freshness=stale, instants={"last_usage_at": now}),
    )
    await alerts.messages(0)


async def test_usage_ends_silence_and_that_is_said(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now - HOUR, instants={"last_usage_at": now - 11 * DAY}))
    await alerts.say(said("acme", now))
    assert short(await alerts.messages(2)) == [
        ("triggered", "acme", "went_silent", ""),
        ("resolved", "acme", "went_silent", ""),
    ]


async def test_who_has_left_is_not_silent(alerts: Deployed, now: datetime) -> None:
    gone = {"band": band("red", now - 50 * DAY), "lifecycle": band("churned", now - 20 * DAY)}
    await alerts.say(said("acme", now, statuses=gone, instants={"last_usage_at": now - 11 * DAY}))
    await alerts.messages(0)


async def test_the_renewal_window_opens_by_segment(alerts: Deployed, now: datetime) -> None:
    days = {"smb": 45, "mid_market": 90, "enterprise": 90, "other": 120}
    for segment, window in days.items():
        statuses = {} if segment == "other" else {"segment": band(segment, now - DAY)}
        ends = {"term_end": now + window * DAY + HOUR, "last_usage_at": now}
        await alerts.say(said(segment, now, statuses=statuses, instants=ends))
    await alerts.messages(0)
    await alerts.move_clock_to(2 * HOUR)
    told = {message["subject"]: message["data"] for message in await alerts.messages(4)}
    assert {data["rule"] for data in told.values()} == {"renewal_window"}
    assert {segment: data["words"] for segment, data in told.items()} == {
        segment: f"term end is at most {window} days away" for segment, window in days.items()
    }


async def test_a_term_that_has_ended_opens_no_window(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now, instants={"term_end": now - HOUR, "last_usage_at": now}))
    await alerts.messages(0)


async def test_an_account_without_owner_goes_to_the_playbooks_queue(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now, owner=None, **turned("red", "green", now)))
    (message,) = await alerts.messages(1)
    assert message["data"]["owner"] == "queue:at_risk"
