"""When an account must be looked at though nothing arrives, and on which clock.

The wall's clock for deadlines, `for`, gates and due times. A stream's clock (its newest time) for ages that end with
the stream: their edge can only be passed by the stream itself, so a stalled stream costs no looks, and the first event
of anybody brings the silent accounts up.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

from services.alerts.domain.evaluation import Row, status_of
from shared.conditions.columns import EPOCH, MICROSECOND, MISSING_INSTANT, as_instant
from shared.conditions.due import next_change
from shared.conditions.terms import Age, Condition, Until, walk

WALL = ""

Look = tuple[str, datetime]  # clock, when


def looks_of(
    condition: Condition, row: Row, now: datetime, streams: Mapping[str, str], freshness: Mapping[str, datetime]
) -> Iterator[Look]:
    """The next instant of each test of time in the condition at which its answer may change."""
    for _, test in walk(condition):
        if not isinstance(test, Age | Until):
            continue
        instant = _instant(row, test.instant)
        if instant is None:
            continue
        clock = streams.get(test.instant, WALL) if isinstance(test, Age) else WALL
        if clock not in freshness:
            clock = WALL
        reached = now if clock == WALL else min(now, freshness[clock])
        statuses = {name: status_of(row.snapshot, name) for name in row.snapshot.statuses}
        at = next_change(test, {test.instant: instant}, reached, statuses=statuses)
        if at is not None:
            yield clock, at


def earliest(looks: Iterable[Look]) -> dict[str, datetime]:
    """Per clock the first."""
    found: dict[str, datetime] = {}
    for clock, at in looks:
        if clock not in found or at < found[clock]:
            found[clock] = at
    return found


def _instant(row: Row, name: str) -> datetime | None:
    us = as_instant(row.instant(name))
    return None if us == MISSING_INSTANT else EPOCH + us * MICROSECOND
