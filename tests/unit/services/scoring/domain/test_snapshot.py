from datetime import timedelta
from typing import Any

import msgspec
import pytest

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import parse
from services.scoring.domain.notables import notables
from services.scoring.domain.record import State, merge
from services.scoring.domain.snapshot import build, differs, shown
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Snapshot, StatusValue, decode_snapshot
from tests.unit.services.scoring.acme import (
    ALL_FRESH,
    NOW,
    STREAMS,
    case_of,
    days_ago,
    event,
    healthy,
    packaged,
    snapshot_of,
    state_of,
    used,
)

LATER = NOW + timedelta(hours=2)


def after(state: State, previous: Snapshot, *events: HealthEvent, **also: Any) -> Snapshot:
    """What is said once more events have come."""
    return snapshot_of(merge(state, state_of(events)), LATER, previous, touched={e.type for e in events}, **also)


def thousandths(points: float | None) -> int:
    assert points is not None
    return round(points * 1000)


def test_a_healthy_account_is_green_and_says_why() -> None:
    snapshot = snapshot_of(state_of(healthy()))
    assert snapshot.statuses["band"].value == "green"
    assert snapshot.score is not None
    assert snapshot.score > 80
    assert {part.factor: part.missing for part in snapshot.contributions if part.missing} == {"sentiment": True}
    assert (snapshot.name, snapshot.owner) == ("Acme", "ana")
    assert snapshot.reasons == []
    assert snapshot.newest_event_at == NOW


def test_contributions_sum_to_the_score() -> None:
    snapshot = snapshot_of(state_of(healthy()))
    assert sum(thousandths(part.points) for part in snapshot.contributions) == thousandths(snapshot.score)


def test_it_goes_over_the_wire_and_back() -> None:
    snapshot = snapshot_of(state_of(healthy()))
    assert decode_snapshot(msgspec.json.encode(snapshot)) == snapshot


def test_an_escalated_ticket_makes_it_red_at_once_and_is_the_cause() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    assert first.score is not None
    second = after(state, first, event("ticket.escalated", ticket="t1"))
    assert (second.score, second.cause) == (39, "behaviour")
    band = second.statuses["band"]
    assert (band.value, band.since, band.previous, band.cause) == ("red", LATER, "green", "behaviour")
    assert [reason.code for reason in second.reasons] == ["ticket_escalated"]
    assert sum(thousandths(delta.points) for delta in second.deltas) == 39_000 - thousandths(first.score)
    assert {delta.cause for delta in second.deltas} == {"behaviour"}
    assert differs(first, second)


def test_an_account_goes_silent_with_no_event_of_its_own() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    later = NOW + timedelta(days=61)
    silent = snapshot_of(state, later, first)
    assert silent.statuses["band"].value == "red"
    assert "went_silent" in [reason.code for reason in silent.reasons]
    assert (silent.cause, {delta.cause for delta in silent.deltas} - {"data"}) == ("time", {"time"})


def test_when_the_whole_stream_stops_nobody_is_silent() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    later = NOW + timedelta(days=61)
    fresh = dict.fromkeys(STREAMS, later) | {"product.usage": NOW}
    assert snapshot_of(state, later, first, fresh).statuses["band"].value == "green"


def test_losing_a_source_does_not_improve_a_red_band_however_long_it_lasts() -> None:
    state = merge(state_of(healthy()), state_of([event("ticket.escalated", days_ago(1), ticket="t1")]))
    said = snapshot_of(state)
    assert said.statuses["band"].value == "red"
    fresh = {stream: NOW for stream in STREAMS if stream != "support.tickets"}
    for hours in (2, 30, 60):
        said = snapshot_of(state, NOW + timedelta(hours=hours), said, fresh)
        assert (said.statuses["band"].value, said.statuses["band"].stale) == ("red", True)
    assert said.score is not None
    assert said.score > 39  # the score says what is known, the band does not believe it
    assert "ticket_escalated" in [reason.code for reason in said.reasons]


def test_below_the_minimum_a_known_band_stays_and_is_stale() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    lost = snapshot_of(state, LATER, first, {"relationship.events": LATER})
    assert (lost.statuses["band"].value, lost.statuses["band"].stale, lost.cause) == ("green", True, "data")
    assert lost.coverage < 0.4
    nothing = snapshot_of(state, LATER + timedelta(hours=2), lost, {})
    assert (nothing.score, nothing.statuses["band"].value) == (None, "green")
    back = snapshot_of(state, LATER + timedelta(hours=4), nothing)
    assert (back.score is not None, back.statuses["band"].stale, back.cause) == (True, False, "data")


def test_an_account_of_which_little_is_known_is_unknown() -> None:
    answer = event("survey.answered", survey="v", kind="nps", score=2, scale_min=0, scale_max=10)
    snapshot = snapshot_of(state_of([answer]), freshness={"relationship.events": NOW})
    assert snapshot.statuses["band"].value == "unknown"
    assert snapshot.score == 10  # 2 lies a third of the way to 6, which is worth 30 points


def test_a_missing_input_is_shown_with_its_last_known_value() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    fresh = {stream: LATER for stream in STREAMS if stream != "relationship.events"}
    second = snapshot_of(state, LATER, first, fresh)
    [nps] = [part for part in second.contributions if part.factor == "nps"]
    assert (nps.missing, nps.value, nps.points) == (True, 9, 0)
    assert nps.words == "No survey answered within half a year (last known: 9)"


