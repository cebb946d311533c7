"""Alert and case together: what one look at (account, rule, key) changes."""

from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from services.alerts.domain import cases
from services.alerts.domain.alert import Alert, Change, Found, Moves, Past, Subject, advanced, moved, opened
from services.alerts.domain.cases import Case, Step
from services.alerts.domain.playbooks import Playbook
from services.alerts.domain.rules import Rule


class Held(Struct, frozen=True):
    """An alert with its work; pending alerts have none yet."""

    alert: Alert
    case: Case | None = None
    steps: tuple[Step, ...] = ()


class Decision(Struct, frozen=True):
    """The new state of an alert with its work, and the changes that led there."""

    held: Held
    changes: tuple[Change, ...]


def on_nothing_open(
    rule: Rule, playbook: Playbook, subject: Subject, found: Found, past: Past, *, now: datetime
) -> Decision | None:
    """A new alert, with its case if it fires at once; None where nothing opens."""
    moves = opened(rule, subject, found, past, now)
    return None if moves is None else _with_work(Held(moves[0]), moves, playbook, now)


def on_open(rule: Rule, playbook: Playbook, held: Held, found: Found, past: Past, *, now: datetime) -> Decision | None:
    """What becomes of an open alert; None where nothing changes."""
    moves = advanced(rule, held.alert, found, past, now)
    decision = _with_work(held, moves, playbook, now)
    decision = _overdue(rule, decision, now)
    return decision if decision.changes else None


def _with_work(held: Held, moves: Moves, playbook: Playbook, now: datetime) -> Decision:
    alert, changes = moves
    case, steps = held.case, held.steps
    for change in changes:
        if change.after == "firing" and change.before != "firing":
            case, steps = cases.open_case(alert.id, playbook, alert.owner, now)
        elif change.event == "gate_ended" and case is not None and held.alert.gate is not None:
            case, steps = cases.postpone(case, steps, now - held.alert.gate.since)
        elif change.after == "resolved" and case is not None and case.state == "open" and case.started_at is None:
            case, steps = cases.decline(case, steps, cases.RESOLVED_ITSELF, change.actor, now)
    return Decision(Held(alert, case, steps), changes)


def _overdue(rule: Rule, decision: Decision, now: datetime) -> Decision:
    alert, case = decision.held.alert, decision.held.case
    if alert.state != "firing" or alert.gate is not None or case is None or not cases.is_newly_overdue(case, now):
        return decision
    why = f"due at {case.due_at:%Y-%m-%d %H:%M}, not done by {case.owner}"
    alert, changes = moved(alert, "overdue", why=why, actor=rule.actor, at=now)
    return Decision(Held(alert, replace(case, is_overdue=True), decision.held.steps), decision.changes + changes)
