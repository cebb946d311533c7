from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from services.scoring.domain.record import State
from services.scoring.domain.signals import read
from shared.contracts.health import Money
from tests.unit.services.scoring.acme import (
    ALL_FRESH,
    NOW,
    days_ago,
    event,
    healthy,
    packaged,
    snapshot_of,
    state_of,
    used,
)


def signals(
    state: State, now: datetime = NOW, freshness: Mapping[str, datetime] = ALL_FRESH
) -> Mapping[str, float | None]:
    return read(packaged(), state, now, freshness).signals


def test_never_seen_is_zero_where_the_stream_is_attached_and_missing_where_it_is_not() -> None:
    assert signals(State())["tickets_open"] == 0
    assert signals(State(), freshness={"product.usage": NOW})["tickets_open"] is None


def test_active_days_and_users_and_features_of_28_days() -> None:
    events = [used(days_ago(0), "u1", "a"), used(days_ago(27), "u2", "b"), used(days_ago(28), "u3", "c")]
    found = signals(state_of(events))
    assert (found["active_days_28d"], found["active_users_28d"], found["features_used_28d"]) == (2, 2, 2)


def test_windows_and_ages_end_where_the_stream_ends() -> None:
    # The pipe of the product broke ten days ago: nobody has gone silent.
    state = state_of([used(days_ago(10))])
    stalled = {**ALL_FRESH, "product.usage": days_ago(10)}
    assert signals(state)["days_since_usage"] == 10
    assert signals(state, freshness=stalled)["days_since_usage"] == 0
    assert signals(state, freshness=stalled)["active_days_28d"] == 1


def test_a_stream_that_runs_ahead_ends_at_now() -> None:
    ahead = {**ALL_FRESH, "product.usage": NOW + timedelta(minutes=5)}
    assert signals(state_of([used(days_ago(1))]), freshness=ahead)["days_since_usage"] == 1


def test_who_never_used_anything_is_silent_since_the_start() -> None:
    started = event("subscription.started", days_ago(40), subscription="s")
    assert signals(state_of([started]))["days_since_usage"] == 40
    assert signals(State())["days_since_usage"] is None


def test_a_trend_needs_two_whole_windows() -> None:
    def daily(days: int) -> State:
        return state_of([used(days_ago(day), quantity=2 if day < 28 else 4) for day in range(days)])

    assert signals(daily(56))["usage_trend"] == 0.5
    assert signals(daily(55))["usage_trend"] is None


def test_the_level_is_zero_without_use_and_grows_with_each_active_day() -> None:
    daily = state_of([used(days_ago(day), quantity=9) for day in range(29)])
    assert signals(daily)["usage_level_90d"] == pytest.approx(sum(0.5 ** (day / 90) for day in range(29)))
    assert signals(State())["usage_level_90d"] == 0


def test_missing_in_is_missing_out() -> None:
    found = signals(state_of([used(NOW)]))
    assert found["seats"] is None
    assert found["seats_used_ratio"] is None


def test_seats_of_all_running_subscriptions_add_up() -> None:
    events = [
        event("subscription.started", days_ago(9), subscription="a", seats=3),
        event("subscription.started", days_ago(9), subscription="b", seats=1),
        event("subscription.started", days_ago(9), subscription="c", seats=50),
        event("subscription.cancelled", days_ago(1), subscription="c"),
        used(NOW, "u1"),
    ]
    found = signals(state_of(events))
    assert (found["seats"], found["seats_used_ratio"]) == (4, 0.25)
    assert (found["subscriptions_active"], found["subscriptions_ended"]) == (2, 1)


def test_sentiment_is_the_mean_tone_of_28_days() -> None:
    events = [
        event("ticket.opened", days_ago(30), ticket="t0", sentiment=1),
        event("ticket.opened", days_ago(3), ticket="t1", sentiment=-0.4),
        event("ticket.updated", days_ago(2), ticket="t1", sentiment=0.1),
        event("ticket.updated", days_ago(1), ticket="t1", category="other"),
    ]
    assert signals(state_of(events))["sentiment_28d"] == pytest.approx(-0.15)


def test_an_answer_gets_old() -> None:
    state = state_of(
        [event("survey.answered", days_ago(100), survey="v", kind="nps", score=9, scale_min=0, scale_max=10)]
    )
    assert signals(state)["nps_last"] == 9
    later = NOW + timedelta(days=80)
    assert signals(state, later, dict.fromkeys(ALL_FRESH, later))["nps_last"] is None


