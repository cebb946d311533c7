"""What is said on outreach.events about one change of an alert."""

from services.alerts.domain.alert import Change
from services.alerts.domain.decision import Held
from services.alerts.domain.evaluation import status_of
from services.alerts.domain.ids import outreach_id
from services.alerts.domain.playbooks import Playbook
from services.alerts.domain.rules import Rule
from shared.contracts.health import Snapshot
from shared.contracts.outreach import (
    Outreach,
    OutreachMessage,
    Plan,
    PlannedStep,
    Transition,
    resolved,
    triggered,
)


def message(rule: Rule, playbook: Playbook, held: Held, change: Change, snapshot: Snapshot) -> OutreachMessage:
    """The CloudEvent of a change that tells something."""
    assert change.tells is not None, "only a change that tells is a message"
    assert held.case is not None, "nobody is told before there is a case"
    assert held.alert.quiet is None, "what opened quietly is never told"
    data = _outreach(rule, playbook, held, change, snapshot)
    wrap = triggered if change.tells == "triggered" else resolved
    return wrap(outreach_id(change.alert, change.number), change.at, data)


def _outreach(rule: Rule, playbook: Playbook, held: Held, change: Change, snapshot: Snapshot) -> Outreach:
    alert, case = held.alert, held.case
    assert case is not None
    return Outreach(
        alert=alert.id,
        case=case.id,
        rule=rule.id,
        title=rule.title,
        words=alert.words,
        key=alert.key,
        transition=Transition(from_=change.before, to=change.after, event=change.event, why=change.why),
        account=alert.account,
        name=snapshot.name,
        score=snapshot.score,
        previous_score=_previous_score(snapshot),
        band=status_of(snapshot, "band"),
        deltas=snapshot.deltas,
        reasons=snapshot.reasons,
        arr=snapshot.arr,
        owner=case.owner,
        playbook=_plan(playbook, held),
        due_at=case.due_at,
        priority=alert.priority,
        cause=alert.cause,
        model=snapshot.model,
        triggered_by=list(alert.triggered_by),
        opened_at=alert.opened_at,
    )


def _previous_score(snapshot: Snapshot) -> float | None:
    """What the deltas led away from: in whole thousandths, so that parts and sum agree to the last digit."""
    if snapshot.score is None:
        return None
    thousandths = round(snapshot.score * 1000) - sum(round(delta.points * 1000) for delta in snapshot.deltas)
    return thousandths / 1000


def _plan(playbook: Playbook, held: Held) -> Plan:
    steps = [PlannedStep(n=s.n, kind=s.kind, title=s.title, audience=s.audience, due_at=s.due_at) for s in held.steps]
    return Plan(id=playbook.id, title=playbook.title, steps=steps)
