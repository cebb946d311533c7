"""Statuses and reasons: named values chosen by ordered conditions, each with the instant since when it has held.

Without memory a status is a pure function of the reading. With memory, unknown changes nothing. Source:
docs/scoring.md#statuses
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from services.scoring.domain.definitions import Reason, StatusRule
from shared.conditions.one_row import Row
from shared.contracts.health import Cause, StatusValue
from shared.contracts.health import Reason as ReasonShown


def value_of(rule: StatusRule, row: Row, previous: StatusValue | None) -> str | None:
    """The first value whose condition is true; None if none is.

    With memory the value before stays while its own condition, or that of one that would come first, is unknown.
    """
    unknown_before = False
    for value, holds in rule.values:
        truth = True if holds is None else holds(row)
        if rule.has_memory and previous and truth is None:
            unknown_before = unknown_before or value == previous.value
        if truth:
            return previous.value if previous and unknown_before else value
    return previous.value if previous and unknown_before else None


def since(value: str, previous: StatusValue | None, now: datetime, cause: Cause, *, stale: bool = False) -> StatusValue:
    """The status with its history of one: what it was before, and when that ended."""
    if previous is None:
        return StatusValue(value=value, since=now, cause=cause, stale=stale)
    if previous.value == value:
        if previous.stale == stale:
            return previous
        return StatusValue(
            value=value, since=previous.since, previous=previous.previous, cause=previous.cause, stale=stale
        )
    return StatusValue(value=value, since=now, previous=previous.value, cause=cause, stale=stale)


def reasons_of(
    rules: Sequence[Reason], row: Row, words: Mapping[str, str], previous: Sequence[ReasonShown], now: datetime
) -> list[ReasonShown]:
    """The named risks that hold, in the catalogue's order. One that cannot be told any more stays as it was."""
    before = {reason.code: reason for reason in previous}
    found: list[ReasonShown] = []
    for rule in rules:
        truth = rule.holds(row)
        known = before.get(rule.code)
        if truth is None and known:
            found.append(known)
        elif truth:
            found.append(ReasonShown(rule.code, words[rule.code], known.since if known else now))
    return found
