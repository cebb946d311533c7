"""Work: a case with an owner and a due time, and the steps of its playbook. A case is a machine of its own.

An alert that resolves closes its case only while nobody has started it: what a person does is not undone.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from services.alerts.domain.ids import case_id
from services.alerts.domain.playbooks import Playbook
from shared.contracts.outreach import Audience, StepKind

CaseState = Literal["open", "closed"]
StepState = Literal["open", "done", "declined"]

# Why nothing is done about it. The first counts against the rule: its share is the rule's false alarms.
DECLINE_REASONS: dict[str, str] = {
    "not_a_problem": "the alert is wrong: there is nothing to act on",
    "already_handled": "somebody is at work on it elsewhere",
    "wrong_data": "what we know of the account is not true",
    "no_contact_wanted": "the customer asked to be left alone",
    "too_late": "acting would change nothing any more",
    "not_ours": "another team or company must act",
}
RESOLVED_ITSELF = "resolved_itself"


class Case(Struct, frozen=True, kw_only=True):
    """Open, or closed with an outcome. `started_at`: a person took it. `reason` is why it was declined."""

    id: str
    alert: str
    playbook: str
    playbook_version: int
    owner: str
    opened_at: datetime
    due_at: datetime
    state: CaseState = "open"
    started_at: datetime | None = None
    started_by: str | None = None
    is_overdue: bool = False
    closed_at: datetime | None = None
    closed_by: str | None = None
    outcome: str | None = None
    reason: str | None = None


class Step(Struct, frozen=True, kw_only=True):
    """`n` counts from 1. `reason` is why it was declined."""

    case: str
    n: int
    kind: StepKind
    title: str
    audience: Audience
    due_at: datetime
    state: StepState = "open"
    reason: str | None = None


class CaseClosed(Exception):
    """The case is closed: nothing more can be done with it."""


def open_case(alert: str, playbook: Playbook, owner: str, at: datetime) -> tuple[Case, tuple[Step, ...]]:
    """The alert's case with all its steps open."""
    case = Case(
        id=case_id(alert),
        alert=alert,
        playbook=playbook.id,
        playbook_version=playbook.version,
        owner=owner,
        opened_at=at,
        due_at=at + playbook.due,
    )
    steps = tuple(
        Step(case=case.id, n=n, kind=s.kind, title=s.title, audience=s.audience, due_at=at + s.due)
        for n, s in enumerate(playbook.steps, 1)
    )
    return case, steps


def start(case: Case, actor: str, at: datetime) -> Case:
    """Somebody takes it; whoever was first stays. Raises CaseClosed."""
    _must_be_open(case)
    return case if case.started_at else replace(case, started_at=at, started_by=actor)


def done(case: Case, steps: Sequence[Step], outcome: str, actor: str, at: datetime) -> tuple[Case, tuple[Step, ...]]:
    """Closed with what came of it; steps that are still open count as done. Raises CaseClosed."""
    _must_be_open(case)
    closed = replace(case, state="closed", outcome=outcome, closed_at=at, closed_by=actor)
    return closed, tuple(replace(step, state="done") if step.state == "open" else step for step in steps)


def decline(case: Case, steps: Sequence[Step], reason: str, actor: str, at: datetime) -> tuple[Case, tuple[Step, ...]]:
    """Closed without acting; open steps are declined for the same reason. Raises CaseClosed."""
    assert reason in DECLINE_REASONS or reason == RESOLVED_ITSELF
    _must_be_open(case)
    outcome = RESOLVED_ITSELF if reason == RESOLVED_ITSELF else "declined"
    closed = replace(case, state="closed", outcome=outcome, reason=reason, closed_at=at, closed_by=actor)
    return closed, tuple(
        replace(step, state="declined", reason=reason) if step.state == "open" else step for step in steps
    )


def postpone(case: Case, steps: Sequence[Step], by: timedelta) -> tuple[Case, tuple[Step, ...]]:
    """Time under a gate does not count against due times: they move by as much."""
    return replace(case, due_at=case.due_at + by), tuple(
        replace(step, due_at=step.due_at + by) if step.state == "open" else step for step in steps
    )


def is_newly_overdue(case: Case, now: datetime) -> bool:
    """True once: at its due time, for an open case that is not marked yet."""
    return case.state == "open" and not case.is_overdue and now >= case.due_at


def _must_be_open(case: Case) -> None:
    if case.state != "open":
        raise CaseClosed(f"case {case.id} is closed since {case.closed_at:%Y-%m-%dT%H:%M:%SZ}: {case.outcome}")
