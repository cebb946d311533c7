"""The shapes that alerts answers with."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from services.alerts.definitions import Catalogue
from services.alerts.domain.alert import Change
from services.alerts.domain.cases import Case
from services.alerts.domain.decision import Held
from services.alerts.domain.gates import GateKind
from shared.contracts.health import Cause, Quiet
from shared.contracts.outreach import AlertState, Audience, Priority, StepKind


class OutreachGate(Struct, frozen=True, kw_only=True):
    """Why nobody is told, and until when; null where it is until a stream that has stopped is heard again."""

    kind: GateKind
    until: datetime | None
    reason: str
    actor: str


class OutreachCase(Struct, frozen=True, kw_only=True):
    """The work. `outcome` is set once it is closed; `reason` is one of six where it was declined."""

    id: str
    state: str
    owner: str
    due_at: datetime
    is_overdue: bool
    started_at: datetime | None
    started_by: str | None
    closed_at: datetime | None
    closed_by: str | None
    outcome: str | None
    reason: str | None


class OutreachItem(Struct, frozen=True, kw_only=True):
    """A row of the list. `case` is null while the alert is pending. `quiet`: it opened silently, nobody was told."""

    id: str
    account: str
    rule: str
    title: str
    key: str
    words: str
    state: AlertState
    since: datetime
    opened_at: datetime
    priority: Priority
    cause: Cause
    quiet: Quiet | None
    gate: OutreachGate | None
    told_at: datetime | None
    case: OutreachCase | None


class OutreachList(Struct, frozen=True, kw_only=True):
    """`next` is the cursor of the next page, null on the last."""

    outreach: list[OutreachItem]
    next: str | None


class OutreachStep(Struct, frozen=True, kw_only=True):
    """A step of the case. What has the audience `customer` is a draft."""

    n: int
    kind: StepKind
    title: str
    audience: Audience
    due_at: datetime
    state: str
    reason: str | None


class OutreachChange(Struct, frozen=True, kw_only=True):
    """One move of the alert. `message` is the id of the CloudEvent that told it, null where nobody was told."""

    number: int
    event: str
    before: AlertState | None
    after: AlertState
    why: str
    actor: str
    at: datetime
    message: str | None


class RuleRecord(Struct, frozen=True, kw_only=True):
    """How the rule has done: of its closed cases, how many were declined as no problem."""

    rule: str
    version: int
    closed: int
    not_a_problem: int


class OutreachDetail(OutreachItem, frozen=True, kw_only=True):
    """One alert with its case, steps and history."""

    n: int
    triggered_by: list[str]
    playbook: str | None
    steps: list[OutreachStep]
    changes: list[OutreachChange]
    rule_record: RuleRecord


_SAME = [
    "id",
    "account",
    "rule",
    "key",
    "words",
    "state",
    "since",
    "opened_at",
    "priority",
    "cause",
    "quiet",
    "told_at",
]


def item(held: Held, catalogue: Catalogue, now: datetime) -> OutreachItem:
    """A row of the list."""
    return OutreachItem(**_item(held, catalogue, now))


def detail(
    held: Held, changes: list[Change], record: tuple[int, int], catalogue: Catalogue, now: datetime
) -> OutreachDetail:
    """`record`: closed cases of the rule, and how many were no problem."""
    alert = held.alert
    return OutreachDetail(
        **_item(held, catalogue, now),
        n=alert.n,
        triggered_by=list(alert.triggered_by),
        playbook=held.case.playbook if held.case else None,
        steps=[
            OutreachStep(
                n=s.n, kind=s.kind, title=s.title, audience=s.audience, due_at=s.due_at, state=s.state, reason=s.reason
            )
            for s in held.steps
        ],
        changes=[_change(change) for change in changes],
        rule_record=RuleRecord(rule=alert.rule, version=alert.rule_version, closed=record[0], not_a_problem=record[1]),
    )


def _item(held: Held, catalogue: Catalogue, now: datetime) -> dict[str, Any]:
    alert, gate = held.alert, held.alert.gate
    rule = catalogue.rules.get(alert.rule)
    return {name: getattr(alert, name) for name in _SAME} | {
        "title": rule.title if rule else alert.rule,
        "gate": gate and OutreachGate(kind=gate.kind, until=gate.until, reason=gate.reason, actor=gate.actor),
        "case": held.case and _case(held.case, now),
    }


def _case(case: Case, now: datetime) -> OutreachCase:
    same = ("id", "state", "owner", "due_at", "started_at", "started_by", "closed_at", "closed_by", "outcome", "reason")
    is_overdue = case.is_overdue or (case.state == "open" and now >= case.due_at)
    return OutreachCase(**{name: getattr(case, name) for name in same}, is_overdue=is_overdue)


def _change(change: Change) -> OutreachChange:
    same = ("number", "event", "before", "after", "why", "actor", "at")
    return OutreachChange(**{name: getattr(change, name) for name in same}, message=change.message)
