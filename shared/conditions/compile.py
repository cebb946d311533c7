"""Conditions over columns: one pass of numpy per test, for one account, a batch or a fleet.

Three values (Kleene). Inside they are ranks, false 0 < unknown 1 < true 2: `all` is the least, `any` the greatest,
`not` the mirror. Outside: 1 true, 0 false, -1 unknown. Unknown changes nothing: it neither opens nor resolves.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from shared.conditions.columns import MISSING_INSTANT, Columns, Floats, Instants, Objects
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

TRUE, FALSE, UNKNOWN = 1, 0, -1

Truth = NDArray[np.int8]
Known = NDArray[np.bool_]
Numbers = Floats | Instants
Evaluate = Callable[[Columns], Truth]

_FALSE, _UNKNOWN, _TRUE = np.int8(0), np.int8(1), np.int8(2)
_OUTSIDE = np.array([FALSE, UNKNOWN, TRUE], dtype=np.int8)
_COMPARE: dict[Operator, Callable[[Numbers, Numbers], Known]] = {
    "below": np.less,
    "above": np.greater,
    "at_least": np.greater_equal,
    "at_most": np.less_equal,
    "is": np.equal,
}


def compile_(condition: Condition) -> Evaluate:
    """A pure function of columns: int8 of length n, 1 true, 0 false, -1 unknown."""
    ranks = _ranks(condition)

    def evaluate(columns: Columns) -> Truth:
        return _OUTSIDE[np.broadcast_to(ranks(columns), columns.n)]

    return evaluate


def _ranks(condition: Condition) -> Evaluate:  # noqa: PLR0911 - one line per kind of condition
    match condition:
        case All(parts):
            return _fold(np.minimum, [_ranks(part) for part in parts])
        case Any_(parts):
            return _fold(np.maximum, [_ranks(part) for part in parts])
        case Not(part):
            return _mirror(_ranks(part))
        case Signal() | Change():
            return lambda columns: _numeric(columns, _numbers(columns, condition), condition)
        case Age() | Until():
            return lambda columns: _timed(columns, condition)
        case Status():
            return lambda columns: _status(columns.statuses.get(condition.name), condition.one_of)
        case Field():
            return lambda columns: _field(columns, condition)
        case Missing(name):
            return lambda columns: _missing(columns, name)


def _fold(join: np.ufunc, parts: list[Evaluate]) -> Evaluate:
    def evaluate(columns: Columns) -> Truth:
        result = parts[0](columns)
        for part in parts[1:]:
            result = join(result, part(columns))
        return result

    return evaluate


def _mirror(part: Evaluate) -> Evaluate:
    return lambda columns: 2 - part(columns)


def _rank(holds: Known, known: Known) -> Truth:
    return np.where(known, np.where(holds, _TRUE, _FALSE), _UNKNOWN)


def _numbers(columns: Columns, test: Signal | Change) -> Floats:
    found = columns.signals.get(test.name) if isinstance(test, Signal) else columns.changes.get((test.name, test.days))
    return np.full(1, np.nan) if found is None else found


def _numeric(columns: Columns, values: Floats, test: Signal | Change | Field) -> Truth:
    known = ~np.isnan(values)
    result = _compared(columns, values, known, test.comparisons)
    if isinstance(test, Signal) and test.one_of:
        result = np.minimum(result, _rank(np.isin(values, np.array(test.one_of)), known))
    return result


def _timed(columns: Columns, test: Age | Until) -> Truth:
    instants = columns.instants.get(test.instant)
    if instants is None:
        return np.ones(1, dtype=np.int8)
    known = instants != MISSING_INSTANT
    anchored = np.where(known, instants, 0)
    now = np.asarray(columns.now_us, dtype=np.int64)
    if isinstance(test, Until):
        return _compared(columns, anchored - now, known, test.comparisons)
    ends = columns.ends_us.get(test.instant)
    if ends is not None:
        known = known & (ends != MISSING_INSTANT)
        now = np.minimum(now, np.where(known, ends, 0))
    return _compared(columns, now - anchored, known, test.comparisons)


def _compared(columns: Columns, values: Numbers, known: Known, comparisons: tuple[Comparison, ...]) -> Truth:
    result = np.full(1, 2, dtype=np.int8)
    for comparison in comparisons:
        bounds, bounded = _bounds(columns, comparison.bound, values.dtype)
        holds = _COMPARE[comparison.operator](values, bounds)
        result = np.minimum(result, _rank(holds, known & bounded))
    return result


def _bounds(columns: Columns, bound: float | By, dtype: np.dtype[Any]) -> tuple[Numbers, Known]:
    """The bound of each row and whether there is one: `else` stands in for a status that has no case or no value."""
    if not isinstance(bound, By):
        return np.array([bound], dtype=dtype), np.ones(1, dtype=np.bool_)
    statuses = columns.statuses.get(bound.status)
    rows = 1 if statuses is None else len(statuses)
    values = np.full(rows, 0 if bound.otherwise is None else bound.otherwise, dtype=dtype)
    bounded = np.full(rows, bound.otherwise is not None, dtype=np.bool_)
    if statuses is not None:
        for status, case in bound.cases:
            chosen = statuses == status
            values[chosen], bounded[chosen] = case, True
    return values, bounded


def _status(values: Objects | None, accepted: tuple[str, ...]) -> Truth:
    if values is None:
        return np.ones(1, dtype=np.int8)
    among = np.zeros(len(values), dtype=np.bool_)
    for value in accepted:
        among |= values == value
    return _rank(among, values != None)  # noqa: E711 - elementwise


def _one_of(values: Objects | None, accepted: tuple[Scalar, ...]) -> Truth:
    if values is None:
        return np.ones(1, dtype=np.int8)
    known = np.array([value is not None for value in values], dtype=np.bool_)
    return _rank(np.array([_is_among(value, accepted) for value in values], dtype=np.bool_), known)


def _is_among(value: object, accepted: tuple[Scalar, ...]) -> bool:
    # In Python True == 1; in a field a flag is never a number.
    return any(value == scalar and isinstance(value, bool) == isinstance(scalar, bool) for scalar in accepted)


def _field(columns: Columns, test: Field) -> Truth:
    values = columns.fields.get(test.name)
    result = _one_of(values, test.one_of) if test.one_of else np.full(1, 2, dtype=np.int8)
    if test.comparisons:
        numbers = np.full(1, np.nan) if values is None else np.array([_as_number(value) for value in values])
        result = np.minimum(result, _numeric(columns, numbers, test))
    return result


def _as_number(value: object) -> float:
    """Decimals travel as strings; what is no number at all is missing."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return np.nan
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return np.nan
    return number if np.isfinite(number) else np.nan


def _missing(columns: Columns, name: str) -> Truth:
    """True where no column of this name, of whatever kind, has a value."""
    absent = np.ones(1, dtype=np.bool_)
    if name in columns.signals:
        absent = absent & np.isnan(columns.signals[name])
    if name in columns.instants:
        absent = absent & (columns.instants[name] == MISSING_INSTANT)
    for column in (columns.statuses.get(name), columns.fields.get(name)):
        if column is not None:
            absent = absent & np.array([value is None for value in column], dtype=np.bool_)
    return _rank(absent, np.ones(1, dtype=np.bool_))