def test_another_model_is_its_own_cause() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    bodies = catalogue_files.load()
    model = {
        **bodies["models/health.yaml"],
        "version": 2,
        "dimensions": {"usage": 20, "support": 20, "billing": 20, "relationship": 40},
    }
    definitions = parse({**bodies, "models/health.yaml": model})
    second = build(definitions, [case_of(state, ALL_FRESH, first)], NOW)[0]
    assert (second.model, second.cause) == ("health@2", "model")
    assert {delta.cause for delta in second.deltas} == {"model"}
    assert first.score is not None
    assert sum(thousandths(delta.points) for delta in second.deltas) == thousandths(second.score) - thousandths(
        first.score
    )


def test_nothing_new_to_say_is_no_snapshot_until_a_day_is_over() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    assert first.deltas == []
    again = snapshot_of(state, NOW + timedelta(minutes=1), first)
    assert shown(again) == shown(first)
    assert not differs(first, again)
    assert differs(first, msgspec.structs.replace(again, as_of=NOW + timedelta(days=1)))
    assert differs(None, first)


def test_one_more_use_shows_nothing_new() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    assert not differs(first, after(state, first, used(NOW, "u1", "f1")))


def test_a_notable_is_always_worth_saying() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    paid = event("invoice.paid", invoice="i1", event_id="p1", amount="10.00", currency="EUR", subscription="s1")
    second = after(state, first, paid, notables=notables(packaged(), [paid]))
    assert differs(first, second)
    [notable] = second.notables
    assert (notable.id, notable.type, notable.key) == ("//test p1", "invoice.paid", "i1")


def test_only_what_the_catalogue_lets_out_travels() -> None:
    left = event("contact.left", contact="c1", champion=True, email="kim@acme.test", role="admin")
    other = event("contact.left", contact="c2", champion=False)
    [notable] = notables(packaged(), [left, other])
    assert notable.data == {"champion": True, "role": "admin"}


def test_changes_are_against_what_was_said_then() -> None:
    state = state_of(healthy())
    now = snapshot_of(state).score
    assert now is not None
    history = {1: now - 5, 7: None, 30: now + 1.5}
    assert snapshot_of(state, history=history).changes == {"1d": 5, "7d": None, "30d": -1.5, "90d": None}


def test_versions_grow_whatever_the_clock_says() -> None:
    state = state_of(healthy())
    first = snapshot_of(state)
    assert first.version == 1_795_521_600_000_000
    assert snapshot_of(state, days_ago(1), first).version == first.version + 1


@pytest.mark.parametrize(
    ("amount", "segment"), [("833.33", "smb"), ("833.34", "mid_market"), ("8333.34", "enterprise")]
)
def test_segments_follow_annual_value(amount: str, segment: str) -> None:
    started = event("subscription.started", subscription="s", mrr={"amount": amount, "currency": "EUR"})
    assert snapshot_of(state_of([started])).statuses["segment"].value == segment


def test_a_given_segment_stands() -> None:
    started = event("subscription.started", subscription="s", mrr={"amount": "9000", "currency": "EUR"})
    given = event("account.described", segment="smb")
    assert snapshot_of(state_of([started, given])).statuses["segment"].value == "smb"


def lifecycle(started_days_ago: float, term_end_in_days: float, amount: str = "10", *more: HealthEvent) -> str:
    term_end = (NOW + timedelta(days=term_end_in_days)).isoformat()
    mrr = {"amount": amount, "currency": "EUR"}
    started = event("subscription.started", days_ago(started_days_ago), subscription="s", term_end=term_end, mrr=mrr)
    return snapshot_of(state_of([started, *more])).statuses["lifecycle"].value


def test_lifecycle_from_onboarding_to_churned() -> None:
    assert lifecycle(10, 355) == "onboarding"
    assert lifecycle(91, 274) == "adoption"
    assert lifecycle(330, 45) == "renewal"
    assert lifecycle(330, 46) == "adoption"
    assert lifecycle(330, 90, "2000") == "renewal"
    assert lifecycle(330, 91, "2000") == "adoption"
    assert lifecycle(330, 120, "20000") == "renewal"
    assert lifecycle(330, 45, "10", event("subscription.cancelled", subscription="s")) == "churned"


def test_deltas_are_points_with_three_decimals() -> None:
    state = state_of(healthy())
    second = after(state, snapshot_of(state), event("ticket.opened", ticket="t", priority="urgent"))
    assert second.deltas
    assert all(round(delta.points, 3) == delta.points for delta in second.deltas)


def test_a_band_made_of_half_a_history_is_not_remembered() -> None:
    half = snapshot_of(state_of([used(days_ago(90))]))
    whole = state_of(healthy())
    started = msgspec.structs.replace(half, statuses={**half.statuses, "band": StatusValue(value="red", since=NOW)})
    remembered = build(packaged(), [case_of(whole, ALL_FRESH, started)], NOW)[0]
    forgotten = build(packaged(), [case_of(whole, ALL_FRESH, started, has_memory=False)], NOW)[0]
    assert (remembered.statuses["band"].value, forgotten.statuses["band"].value) == ("red", "green")


def test_being_quiet_is_nothing_to_say_by_itself() -> None:
    loud = snapshot_of(state_of(healthy()))
    assert not differs(loud, msgspec.structs.replace(loud, quiet="import"))
