"""Merge `days`: the days on which something happened, for exact distinct counts in any recent window, past ones too.

64 bits of days and 64 bits of weeks, both counted back from the newest. Source: docs/scoring.md#days
"""

from collections.abc import Iterable

from msgspec import Struct

from services.scoring.domain.instants import DAYS_PER_WEEK, week_of

BITS = 64
_MASK = (1 << BITS) - 1


class Days(Struct, frozen=True, array_like=True, tag=2):
    """Bit i of `days` is the day `newest - i`, of `weeks` the week of `newest` less i. `first`: the first day ever."""

    newest: int
    days: int
    weeks: int
    first: int


def of(days: Iterable[int]) -> Days:
    """A set of days, which must not be empty."""
    known = set(days)
    newest = max(known)
    week = week_of(newest)
    bits = sum(1 << newest - day for day in known if newest - day < BITS)
    weeks = sum(1 << week - other for other in {week_of(day) for day in known} if week - other < BITS)
    return Days(newest, bits, weeks, min(known))


def merge(a: Days, b: Days) -> Days:
    """Align to the newer, then or. Commutative, associative, idempotent."""
    old, new = (a, b) if a.newest < b.newest else (b, a)
    bits = new.days | (old.days << new.newest - old.newest if new.newest - old.newest < BITS else 0) & _MASK
    apart = week_of(new.newest) - week_of(old.newest)
    weeks = new.weeks | (old.weeks << apart if apart < BITS else 0) & _MASK
    return Days(new.newest, bits, weeks, min(a.first, b.first))


def count(value: Days, end_day: int, days: int) -> int | None:
    """Active days among `end_day` and the `days - 1` before it; None where that reaches further back than is known."""
    begin = max(end_day - days + 1, value.first)
    if begin > min(end_day, value.newest):
        return 0
    if value.newest - begin >= BITS:
        return None
    low = max(value.newest - end_day, 0)
    width = value.newest - begin - low + 1
    return (value.days >> low & (1 << width) - 1).bit_count()


def any_in(value: Days, end_day: int, days: int) -> bool | None:
    """Was there an active day in the window? None where nobody can know any more.

    Beyond the 64 days, an active week proves activity if it lies wholly inside, and a silent one silence.
    """
    found = count(value, end_day, days)
    if found is not None:
        return found > 0
    kept = end_day - (value.newest - BITS)
    if kept > 0 and count(value, end_day, kept):
        return True
    begin = max(end_day - days + 1, value.first)
    touching = range(week_of(begin), week_of(end_day) + 1)
    inside = range(week_of(begin + DAYS_PER_WEEK - 1), week_of(end_day + 1))
    if any(_is_active(value, week) for week in inside):
        return True
    return None if any(_is_active(value, week) is not False for week in touching) else False


def _is_active(value: Days, week: int) -> bool | None:
    back = week_of(value.newest) - week
    if back >= BITS:
        return None
    return back >= 0 and bool(value.weeks >> back & 1)
