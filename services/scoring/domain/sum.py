"""Merge `sum`: integers per day for 56 weeks, then per week for 5 years, then one total.

Whole weeks move over, and the newest day decides which: the split depends on the set of days alone, so sums of the
same events are equal in whatever order and portions they were added. Source: docs/scoring.md#sum
"""

import math
from collections.abc import Mapping

from msgspec import Struct

from services.scoring.domain.instants import DAYS_PER_WEEK, first_day_of, week_of

WEEKS_OF_DAYS = 56  # a year and its neighbour week: this month against the same month a year ago, day by day
WEEKS_OF_WEEKS = 261  # 5 years


class Sum(Struct, frozen=True, array_like=True, tag=0):
    """`days` and `weeks`: number of the day or week -> amount. `days` is never empty: the newest day is in it."""

    days: dict[int, int]
    weeks: dict[int, int] = {}
    older: int = 0


def of_days(amounts: Mapping[int, int]) -> Sum:
    """The sum of amounts per day, which must not be empty."""
    return _split(dict(amounts), {}, 0)


def merge(a: Sum, b: Sum) -> Sum:
    """Both together. Commutative and associative; not idempotent: duplicates end at the archive."""
    return _split(_added(a.days, b.days), _added(a.weeks, b.weeks), a.older + b.older)


def total(value: Sum) -> int:
    """Of all time."""
    return sum(value.days.values()) + sum(value.weeks.values()) + value.older


def window(value: Sum, end_day: int, days: int) -> int:
    """The sum of `end_day` and the `days - 1` before it. Exact while that lies within the 56 weeks kept by day.

    Of an older week that the window cuts, its share by days is counted, rounded down.
    """
    begin = end_day - days + 1
    inside = sum(amount for day, amount in value.days.items() if begin <= day <= end_day)
    return inside + sum(_share(week, amount, begin, end_day) for week, amount in value.weeks.items())


def level(value: Sum, end_day: int, half_life_days: float) -> float:
    """Days with an amount above zero up to `end_day`, each worth half as much per half-life.

    Steady daily use comes to about 1.44 half-lives. Weeks beyond the days kept are left out: with a half-life of
    90 days they would add less than 5%. Source: docs/scoring.md#level
    """
    ages = (end_day - day for day, amount in value.days.items() if amount > 0 and day <= end_day)
    # fsum is exact: a plain sum of floats depends on its order, and the order of a dict on the history of its merges.
    return math.fsum(0.5 ** (age / half_life_days) for age in ages)


def reaches_back_to(value: Sum, day: int) -> bool:
    """Was there an amount on that day or before?"""
    return bool(value.weeks or value.older) or min(value.days) <= day


def newest_day(value: Sum) -> int:
    """The last day with an amount, even of zero."""
    return max(value.days)


def _split(days: dict[int, int], weeks: dict[int, int], older: int) -> Sum:
    newest_week = week_of(max(days))
    first_day = first_day_of(newest_week - WEEKS_OF_DAYS + 1)
    for day in [day for day in days if day < first_day]:
        week = week_of(day)
        weeks[week] = weeks.get(week, 0) + days.pop(day)
    first_week = newest_week - WEEKS_OF_DAYS - WEEKS_OF_WEEKS + 1
    for week in [week for week in weeks if week < first_week]:
        older += weeks.pop(week)
    return Sum(days, weeks, older)


def _added(a: Mapping[int, int], b: Mapping[int, int]) -> dict[int, int]:
    small, large = (a, b) if len(a) < len(b) else (b, a)
    result = dict(large)
    for at, amount in small.items():
        result[at] = result.get(at, 0) + amount
    return result


def _share(week: int, amount: int, begin: int, end: int) -> int:
    monday = first_day_of(week)
    covered = min(end, monday + DAYS_PER_WEEK - 1) - max(begin, monday) + 1
    return amount * max(covered, 0) // DAYS_PER_WEEK
