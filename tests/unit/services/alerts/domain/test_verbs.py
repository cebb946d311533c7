"""What people do with alert and case, and what is refused."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from services.alerts.definitions import load
from services.alerts.domain import verbs
from services.alerts.domain.alert import Found, Past, Subject
from services.alerts.domain.cases import DECLINE_REASONS, CaseClosed
from services.alerts.domain.decision import Held, on_nothing_open, on_open
from services.alerts.domain.transitions import WrongState
from services.alerts.domain.verbs import SNOOZE_MAX, BadInstant
from shared.conditions.compile import FALSE, TRUE
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, NOW

CATALOGUE = load()
RULE = CATALOGUE.rules["critical_ticket_open"]
PLAYBOOK = CATALOGUE.playbook_of(RULE)
HOLDS = Found(holds=TRUE, clears=FALSE, words="it holds")


@pytest.fixture
def held() -> Held:
    decision = on_nothing_open(RULE, PLAYBOOK, Subject(0, "acme", "T-1", "ana"), HOLDS, Past(), now=NOW)
    assert decision is not None
    return decision.held


def test_a_firing_alert_has_a_case_with_the_playbooks_steps(held: Held) -> None:
    assert held.case is not None
    assert (held.case.state, held.case.owner, held.case.due_at) == ("open", "ana", NOW + PLAYBOOK.due)
    assert [step.n for step in held.steps] == [1, 2, 3]


def test_a_snooze_moves_due_times_by_as_long_as_it_lasted(held: Held) -> None:
    assert held.case is not None
    snoozed = verbs.snooze(held, NOW + 3 * HOUR, "later", "key:crm", now=NOW + HOUR).held
    assert on_open(RULE, PLAYBOOK, snoozed, HOLDS, Past(), now=NOW + 3 * HOUR - MICROSECOND) is None
    decision = on_open(RULE, PLAYBOOK, snoozed, HOLDS, Past(), now=NOW + 3 * HOUR)
    assert decision is not None
    assert decision.held.case is not None
    assert decision.held.case.due_at == held.case.due_at + 2 * HOUR
    assert [change.tells for change in decision.changes] == ["triggered"]


def test_a_snoozed_case_is_not_overdue(held: Held) -> None:
    snoozed = verbs.snooze(held, NOW + 10 * DAY, "later", "key:crm", now=NOW).held
    assert on_open(RULE, PLAYBOOK, snoozed, HOLDS, Past(), now=NOW + 9 * DAY) is None


def test_a_case_is_overdue_at_its_due_time_and_only_once(held: Held) -> None:
    assert on_open(RULE, PLAYBOOK, held, HOLDS, Past(), now=NOW + PLAYBOOK.due - MICROSECOND) is None
    late = on_open(RULE, PLAYBOOK, held, HOLDS, Past(), now=NOW + PLAYBOOK.due)
    assert late is not None
    assert [change.event for change in late.changes] == ["overdue"]
    assert on_open(RULE, PLAYBOOK, late.held, HOLDS, Past(), now=NOW + DAY) is None


@pytest.mark.parametrize("wait", [timedelta(), -HOUR, SNOOZE_MAX + MICROSECOND])
def test_a_snooze_ends_later_than_now_and_within_reach(held: Held, wait: timedelta) -> None:
    with pytest.raises(BadInstant):
        verbs.snooze(held, NOW + wait, "later", "key:crm", now=NOW)


@pytest.mark.parametrize("reason", DECLINE_REASONS)
def test_each_reason_declines_the_case_and_its_open_steps(held: Held, reason: str) -> None:
    decision = verbs.decline(held, reason, "key:crm", NOW, note="", ends_with_case=True)
    assert decision.held.case is not None
    assert (decision.held.case.outcome, decision.held.case.reason) == ("declined", reason)
    assert {step.reason for step in decision.held.steps} == {reason}
    assert [change.tells for change in decision.changes] == [None, "resolved"]


def test_there_are_six_reasons() -> None:
    assert len(DECLINE_REASONS) == 6


def test_a_closed_case_takes_no_verb(held: Held) -> None:
    closed = verbs.done(held, "call held", "key:crm", NOW, ends_with_case=False).held
    assert closed.alert.state == "firing"
    with pytest.raises(CaseClosed, match="call held"):
        verbs.start(closed, "key:crm", NOW)
    with pytest.raises(CaseClosed):
        verbs.snooze(closed, NOW + HOUR, "later", "key:crm", now=NOW)
    with pytest.raises(CaseClosed):
        verbs.done(closed, "again", "key:crm", NOW, ends_with_case=False)


def test_a_pending_alert_has_nothing_to_work_on(held: Held) -> None:
    pending = Held(replace(held.alert, state="pending"))
    with pytest.raises(WrongState, match="pending cannot be started"):
        verbs.start(pending, "key:crm", NOW)
