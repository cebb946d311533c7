"""Conditions over one row, without arrays: for one account and its records some twenty times faster than columns.

The answers are those of `shared.conditions.compile`, which serves fleets; a property test holds the two together.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from operator import eq, ge, gt, le, lt

from shared.conditions.terms import (
    Age,
    All,
    Any_,
    By,
    Change,
    Comparison,
    Condition,
    Field,
    Missing,
    Not,
    Operator,
    Scalar,
    Signal,
    Status,
    Until,
)

Truth = bool | None  # None: unknown


@dataclass(slots=True)
class Row:
    """What is known of an account, or of one of its records. Instants and ends in microseconds; None is missing.

    ends: per instant the newest time of its stream, to which ages run; without one they run to now.
    """

    now_us: int
    signals: Mapping[str, float | None] = field(default_factory=dict)
    instants: Mapping[str, int | None] = field(default_factory=dict)
    ends_us: Mapping[str, int] = field(default_factory=dict)
    statuses: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, object] = field(default_factory=dict)
    changes: Mapping[tuple[str, int], float | None] = field(default_factory=dict)


Holds = Callable[[Row], Truth]
_Number = Callable[[Row], float | None]
_COMPARE: dict[Operator, Callable[[float, float], bool]] = {
    "below": lt,
    "above": gt,
    "at_least": ge,
    "at_most": le,
    "is": eq,
}


def compile_row(condition: Condition) -> Holds:  # noqa: PLR0911 - one line per kind of condition
    """A pure function of a row: true, false, or None where it cannot be told."""
    match condition:
        case All(parts):
            return _all([compile_row(part) for part in parts])
        case Any_(parts):
            return _any([compile_row(part) for part in parts])
        case Not(part):
            return _not(compile_row(part))
        case Status(name, one_of):
            return lambda row: _among(row.statuses.get(name), one_of)
        case Missing(name):
            return lambda row: _is_missing(row, name)
        case Field(name, comparisons, one_of):
            passes = _compared(lambda row: number_in(row.fields.get(name)), comparisons)
            return _all([lambda row: _among(row.fields.get(name), one_of), passes]) if one_of else passes
        case _:
            return _number(condition)


def _number(test: Signal | Change | Age | Until) -> Holds:
    match test:
        case Signal(name, comparisons, one_of):
            passes = _compared(lambda row: row.signals.get(name), comparisons)
            return _all([lambda row: _among(row.signals.get(name), one_of), passes]) if one_of else passes
        case Change(name, days, comparisons):
            return _compared(lambda row: row.changes.get((name, days)), comparisons)
        case Age(name, comparisons):
            return _compared(lambda row: _age(row, name), comparisons)
        case Until(name, comparisons):
            return _compared(lambda row: _until(row, name), comparisons)


def _all(parts: list[Holds]) -> Holds:
    def holds(row: Row) -> Truth:
        result: Truth = True
        for part in parts:
            truth = part(row)
            if truth is False:
                return False
            if truth is None:
                result = None
        return result

    return holds


def _any(parts: list[Holds]) -> Holds:
    return _not(_all([_not(part) for part in parts]))


def _not(part: Holds) -> Holds:
    def holds(row: Row) -> Truth:
        truth = part(row)
        return None if truth is None else not truth

    return holds


def _compared(number: _Number, comparisons: tuple[Comparison, ...]) -> Holds:
    tests = [(_COMPARE[comparison.operator], comparison.bound) for comparison in comparisons]

    def holds(row: Row) -> Truth:
        value = number(row)
        if value is None:
            return None if tests else True
        result: Truth = True
        for compare, written in tests:
            bound = _bound(row, written) if isinstance(written, By) else written
            if bound is None:
                result = None
            elif not compare(value, bound):
                return False
        return result

    return holds


def _bound(row: Row, by: By) -> float | None:
    status = row.statuses.get(by.status)
    return next((bound for value, bound in by.cases if value == status), by.otherwise)


def _age(row: Row, name: str) -> int | None:
    instant = row.instants.get(name)
    return None if instant is None else min(row.now_us, row.ends_us.get(name, row.now_us)) - instant


def _until(row: Row, name: str) -> int | None:
    instant = row.instants.get(name)
    return None if instant is None else instant - row.now_us


def _among(value: object, accepted: tuple[Scalar, ...]) -> Truth:
    if value is None:
        return None
    # In Python True == 1; in a field a flag is never a number.
    return any(value == scalar and isinstance(value, bool) == isinstance(scalar, bool) for scalar in accepted)


def _is_missing(row: Row, name: str) -> bool:
    columns: tuple[Mapping[str, object], ...] = (row.signals, row.instants, row.statuses, row.fields)
    return all(column.get(name) is None for column in columns)


def number_in(value: object) -> float | None:
    """Decimals travel as strings; what is no number at all is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None
