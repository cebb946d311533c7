"""When an account must be looked at though nothing arrives, and on which clock.

The wall's clock for deadlines, `for`, gates and due times. A stream's clock (the newest time of it that the account's
partition has shown) for ages that end with the stream: their edge can only be passed by the stream itself, so a stalled
stream costs no looks, and what is unread cannot be taken for silence.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from services.alerts.domain.decision import Held
from services.alerts.domain.evaluation import CompiledRule, Row, status_of
from services.alerts.domain.rules import Rule
from shared.conditions.columns import EPOCH, MICROSECOND, MISSING_INSTANT, as_instant
from shared.conditions.due import next_change
from shared.conditions.terms import Age, Condition, Until, walk

WALL = ""
UNHEARD = timedelta(minutes=1)  # until the next look for a stream that the partition has never shown

Look = tuple[str, datetime]  # clock, when


def row_looks(
    compiled: CompiledRule, row: Row, now: datetime, streams: Mapping[str, str], *, is_open: bool
) -> Iterator[Look]:
    """When the rule's opening may begin to hold, and, of what is open, its end."""
    for condition in (compiled.opening, compiled.end if is_open else None):
        if condition is not None:
            yield from looks_of(condition, row, now, streams)


def looks_of(condition: Condition, row: Row, now: datetime, streams: Mapping[str, str]) -> Iterator[Look]:
    """The next instant of each test of time in the condition at which its answer may change."""
    for _, test in walk(condition):
        if not isinstance(test, Age | Until):
            continue
        instant = _instant(row, test.instant)
        if instant is None:
            continue
        clock = streams.get(test.instant, WALL) if isinstance(test, Age) else WALL
        if clock not in row.reads:
            clock = WALL
        reached = now if clock == WALL else min(now, row.reads[clock])
        statuses = {name: status_of(row.snapshot, name) for name in row.snapshot.statuses}
        at = next_change(test, {test.instant: instant}, reached, statuses=statuses)
        if at is not None:
            yield clock, at


def alert_looks(
    rule: Rule, held: Held, stalled: Collection[str], reads: Mapping[str, datetime], now: datetime
) -> Iterator[Look]:
    """The end of `for`, of a gate, and the due time; each only while it is ahead.

    stalled: the streams that have stopped of those that the rule reads. A gate that waits for them is looked at when
    the partition shows anything newer of one.
    """
    alert, case = held.alert, held.case
    if alert.state == "pending":
        yield from _ahead(alert.since + rule.lasts, now)
    elif alert.state == "firing" and alert.gate is not None:
        if alert.gate.until is not None:
            yield from _ahead(alert.gate.until, now)
        else:
            for stream in stalled:
                yield (stream, reads[stream] + MICROSECOND) if stream in reads else (WALL, now + UNHEARD)
    elif alert.state == "firing" and case is not None and case.state == "open" and not case.is_overdue:
        yield from _ahead(case.due_at, now)


def earliest(looks: Iterable[Look]) -> dict[str, datetime]:
    """Per clock the first."""
    found: dict[str, datetime] = {}
    for clock, at in looks:
        if clock not in found or at < found[clock]:
            found[clock] = at
    return found


def _ahead(at: datetime, now: datetime) -> Iterator[Look]:
    if at > now:
        yield WALL, at


def _instant(row: Row, name: str) -> datetime | None:
    us = as_instant(row.instant(name))
    return None if us == MISSING_INSTANT else EPOCH + us * MICROSECOND
