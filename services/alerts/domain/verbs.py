"""What a person may do with an alert: start, snooze, done, decline. Each is refused with the state that forbids it."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from services.alerts.domain import cases
from services.alerts.domain.alert import Moves, Tells, moved
from services.alerts.domain.cases import Case
from services.alerts.domain.decision import Decision, Held
from services.alerts.domain.gates import Gate
from services.alerts.domain.transitions import Event, WrongState

SNOOZE_MAX = timedelta(days=90)  # longer is a decline: nobody remembers why it was quiet


class BadInstant(ValueError):
    """A snooze must end later than now and within SNOOZE_MAX."""


def start(held: Held, actor: str, now: datetime) -> Decision:
    """Somebody takes the case. Raises WrongState, CaseClosed."""
    case = cases.start(_case(held, "started"), actor, now)
    alert, changes = moved(held.alert, "started", why="somebody took it", actor=actor, at=now)
    return Decision(Held(alert, case, held.steps), changes)


def snooze(held: Held, until: datetime, reason: str, actor: str, *, now: datetime) -> Decision:
    """Nobody is told before `until`; if the condition still holds then, people are told again.

    Raises WrongState, CaseClosed, BadInstant.
    """
    if not now < until <= now + SNOOZE_MAX:
        raise BadInstant(f"until must be later than {now.isoformat()} and at most {SNOOZE_MAX.days} days away")
    case = _case(held, "snoozed")
    if case.state != "open":
        cases.start(case, actor, now)  # raises: it is closed
    alert, changes = moved(held.alert, "snoozed", why=reason, actor=actor, at=now)
    # Under a second gate the time of the first still does not count.
    since = held.alert.gate.since if held.alert.gate is not None else now
    gate = Gate(kind="snoozed", since=since, until=until, reason=reason, actor=actor)
    return Decision(Held(replace(alert, gate=gate), case, held.steps), changes)


def done(held: Held, outcome: str, actor: str, now: datetime, *, ends_with_case: bool) -> Decision:
    """The case closes with an outcome, and with it an alert about what happened. Raises WrongState, CaseClosed."""
    case, steps = cases.done(_case(held, "done"), held.steps, outcome, actor, now)
    moves = moved(held.alert, "done", why=outcome, actor=actor, at=now)
    return _closed(moves, case, steps, ends_with_case=ends_with_case, actor=actor, now=now)


def decline(held: Held, reason: str, actor: str, now: datetime, *, note: str, ends_with_case: bool) -> Decision:
    """As `done`, with one of DECLINE_REASONS instead of an outcome. Raises WrongState, CaseClosed."""
    case, steps = cases.decline(_case(held, "declined"), held.steps, reason, actor, now)
    why = f"{reason}: {note}" if note else reason
    moves = moved(held.alert, "declined", why=why, actor=actor, at=now)
    return _closed(moves, case, steps, ends_with_case=ends_with_case, actor=actor, now=now)


def _closed(
    moves: Moves, case: Case, steps: tuple[cases.Step, ...], *, ends_with_case: bool, actor: str, now: datetime
) -> Decision:
    alert, changes = moves
    alert = replace(alert, gate=None)  # closed work needs no gate: there is nothing left to tell
    if ends_with_case and alert.state == "firing":
        tells: Tells | None = "resolved" if alert.told_at is not None else None
        alert, more = moved(alert, "case_closed", why=changes[0].why, actor=actor, at=now, tells=tells)
        changes += more
    return Decision(Held(alert, case, steps), changes)


def _case(held: Held, event: Event) -> Case:
    if held.case is None:
        raise WrongState(held.alert.state, event)
    return held.case
