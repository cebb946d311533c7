"""Time alone opens alerts: with the clock moved, not with a sleep."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.pair import World
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, MINUTE, band, said, ticket


@pytest.fixture
async def alerts(world: World) -> AsyncIterator[Deployed]:
    async with deployed(world) as made, worker(world):
        yield made


@pytest.fixture
def now() -> datetime:
    return datetime.now(UTC)


async def test_silence_is_told_without_an_event_of_the_account_while_others_go_on(
    alerts: Deployed, now: datetime
) -> None:
    silent, busy = alerts.account_in(1, "silent"), alerts.account_in(1, "busy")
    await alerts.say(said(silent, now), said(busy, now))
    await alerts.move_clock_to(10 * DAY)
    later = now + 10 * DAY
    await alerts.say(said(busy, later - HOUR))
    await alerts.messages(None, 0)
    await alerts.say(said(busy, later + HOUR))
    (message,) = await alerts.messages(silent, 1)
    assert short([message]) == [("triggered", "went_silent", "")]
    assert message["data"]["cause"] == "time"


async def test_what_another_partition_has_shown_makes_nobody_silent(alerts: Deployed, now: datetime) -> None:
    silent, beside, elsewhere = (alerts.account_in(p, name) for p, name in ((1, "silent"), (1, "busy"), (2, "busy")))
    edge = now + 10 * DAY
    # Tickets that come of age one after the other show that looks of the partition have been made since.
    ages = [ticket(f"T-{n}", edge + HOUR + n * MINUTE - 48 * HOUR) for n in (2, 4)]
    await alerts.say(said(silent, now), said(beside, now), said(elsewhere, now))
    await alerts.say(said(alerts.account_in(1, "ages"), now, records=ages, instants={}))
    await alerts.move_clock_to(10 * DAY + HOUR)
    await alerts.say(said(elsewhere, edge + HOUR))
    await alerts.move_clock_to(10 * DAY + HOUR + 3 * MINUTE)
    await alerts.messages(None, 1)
    await alerts.say(said(beside, edge - MICROSECOND))
    await alerts.move_clock_to(10 * DAY + HOUR + 5 * MINUTE)
    await alerts.messages(None, 2)
    await alerts.say(said(beside, edge))
    told = short(await alerts.messages(None, 3))
    assert [rule for _, rule, _ in told] == ["critical_ticket_open", "critical_ticket_open", "went_silent"]
    assert await alerts.violations(moved_by=11 * DAY) == []


async def test_when_the_whole_stream_stops_nobody_is_silent(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("one", now), said("two", now))
    await alerts.move_clock_to(30 * DAY)
    stale = {"product.usage": now, "billing.events": now + 30 * DAY}
    await alerts.say(
        said("one", now + 30 * DAY, freshness=stale, instants={"last_usage_at": now}),
    )
    await alerts.messages(None, 0)


async def test_the_renewal_window_opens_by_segment(alerts: Deployed, now: datetime) -> None:
    days = {"smb": 45, "mid_market": 90, "enterprise": 120, "other": 90}
    for segment, window in days.items():
        statuses = {} if segment == "other" else {"segment": band(segment, now - DAY)}
        ends = {"term_end": now + window * DAY + HOUR, "last_usage_at": now}
        await alerts.say(said(segment, now, statuses=statuses, instants=ends))
    await alerts.messages(None, 0)
    await alerts.move_clock_to(2 * HOUR)
    told = {message["subject"]: message["data"] for message in await alerts.messages(None, 4)}
    assert {data["rule"] for data in told.values()} == {"renewal_window"}
    assert {segment: data["words"] for segment, data in told.items()} == {
        segment: f"term end is at most {window} days away" for segment, window in days.items()
    }


async def test_a_critical_ticket_comes_of_age_without_an_event(alerts: Deployed, now: datetime) -> None:
    await alerts.say(said("acme", now, records=[ticket("T-1", now - 47 * HOUR)]))
    await alerts.messages("acme", 0)
    await alerts.move_clock_to(HOUR)
    (message,) = await alerts.messages("acme", 1)
    assert short([message]) == [("triggered", "critical_ticket_open", "T-1")]
    assert message["data"]["cause"] == "time"
