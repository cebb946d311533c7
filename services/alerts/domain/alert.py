"""An alert and what moves it: old alert + what was found + now -> new alert + changes. No clock, no store.

Unknown changes nothing: an alert opens only where its condition is true, and resolves only where its end is true.
"""

from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from services.alerts.domain.gates import Gate, Stalled, gate_for
from services.alerts.domain.ids import alert_id, outreach_id
from services.alerts.domain.rules import Rule
from services.alerts.domain.transitions import Event, after
from shared.conditions.compile import FALSE, TRUE, UNKNOWN
from shared.contracts.health import Cause, Quiet
from shared.contracts.outreach import AlertState, Priority

Tells = Literal["triggered", "resolved"]


class Alert(Struct, frozen=True, kw_only=True):
    """One opening of a rule about an account, or about one record of it: the n-th of (account, rule, key).

    since: when it came into its state. told_at: when its last triggered message was decided.
    quiet: it opened in a quiet snapshot, so nobody is told, neither of it nor of its end.
    """

    id: str
    partition: int
    account: str
    rule: str
    rule_version: int
    key: str
    n: int
    state: AlertState
    since: datetime
    opened_at: datetime
    priority: Priority
    owner: str
    cause: Cause
    words: str
    triggered_by: tuple[str, ...] = ()
    quiet: Quiet | None = None
    gate: Gate | None = None
    told_at: datetime | None = None
    last_change: int = 0


class Change(Struct, frozen=True, kw_only=True):
    """One move of an alert. `tells`: the message it is, if it is one."""

    alert: str
    number: int
    event: Event
    before: AlertState | None
    after: AlertState
    why: str
    actor: str
    at: datetime
    tells: Tells | None = None

    @property
    def message(self) -> str | None:
        """The id of the message it is; None where nobody is told."""
        return outreach_id(self.alert, self.number) if self.tells else None


class Found(Struct, frozen=True, kw_only=True):
    """What evaluation says of one (account, rule, key).

    holds: the opening condition, or TRUE for a notable that is new. clears: the end. Both 1, 0 or -1 (unknown).
    stalled: a stream that the rule reads has stopped, so that nobody is told before it is heard again.
    """

    holds: int = UNKNOWN
    clears: int = UNKNOWN
    cause: Cause = "behaviour"
    words: str = ""
    triggered_by: tuple[str, ...] = ()
    quiet: Quiet | None = None
    stalled: Stalled | None = None


class Subject(Struct, frozen=True):
    """Whom it is about, and who would get the work."""

    partition: int
    account: str
    key: str
    owner: str


class Past(Struct, frozen=True):
    """Earlier openings of the same (account, rule, key): how many, and when the last telling was."""

    openings: int = 0
    told_at: datetime | None = None


Moves = tuple[Alert, tuple[Change, ...]]


def moved(alert: Alert, event: Event, *, why: str, actor: str, at: datetime, tells: Tells | None = None) -> Moves:
    """Take one arrow of the transition table. Raises WrongState where there is none."""
    state = after(alert.state, event)
    number = alert.last_change + 1
    change = Change(
        alert=alert.id,
        number=number,
        event=event,
        before=alert.state,
        after=state,
        why=why,
        actor=actor,
        at=at,
        tells=tells,
    )
    told_at = at if tells == "triggered" else alert.told_at
    since = alert.since if state == alert.state else at
    return replace(alert, state=state, since=since, last_change=number, told_at=told_at), (change,)


def opened(rule: Rule, subject: Subject, found: Found, past: Past, now: datetime) -> Moves | None:
    """A new alert if `found` opens one. What is over already opens nothing."""
    if found.holds != TRUE or found.clears == TRUE:
        return None
    event: Event = "held" if rule.lasts else "triggered"
    n = past.openings + 1
    alert = Alert(
        id=alert_id(subject.account, rule.id, subject.key, n),
        partition=subject.partition,
        account=subject.account,
        rule=rule.id,
        rule_version=rule.version,
        key=subject.key,
        n=n,
        state=after(None, event),
        since=now,
        opened_at=now,
        priority=rule.priority,
        owner=subject.owner,
        cause=found.cause,
        words=found.words,
        triggered_by=found.triggered_by,
        quiet=found.quiet,
        last_change=1,
    )
    change = Change(
        alert=alert.id,
        number=1,
        event=event,
        before=None,
        after=alert.state,
        why=found.words,
        actor=rule.actor,
        at=now,
    )
    return (alert, (change,)) if event == "held" else _told_or_gated(alert, change, rule, found, past)


def advanced(rule: Rule, alert: Alert, found: Found, past: Past, now: datetime) -> Moves:
    """An open alert in the light of what was found; the same alert and no changes where nothing moves."""
    if found.clears == TRUE:
        told = alert.told_at is not None
        return moved(
            replace(alert, gate=None),
            "cleared",
            why=f"no longer: {alert.words}",
            actor=rule.actor,
            at=now,
            tells="resolved" if told else None,
        )
    if alert.state == "pending" and found.holds == TRUE and now >= alert.since + rule.lasts:
        firing, changes = moved(alert, "lasted", why=found.words, actor=rule.actor, at=now)
        return _told_or_gated(firing, changes[0], rule, found, past)
    if rule.ends_with_case and alert.quiet is not None and found.holds == TRUE and found.quiet is None:
        return moved(
            replace(alert, quiet=None), "quiet_ended", why=found.words, actor=rule.actor, at=now, tells="triggered"
        )
    if alert.state == "firing" and alert.gate is not None and alert.gate.is_over(now, found.stalled):
        return _gate_ended(rule, alert, found, past, now)
    return alert, ()


def _told_or_gated(alert: Alert, change: Change, rule: Rule, found: Found, past: Past) -> Moves:
    if alert.quiet is not None:
        return alert, (change,)
    gate = gate_for(found.stalled, rule.cooldown, past.told_at, change.at, rule.actor)
    if gate is not None:
        return replace(alert, gate=gate), (change,)
    return replace(alert, told_at=change.at), (replace(change, tells="triggered"),)


def _gate_ended(rule: Rule, alert: Alert, found: Found, past: Past, now: datetime) -> Moves:
    """The condition still holds, or nothing is known: whoever was not told is told now, a snoozer again."""
    gate = alert.gate
    assert gate is not None, "a gate ends that was closed"
    told_at = None if gate.kind == "snoozed" or alert.told_at is not None else past.told_at
    following = gate_for(found.stalled, rule.cooldown, told_at, now, rule.actor) if alert.quiet is None else None
    tells: Tells | None = "triggered" if following is None and alert.quiet is None else None
    after_it = replace(alert, gate=following)
    return moved(after_it, "gate_ended", why=_why_ended(gate), actor=rule.actor, at=now, tells=tells)


def _why_ended(gate: Gate) -> str:
    if gate.until is None:
        return f"heard again: {gate.reason}"
    return f"{gate.kind} until {gate.until:%Y-%m-%d %H:%M}"


def opposite(truth: int) -> int:
    """Kleene's not, for a rule that says nothing of how it ends."""
    return {TRUE: FALSE, FALSE: TRUE}.get(truth, UNKNOWN)
