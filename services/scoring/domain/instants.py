"""Instants as whole microseconds since 1970 in UTC, days and weeks as whole numbers of them. Exact, sortable, small."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
DAY_US = 86_400_000_000
DAYS_PER_WEEK = 7
_FIRST_US = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
_LAST_US = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
_THURSDAY = 3  # 1970-01-01 was one; weeks begin on Monday


def us_of(moment: datetime) -> int:
    """Microseconds since 1970. `moment` is aware; any zone. Kept within the years 1 to 9999 of UTC.

    A zone can carry a time of year 1 into year 0, which no datetime can say: one such event must stop nobody.
    """
    since = moment - EPOCH
    us = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return min(max(us, _FIRST_US), _LAST_US)


def datetime_of(us: int) -> datetime:
    """The inverse of `us_of`, in UTC."""
    return EPOCH + us * MICROSECOND


def day_of(us: int) -> int:
    """The UTC day, counted from 1970-01-01."""
    return us // DAY_US


def week_of(day: int) -> int:
    """The week (Monday to Sunday) of a day, counted from the week of 1970-01-01."""
    return (day + _THURSDAY) // DAYS_PER_WEEK


def first_day_of(week: int) -> int:
    """The Monday of a week."""
    return week * DAYS_PER_WEEK - _THURSDAY