def test_open_urgent_and_escalated_tickets() -> None:
    events = [
        event("ticket.opened", days_ago(5), ticket="t1", priority="urgent"),
        event("ticket.opened", days_ago(5), ticket="t2"),
        event("ticket.escalated", days_ago(4), ticket="t2"),
        event("ticket.opened", days_ago(5), ticket="t3", priority="urgent"),
        event("ticket.solved", days_ago(4), ticket="t3"),
        event("ticket.opened", days_ago(5), ticket="t4"),
        event("ticket.solved", days_ago(4), ticket="t4"),
        event("ticket.reopened", days_ago(3), ticket="t4"),
    ]
    found = signals(state_of(events))
    assert (found["tickets_open"], found["tickets_open_urgent"], found["tickets_open_escalated"]) == (3, 1, 1)


def test_a_paid_invoice_is_failed_no_more() -> None:
    failed = event("invoice.payment_failed", days_ago(2), invoice="i1")
    assert signals(state_of([failed]))["invoices_failed_open"] == 1
    assert signals(state_of([event("invoice.paid", days_ago(1), invoice="i1"), failed]))["invoices_failed_open"] == 0


def test_champions_are_unknown_until_a_contact_is_known() -> None:
    assert signals(State())["champions"] is None
    joined = event("contact.joined", days_ago(9), contact="c1", champion=True)
    other = event("contact.joined", days_ago(9), contact="c2")
    assert signals(state_of([other]))["champions"] == 0
    assert signals(state_of([joined, other]))["champions"] == 1
    assert signals(state_of([joined, other, event("contact.left", contact="c1")]))["champions"] == 0


def test_arr_is_twelve_months_of_running_subscriptions_in_one_currency() -> None:
    def of(*amounts: tuple[str, str]) -> Money | None:
        events = [
            event(
                "subscription.started", days_ago(9), subscription=f"s{n}", mrr={"amount": amount, "currency": currency}
            )
            for n, (amount, currency) in enumerate(amounts)
        ]
        return read(packaged(), state_of(events), NOW, ALL_FRESH).arr

    assert of(("100.10", "EUR"), ("0.05", "EUR")) == Money("1201.80", "EUR")
    assert of(("100.10", "EUR"), ("0.05", "USD")) is None
    assert of() is None


def test_the_soonest_end_of_a_running_subscription_is_the_term_end() -> None:
    events = [
        event("subscription.started", days_ago(9), subscription="a", term_end="2027-01-01T00:00:00Z"),
        event("subscription.started", days_ago(9), subscription="b", term_end="2026-12-20T00:00:00Z"),
    ]
    reading = read(packaged(), state_of(events), NOW, ALL_FRESH)
    assert reading.instants["term_end"] == datetime.fromisoformat("2026-12-20T00:00:00Z")
    assert reading.signals["days_to_term_end"] == 25


def test_without_its_stream_an_instant_is_missing() -> None:
    assert read(packaged(), state_of(healthy()), NOW, {}).instants["last_usage_at"] is None


def test_records_are_bounded_and_the_rest_is_counted() -> None:
    events = [event("ticket.opened", days_ago(n / 100), ticket=f"t{n}") for n in range(203)]
    reading = read(packaged(), state_of(events), NOW, ALL_FRESH)
    assert (len(reading.records), reading.records_left_out) == (200, 3)
    assert reading.records[0].key == "t0"


def test_use_that_names_no_user_leaves_users_and_seats_unknown() -> None:
    anonymous = [event("usage.feature_used", days_ago(day), feature="export") for day in range(10)]
    subscription = event("subscription.started", days_ago(30), subscription="s1", seats=6)
    said = snapshot_of(state_of([*anonymous, subscription])).signals
    assert (said["active_users_28d"], said["seats_used_ratio"], said["active_days_28d"]) == (None, None, 10)


def test_users_who_have_stopped_are_none_now_and_not_unknown() -> None:
    said = snapshot_of(state_of([used(days_ago(40))])).signals
    assert said["active_users_28d"] == 0


def test_a_feature_used_no_times_is_not_used() -> None:
    said = snapshot_of(state_of([used(days_ago(3), quantity=2), used(days_ago(1), quantity=0)])).signals
    assert (said["active_days_28d"], said["days_since_usage"]) == (1, 3)


def test_a_credit_is_a_negative_amount_and_not_another_one() -> None:
    credit = event(
        "subscription.started", subscription="s1", state="active", mrr={"amount": "-1.55", "currency": "EUR"}
    )
    assert snapshot_of(state_of([credit])).arr == Money("-18.60", "EUR")
