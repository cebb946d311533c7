"""The step function: one opening after another, one fact at a time."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from services.alerts.domain.alert import Alert, Change, Found, Past, Subject, advanced, opened
from services.alerts.domain.gates import Gate, Stalled
from services.alerts.domain.rules import OnNotable, Rule, When
from shared.conditions.compile import FALSE, TRUE, UNKNOWN
from shared.conditions.terms import Missing
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, NOW

ACME = Subject(3, "acme", "", "ana")
HOLDS = Found(holds=TRUE, clears=FALSE, words="it holds")
OVER = Found(holds=FALSE, clears=TRUE)
STOPPED = replace(HOLDS, stalled=Stalled("product.usage", NOW - DAY))
UNCERTAIN = Found(holds=UNKNOWN, clears=UNKNOWN)


def rule(**fields: Any) -> Rule:
    known: dict[str, Any] = {
        "id": "a_rule",
        "version": 2,
        "title": "A rule",
        "source": ("S000-00",),
        "trigger": When(Missing("nps_last")),
        "record": None,
        "lasts": timedelta(),
        "clear": None,
        "cooldown": timedelta(),
        "priority": "high",
        "playbook": "a_playbook",
    }
    return Rule(**(known | fields))


def fires(a_rule: Rule, past: Past | None = None, found: Found = HOLDS, now: datetime = NOW) -> Alert:
    moves = opened(a_rule, ACME, found, past or Past(), now)
    assert moves is not None
    return moves[0]


def events(changes: tuple[Change, ...]) -> list[tuple[str, str | None]]:
    return [(change.event, change.tells) for change in changes]


@pytest.mark.parametrize("found", [OVER, UNCERTAIN, replace(HOLDS, clears=TRUE)])
def test_nothing_opens_unless_it_is_true_and_not_over(found: Found) -> None:
    assert opened(rule(), ACME, found, Past(), NOW) is None


def test_an_opening_is_told_and_knows_its_number() -> None:
    moves = opened(rule(), ACME, HOLDS, Past(openings=4), NOW)
    assert moves is not None
    alert, changes = moves
    assert (alert.n, alert.state, alert.told_at, alert.partition) == (5, "firing", NOW, 3)
    assert events(changes) == [("triggered", "triggered")]
    assert changes[0].actor == "rule:a_rule@2"
    assert changes[0].message == f"{alert.id}.1"


def test_each_opening_has_an_id_of_its_own_and_a_restore_repeats_it() -> None:
    first, again, second = fires(rule()), fires(rule()), fires(rule(), Past(openings=1))
    assert first.id == again.id != second.id


def test_what_must_last_fires_at_the_edge_and_not_before() -> None:
    slow = rule(lasts=HOUR)
    pending = fires(slow)
    assert (pending.state, pending.told_at) == ("pending", None)
    assert advanced(slow, pending, HOLDS, Past(), NOW + HOUR - MICROSECOND) == (pending, ())
    firing, changes = advanced(slow, pending, HOLDS, Past(), NOW + HOUR)
    assert (firing.state, firing.since) == ("firing", NOW + HOUR)
    assert events(changes) == [("lasted", "triggered")]


def test_what_stops_before_it_has_lasted_is_told_to_nobody() -> None:
    slow = rule(lasts=HOUR)
    resolved, changes = advanced(slow, fires(slow), OVER, Past(), NOW + HOUR)
    assert (resolved.state, events(changes)) == ("resolved", [("cleared", None)])


def test_unknown_neither_fires_nor_resolves() -> None:
    slow = rule(lasts=HOUR)
    for a_rule, alert in ((slow, fires(slow)), (rule(), fires(rule()))):
        assert advanced(a_rule, alert, UNCERTAIN, Past(), NOW + DAY) == (alert, ())


def test_it_resolves_itself_and_says_so() -> None:
    resolved, changes = advanced(rule(), fires(rule()), OVER, Past(), NOW + HOUR)
    assert (resolved.state, events(changes)) == ("resolved", [("cleared", "resolved")])
    assert changes[0].why == "no longer: it holds"


def test_what_opened_quietly_is_never_told() -> None:
    quiet = fires(rule(), found=replace(HOLDS, quiet="import"))
    assert (quiet.state, quiet.quiet, quiet.told_at) == ("firing", "import", None)
    assert advanced(rule(), quiet, HOLDS, Past(), NOW + DAY) == (quiet, ())
    assert events(advanced(rule(), quiet, OVER, Past(), NOW + DAY)[1]) == [("cleared", None)]


def test_what_opened_quietly_and_happens_again_live_is_told() -> None:
    on = rule(trigger=OnNotable("invoice.payment_failed", None, DAY))
    quiet = fires(on, found=replace(HOLDS, quiet="import"))
    told, changes = advanced(on, quiet, HOLDS, Past(), NOW + HOUR)
    assert (told.quiet, told.told_at, events(changes)) == (None, NOW + HOUR, [("quiet_ended", "triggered")])


def test_inside_its_cooldown_it_fires_behind_a_gate() -> None:
    calm = rule(cooldown=DAY)
    gated = fires(calm, Past(openings=1, told_at=NOW - HOUR))
    assert gated.gate is not None
    assert (gated.gate.kind, gated.gate.until, gated.told_at) == ("cooldown", NOW - HOUR + DAY, None)
    past, until = Past(openings=2, told_at=NOW - HOUR), NOW - HOUR + DAY
    assert advanced(calm, gated, HOLDS, past, until - MICROSECOND) == (gated, ())
    told, changes = advanced(calm, gated, HOLDS, past, until)
    assert (told.gate, events(changes)) == (None, [("gate_ended", "triggered")])


def test_at_the_edge_of_its_cooldown_it_is_told() -> None:
    assert fires(rule(cooldown=DAY), Past(openings=1, told_at=NOW - DAY)).told_at == NOW


def test_what_is_over_before_its_gate_opens_was_never_told() -> None:
    calm = rule(cooldown=DAY)
    gated = fires(calm, Past(openings=1, told_at=NOW - HOUR))
    assert events(advanced(calm, gated, OVER, Past(), NOW + HOUR)[1]) == [("cleared", None)]


def test_what_rests_on_a_stream_that_has_stopped_waits_until_it_is_heard_again() -> None:
    gated = fires(rule(), found=STOPPED)
    assert gated.gate is not None
    assert (gated.state, gated.told_at, gated.gate.kind, gated.gate.until) == ("firing", None, "source_stalled", None)
    assert advanced(rule(), gated, STOPPED, Past(openings=1), NOW + 9 * DAY) == (gated, ())
    told, changes = advanced(rule(), gated, HOLDS, Past(openings=1), NOW + 9 * DAY)
    assert (told.gate, told.told_at, events(changes)) == (None, NOW + 9 * DAY, [("gate_ended", "triggered")])
    assert changes[0].why == "heard again: product.usage has stopped: the newest of it is of 2026-11-23T12:00:00+00:00"


def test_what_is_over_when_its_stream_is_heard_again_was_never_told() -> None:
    resolved, changes = advanced(rule(), fires(rule(), found=STOPPED), OVER, Past(openings=1), NOW + DAY)
    assert (resolved.state, resolved.gate, events(changes)) == ("resolved", None, [("cleared", None)])


def test_what_has_lasted_while_its_stream_stopped_waits_too() -> None:
    slow = rule(lasts=HOUR)
    gated, changes = advanced(slow, fires(slow), STOPPED, Past(openings=1), NOW + HOUR)
    assert (gated.state, gated.gate and gated.gate.kind) == ("firing", "source_stalled")
    assert events(changes) == [("lasted", None)]


def test_after_a_stalled_source_the_cooldown_still_counts() -> None:
    calm = rule(cooldown=3 * DAY)
    past = Past(openings=2, told_at=NOW - DAY)
    gated, changes = advanced(calm, fires(calm, past, STOPPED), HOLDS, past, NOW + DAY)
    assert (gated.gate and gated.gate.kind, events(changes)) == ("cooldown", [("gate_ended", None)])


def test_who_asked_for_quiet_is_told_again_once_the_stream_is_heard() -> None:
    calm = rule(cooldown=9 * DAY)
    snooze = Gate(kind="snoozed", since=NOW, until=NOW + DAY, reason="not now", actor="user:ana")
    asleep, past = replace(fires(calm), gate=snooze), Past(openings=1, told_at=NOW)
    held, changes = advanced(calm, asleep, STOPPED, past, NOW + DAY)
    assert (held.gate and held.gate.kind, events(changes)) == ("source_stalled", [("gate_ended", None)])
    assert events(advanced(calm, held, HOLDS, past, NOW + 2 * DAY)[1]) == [("gate_ended", "triggered")]
