"""outreach.events: somebody should act on an account, or need not any more. CloudEvents, keyed by account."""

from datetime import datetime
from typing import Literal

from msgspec import Struct, field, json

from shared.contracts.envelope import UtcDatetime
from shared.contracts.health import Cause, Delta, Money, Points, Quiet, Reason

AlertState = Literal["pending", "firing", "resolved"]
Priority = Literal["urgent", "high", "normal", "low"]
StepKind = Literal["task", "message", "survey", "crm"]
Audience = Literal["owner", "team", "customer"]


class Transition(Struct, frozen=True, kw_only=True):
    """What the alert did. `event` names the arrow; `from` is null for a new alert."""

    from_: AlertState | None = field(name="from")
    to: AlertState
    event: str
    why: str


class PlannedStep(Struct, frozen=True, kw_only=True):
    """One step of the playbook. A step for the audience `customer` is a draft: nobody but a person sends it."""

    n: int
    kind: StepKind
    title: str
    audience: Audience
    due_at: UtcDatetime


class Plan(Struct, frozen=True, kw_only=True):
    """The playbook that answers the alert."""

    id: str
    title: str
    steps: list[PlannedStep]


class Outreach(Struct, frozen=True, kw_only=True):
    """`previous_score` plus the points of all `deltas` is `score`. `key` tells alerts of one rule and account apart."""

    alert: str
    case: str
    rule: str
    title: str
    words: str
    key: str
    transition: Transition
    account: str
    name: str | None
    score: Points | None
    previous_score: Points | None
    band: str | None
    deltas: list[Delta]
    reasons: list[Reason]
    arr: Money | None
    owner: str
    playbook: Plan
    due_at: UtcDatetime
    priority: Priority
    cause: Cause
    model: str
    triggered_by: list[str]
    opened_at: UtcDatetime
    quiet: Quiet | None = None


class OutreachTriggered(Struct, frozen=True, kw_only=True):
    """Somebody should act. The id is the alert and the number of its change: a redelivery repeats it."""

    id: str
    subject: str
    time: UtcDatetime
    data: Outreach
    specversion: Literal["1.0"] = "1.0"
    source: Literal["/bellwether/alerts"] = "/bellwether/alerts"
    type: Literal["outreach.triggered"] = "outreach.triggered"
    datacontenttype: Literal["application/json"] = "application/json"


class OutreachResolved(Struct, frozen=True, kw_only=True):
    """What was triggered before needs nobody any more; `transition.why` says for what reason."""

    id: str
    subject: str
    time: UtcDatetime
    data: Outreach
    specversion: Literal["1.0"] = "1.0"
    source: Literal["/bellwether/alerts"] = "/bellwether/alerts"
    type: Literal["outreach.resolved"] = "outreach.resolved"
    datacontenttype: Literal["application/json"] = "application/json"


OutreachMessage = OutreachTriggered | OutreachResolved
OUTREACH_MESSAGES: dict[str, type[Struct]] = {
    "outreach.triggered": OutreachTriggered,
    "outreach.resolved": OutreachResolved,
}

_encoder = json.Encoder()


def triggered(outreach_id: str, at: datetime, data: Outreach) -> OutreachTriggered:
    """Wrap for the topic."""
    return OutreachTriggered(id=outreach_id, subject=data.account, time=at, data=data)


def resolved(outreach_id: str, at: datetime, data: Outreach) -> OutreachResolved:
    """Wrap for the topic."""
    return OutreachResolved(id=outreach_id, subject=data.account, time=at, data=data)


def encode(message: OutreachMessage) -> bytes:
    """The message as one JSON object, the structured mode of CloudEvents."""
    return _encoder.encode(message)
