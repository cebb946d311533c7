from datetime import UTC, datetime, timedelta, timezone

from services.scoring.domain import dated, days
from services.scoring.domain import sum as sums
from services.scoring.domain.fold import fold
from services.scoring.domain.instants import day_of, us_of
from services.scoring.domain.record import ACCOUNT, State, merge
from services.scoring.domain.span import Span
from tests.unit.services.scoring.acme import NOW, days_ago, event, packaged, snapshot_of, state_of, used

TODAY = day_of(us_of(NOW))


def test_one_use_feeds_account_person_and_feature() -> None:
    state = state_of([used(NOW, "u1", "export", quantity=3)])
    assert set(state.records) == {ACCOUNT, ("person", "u1"), ("feature", "export")}
    assert state.records[ACCOUNT]["uses"] == sums.of_days({TODAY: 3})
    assert state.records["person", "u1"]["used"] == days.of([TODAY])


def test_without_a_quantity_a_use_counts_once() -> None:
    assert state_of([used(NOW)]).records[ACCOUNT]["uses"] == sums.of_days({TODAY: 1})


def test_an_event_without_the_key_of_a_kind_still_feeds_the_account() -> None:
    assert set(state_of([event("usage.feature_used", feature="export")]).records) == {ACCOUNT, ("feature", "export")}


def test_a_ticket_keeps_when_it_was_opened_and_that_it_was_escalated() -> None:
    # The trap: newest event per key remembers day 50 and `updated`, and has lost age and escalation.
    events = [
        event("ticket.opened", days_ago(51), ticket="t1", priority="high"),
        event("ticket.escalated", days_ago(50), ticket="t1", escalation_level=2),
        event("ticket.updated", days_ago(1), ticket="t1", category="billing"),
    ]
    [ticket] = snapshot_of(state_of(events)).records
    assert ticket.fields["opened_at"] == "2026-10-04T12:00:00Z"
    assert (ticket.fields["status"], ticket.fields["priority"]) == ("open", "high")
    assert (ticket.fields["escalations"], ticket.fields["escalation_level"]) == (1, 2)


def test_an_absent_field_is_unchanged_and_null_clears() -> None:
    described = event("account.described", days_ago(3), name="Acme", owners={"csm": "ana"})
    assert snapshot_of(state_of([described, event("account.described", name="Acme Ltd")])).owner == "ana"
    assert snapshot_of(state_of([described, event("account.described", owners={"csm": None})])).owner is None
    assert snapshot_of(state_of([described, event("account.described", owners=None)])).owner is None


def test_what_takes_effect_later_does_not_count_yet() -> None:
    started = event("subscription.started", days_ago(100), subscription="s1", mrr={"amount": "10", "currency": "EUR"})
    cancelled = event("subscription.cancelled", subscription="s1", effective_at="2026-12-24T00:00:00Z")
    state = state_of([started, cancelled])
    assert snapshot_of(state).signals["subscriptions_active"] == 1
    assert snapshot_of(state, NOW + timedelta(days=30)).signals["subscriptions_active"] == 0


def test_an_answer_is_brought_to_ten_whatever_its_scale() -> None:
    answer = event("survey.answered", survey="v", kind="nps", score=4, scale_min=1, scale_max=5)
    value = state_of([answer]).records[ACCOUNT]["nps"]
    assert isinstance(value, dated.Dated)
    assert dated.at(value, us_of(NOW)) == 7.5
    other = event("survey.answered", survey="v", kind="csat", score=4, scale_min=1, scale_max=5)
    assert "nps" not in state_of([other]).records[ACCOUNT]


def test_money_is_kept_in_whole_cents() -> None:
    state = state_of([event("subscription.started", subscription="s", mrr={"amount": "0.29", "currency": "EUR"})])
    value = state.records["subscription", "s"]["mrr_cents"]
    assert isinstance(value, dated.Dated)
    assert dated.at(value, us_of(NOW)) == 29


def test_any_zone_is_the_same_instant_and_days_are_utc() -> None:
    zone = timezone(timedelta(hours=14))
    late = datetime(2026, 11, 25, 1, tzinfo=zone)  # still the 24th in UTC
    assert state_of([used(late)]).records[ACCOUNT]["used"] == days.of([TODAY])


def test_a_time_that_no_calendar_holds_stops_nobody() -> None:
    first = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
    state = state_of([event("account.described", first, name="Old")])
    assert state.records[ACCOUNT]["seen"] == Span(*[us_of(datetime(1, 1, 1, tzinfo=UTC))] * 2)
    assert snapshot_of(state).name == "Old"


def test_an_unknown_type_adds_nothing() -> None:
    assert fold(packaged(), [event("weather.changed", sky="blue")]) == State()


def test_values_of_another_type_than_declared_are_not_taken() -> None:
    odd = event("account.described", name=7, employees=True, signed_at="yesterday", owners="ana")
    assert set(state_of([odd]).records[ACCOUNT]) == {"seen"}


def test_keys_that_no_text_column_takes_are_made_fit() -> None:
    assert ("person", "a\ufffdb") in state_of([used(NOW, "a\0b")]).records
    assert [kind for kind, _ in state_of([used(NOW, "x" * 129)]).records if kind == "person"] == []


def test_two_halves_folded_alone_are_the_whole() -> None:
    events = [used(days_ago(day), f"u{day % 3}") for day in range(0, 500, 7)]
    assert merge(state_of(events[::2]), state_of(events[1::2])) == state_of(events)
