"""When a condition could change its answer although no event arrives: the instant at which to look again."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from shared.conditions.columns import EPOCH, MICROSECOND, microseconds
from shared.conditions.terms import Age, By, Comparison, Condition, Until, walk

RECHECK = timedelta(seconds=60)  # shorter costs a look per account while a stream is dead, longer reports silence late
LAST = datetime.max.replace(tzinfo=EPOCH.tzinfo)


def next_change(
    condition: Condition,
    instants: Mapping[str, datetime | None],
    now: datetime,
    *,
    statuses: Mapping[str, str | None] | None = None,
    ends: Mapping[str, datetime] | None = None,
    recheck: timedelta = RECHECK,
) -> datetime | None:
    """The earliest instant after `now` at which the answer may differ when nothing but time moves; None is never.

    Strictly before it the answer is what it is now; at it, it may or may not change. `statuses` choose bounds written
    `{by: ...}`. `ends`: per instant the newest time of its stream, up to which ages run. Where an age's edge lies
    between that and now, only the stream can bring the change: the answer is then at most `now + recheck`.
    """
    at, soonest = microseconds(now), None
    for _, test in walk(condition):
        if not isinstance(test, Age | Until):
            continue
        instant = instants.get(test.instant)
        if instant is None:
            continue
        end = (ends or {}).get(test.instant)
        reached = at if end is None or isinstance(test, Until) else min(at, microseconds(end))
        for edge in _edges(test, microseconds(instant), statuses or {}):
            if edge > reached:
                due = edge if edge > at else at + recheck // MICROSECOND
                soonest = due if soonest is None else min(soonest, due)
    return None if soonest is None else _as_datetime(soonest)


def _edges(test: Age | Until, instant_us: int, statuses: Mapping[str, str | None]) -> Iterator[int]:
    """The first microsecond at which each comparison has turned over."""
    for comparison in test.comparisons:
        bound = _bound(comparison, statuses)
        if bound is None:
            continue
        if isinstance(test, Age):
            yield instant_us + bound + (comparison.operator in ("above", "at_most"))
        else:
            yield instant_us - bound + (comparison.operator in ("below", "at_least"))


def _bound(comparison: Comparison, statuses: Mapping[str, str | None]) -> int | None:
    bound: float | None = None
    if isinstance(comparison.bound, By):
        status = statuses.get(comparison.bound.status)
        bound = next((case for value, case in comparison.bound.cases if value == status), comparison.bound.otherwise)
    else:
        bound = comparison.bound
    return None if bound is None else int(bound)


def _as_datetime(us: int) -> datetime | None:
    return EPOCH + us * MICROSECOND if us <= microseconds(LAST) else None
