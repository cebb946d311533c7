"""Names, types and units of a condition, held against what the catalogue knows."""

import difflib
import math
from collections.abc import Iterator, Mapping
from typing import Literal

from msgspec import Struct

from shared.conditions.terms import (
    Age,
    By,
    Change,
    Comparison,
    Condition,
    Field,
    Missing,
    Operator,
    Signal,
    Status,
    Test,
    Until,
    walk,
)

FieldType = Literal["text", "number", "flag", "instant"]


class Measure(Struct, frozen=True):
    """What a number counts and where it can lie. Units that count whole things: count, users, days, ..."""

    unit: str = "count"
    low: float = -math.inf
    high: float = math.inf
    is_whole: bool = False


class Vocabulary(Struct, frozen=True, kw_only=True):
    """Every name that a condition may use. A status without values is open. `fields`: of the record in `for_each`."""

    signals: Mapping[str, Measure] = {}
    instants: frozenset[str] = frozenset()
    statuses: Mapping[str, frozenset[str]] = {}
    fields: Mapping[str, FieldType] = {}
    changes: frozenset[str] = frozenset()


class Finding(Struct, frozen=True):
    """`path` is a JSON pointer to the test in the condition as written."""

    path: str
    words: str


def lint(condition: Condition, vocabulary: Vocabulary) -> list[Finding]:
    """What is wrong with it, in the order written; empty is clean."""
    return [Finding(path, said) for path, test in walk(condition) for said in _test(test, vocabulary)]


def _test(test: Test, known: Vocabulary) -> Iterator[str]:
    match test:
        case Signal(name, comparisons, one_of):
            yield from _name("signal", name, known)
            yield from _numbers(name, known.signals.get(name), comparisons, one_of)
            yield from _comparisons(comparisons, known)
        case Change(name, _, comparisons):
            yield from _name("change", name, known)
            yield from _comparisons(comparisons, known)
        case Age(name, comparisons) | Until(name, comparisons):
            yield from _name("instant", name, known)
            yield from _comparisons(comparisons, known)
        case Status(name, one_of):
            yield from _name("status", name, known)
            yield from _values(name, one_of, known)
        case Field():
            yield from _name("field", test.name, known)
            yield from _field(test, known)
            yield from _comparisons(test.comparisons, known)
        case Missing(name):
            if not any(name in names for names in _kinds(known).values()):
                yield f"{name} is no known name{_nearest(name, [n for names in _kinds(known).values() for n in names])}"


def _kinds(known: Vocabulary) -> dict[str, list[str]]:
    record_instants = [name for name, kind in known.fields.items() if kind == "instant"]
    return {
        "signal": sorted(known.signals),
        "instant": sorted([*known.instants, *record_instants]),
        "status": sorted(known.statuses),
        "field": sorted(known.fields),
        "change": sorted(known.changes),
    }


def _name(kind: str, name: str, known: Vocabulary) -> Iterator[str]:
    kinds = _kinds(known)
    if name in kinds[kind]:
        return
    elsewhere = [f"a {other}" for other, names in kinds.items() if name in names]
    hint = f"; it is {elsewhere[0]}" if elsewhere else _nearest(name, kinds[kind])
    yield f"{name} is no known {kind}{hint}"


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _values(name: str, values: tuple[str, ...], known: Vocabulary) -> Iterator[str]:
    accepted = known.statuses.get(name)
    for value in values if accepted else ():
        if accepted and value not in accepted:
            yield f"{name} is never {value}; it is one of {', '.join(sorted(accepted))}"


def _numbers(
    name: str, measure: Measure | None, comparisons: tuple[Comparison, ...], one_of: tuple[float, ...]
) -> Iterator[str]:
    if measure is None:
        return
    for bound in [*(bound for c in comparisons for bound in _bounds(c)), *one_of]:
        if not measure.low <= bound <= measure.high:
            yield f"{bound:g} is outside what {name} can be: {measure.low:g} to {measure.high:g} {measure.unit}"
        elif measure.is_whole and not bound.is_integer():
            yield f"{name} counts whole {measure.unit}; {bound:g} is none"


def _bounds(comparison: Comparison) -> list[float]:
    bound = comparison.bound
    if not isinstance(bound, By):
        return [bound]
    return [case for _, case in bound.cases] + ([] if bound.otherwise is None else [bound.otherwise])


def _comparisons(comparisons: tuple[Comparison, ...], known: Vocabulary) -> Iterator[str]:
    for comparison in comparisons:
        if isinstance(comparison.bound, By):
            yield from _by(comparison.bound, known)
    yield from _empty_range({c.operator: c.bound for c in comparisons if not isinstance(c.bound, By)})


def _by(by: By, known: Vocabulary) -> Iterator[str]:
    yield from _name("status", by.status, known)
    cases = tuple(value for value, _ in by.cases)
    yield from _values(by.status, cases, known)
    left_out = sorted(known.statuses.get(by.status, frozenset()) - set(cases))
    if by.otherwise is None and left_out:
        yield f"the bound by {by.status} says nothing for {', '.join(left_out)}; add else"


def _empty_range(bounds: Mapping[Operator, float]) -> Iterator[str]:
    """Low and high bounds that no number can meet both."""
    low = max((bounds[o] for o in ("above", "at_least") if o in bounds), default=-math.inf)
    high = min((bounds[o] for o in ("below", "at_most") if o in bounds), default=math.inf)
    touches = bounds.get("above") == low or bounds.get("below") == high
    if low > high or (low == high and touches):
        yield "its bounds leave no value that could pass"


def _field(test: Field, known: Vocabulary) -> Iterator[str]:
    kind = known.fields.get(test.name)
    if kind is None:
        return
    if test.comparisons and kind != "number":
        yield f"{test.name} is a {kind}: it cannot be compared by size" + ("; use age or until" * (kind == "instant"))
    accepted: dict[FieldType, type] = {"text": str, "number": float, "flag": bool, "instant": type(None)}
    for value in test.one_of:
        if type(value) is not accepted[kind]:
            yield f"{test.name} is a {kind}: it is never {value}"
