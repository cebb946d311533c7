"""Durations as people write them: `10d`, `2h`. Inside they are whole microseconds, so that edges are exact."""

import re

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
YEARS_MAX_US = 100 * 366 * DAY_US  # instants are int64 microseconds: a century either side never overflows

UNITS_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}
NAMES = ((DAY_US, "day"), (HOUR_US, "hour"), (MINUTE_US, "minute"), (SECOND_US, "second"))
EXPECTATION = "a duration of at most a century: a whole number and s, m, h, d or w, such as 10d or 2h"

_DURATION = re.compile(r"(\d{1,10})([smhdw])")


def duration_us(written: object) -> int | None:
    """Microseconds of `10d`; None where it is no duration. Days are 24 hours: everything counts in UTC."""
    match = _DURATION.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        return None
    us = int(match[1]) * UNITS_US[match[2]]
    return us if us <= YEARS_MAX_US else None


def duration_words(us: int) -> str:
    """`10 days`, `36 hours`: the largest unit that says it in whole numbers."""
    if us == 0:
        return "0 days"
    for size, name in NAMES:
        if us % size == 0:
            count = us // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{us / SECOND_US:g} seconds"
