"""How a condition is read from YAML objects.

A condition is a test of one name or `all`, `any`, `not` of conditions. Several operators in one test must all hold.
`parse` refuses what it does not know and says where, what it found and what it expected.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from shared.conditions.durations import EXPECTATION, duration_us
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
    walk,
)

OPERATORS: tuple[Operator, ...] = ("below", "above", "at_least", "at_most", "is")
INEQUALITIES: tuple[Operator, ...] = ("below", "above", "at_least", "at_most")
CHANGE_DAYS = {"1d": 1, "7d": 7, "30d": 30, "90d": 90}  # what a snapshot carries; other spans are not known
DEPTH_MAX = 16  # people nest three deep; recursion must end whoever wrote it
TESTS_MAX = 256  # a condition is evaluated per account and batch
VALUES_MAX = 1_000  # of one `in` or `by`; a longer list is a field of its own
TEXT_LENGTH_MAX = 200


class BadCondition(ValueError):
    """`path` is a JSON pointer into what was parsed; `value` what stood there; `expectation` what may stand there."""

    def __init__(self, path: str, value: object, expectation: str) -> None:
        self.path, self.value, self.expectation = path, value, expectation
        shown = repr(value)
        shown = shown if len(shown) <= TEXT_LENGTH_MAX else shown[:TEXT_LENGTH_MAX] + "..."
        super().__init__(f"{path or '/'}: found {shown}, expected {expectation}")


def parse(written: object) -> Condition:
    """The condition that a YAML or JSON object writes. Raises BadCondition. Source: DESIGN, "Conditions"."""
    condition = _condition(written, "", 1)
    count = sum(1 for _ in walk(condition))
    if count > TESTS_MAX:
        raise BadCondition("", f"{count} tests", f"at most {TESTS_MAX} tests")
    return condition


def _condition(written: object, path: str, depth: int) -> Condition:
    if depth > DEPTH_MAX:
        raise BadCondition(path, "...", f"at most {DEPTH_MAX} levels")
    if not isinstance(written, Mapping) or not all(isinstance(key, str) for key in written):
        raise BadCondition(path, written, "an object with one of " + ", ".join(KINDS))
    kinds = [kind for kind in KINDS if kind in written]
    if len(kinds) != 1:
        raise BadCondition(path, dict(written), "exactly one of " + ", ".join(KINDS))
    return KINDS[kinds[0]](written, path, depth)


def _parts(kind: str, written: Mapping[str, Any], path: str, depth: int) -> tuple[Condition, ...]:
    _only(written, path, kind)
    parts = written[kind]
    if not isinstance(parts, list | tuple) or not parts:
        raise BadCondition(f"{path}/{kind}", parts, "a list of at least one condition")
    return tuple(_condition(part, f"{path}/{kind}/{index}", depth + 1) for index, part in enumerate(parts))


def _all(written: Mapping[str, Any], path: str, depth: int) -> Condition:
    return All(_parts("all", written, path, depth))


def _any(written: Mapping[str, Any], path: str, depth: int) -> Condition:
    return Any_(_parts("any", written, path, depth))


def _not(written: Mapping[str, Any], path: str, depth: int) -> Condition:
    _only(written, path, "not")
    return Not(_condition(written["not"], f"{path}/not", depth + 1))


def _signal(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "signal", *OPERATORS, "in")
    one_of = tuple(_number(value, at) for value, at in _listed(written, path))
    return Signal(
        _name(written, "signal", path),
        _comparisons(written, path, OPERATORS, _number, may_be_empty=bool(one_of)),
        one_of,
    )


def _change(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "change", "over", *OPERATORS)
    days = CHANGE_DAYS.get(str(written.get("over")))
    if days is None:
        raise BadCondition(f"{path}/over", written.get("over"), "one of " + ", ".join(CHANGE_DAYS))
    return Change(_name(written, "change", path), days, _comparisons(written, path, OPERATORS, _number))


def _age(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "age", *INEQUALITIES)
    return Age(_name(written, "age", path), _comparisons(written, path, INEQUALITIES, _duration))


def _until(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "until", *INEQUALITIES)
    return Until(_name(written, "until", path), _comparisons(written, path, INEQUALITIES, _duration))


def _status(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "status", "is", "in")
    values = [(written["is"], f"{path}/is")] if "is" in written else []
    values += _listed(written, path)
    if ("is" in written) == ("in" in written):
        raise BadCondition(path, dict(written), "either is or in")
    return Status(_name(written, "status", path), tuple(_text(value, at) for value, at in values))


def _field(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "field", *OPERATORS, "in")
    values = [(written["is"], f"{path}/is")] if "is" in written else []
    one_of = tuple(_scalar(value, at) for value, at in values + _listed(written, path))
    comparisons = _comparisons(written, path, INEQUALITIES, _number, may_be_empty=bool(one_of))
    return Field(_name(written, "field", path), comparisons, one_of)


def _missing(written: Mapping[str, Any], path: str, _depth: int) -> Condition:
    _only(written, path, "missing")
    return Missing(_name(written, "missing", path))


KINDS: dict[str, Callable[[Mapping[str, Any], str, int], Condition]] = {
    "all": _all,
    "any": _any,
    "not": _not,
    "signal": _signal,
    "age": _age,
    "until": _until,
    "status": _status,
    "field": _field,
    "change": _change,
    "missing": _missing,
}


def _only(written: Mapping[str, Any], path: str, *known: str) -> None:
    for key in written:
        if key not in known:
            raise BadCondition(f"{path}/{key}", written[key], "only " + ", ".join(known))


def _name(written: Mapping[str, Any], kind: str, path: str) -> str:
    return _text(written[kind], f"{path}/{kind}")


def _text(value: object, path: str) -> str:
    if isinstance(value, bool):
        raise BadCondition(path, value, "text; YAML reads on, off, yes and no as true and false: put it in quotes")
    if not isinstance(value, str) or not 0 < len(value) <= TEXT_LENGTH_MAX:
        raise BadCondition(path, value, f"text of 1 to {TEXT_LENGTH_MAX} characters")
    return value


def _number(value: object, path: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise BadCondition(path, value, "a finite number (durations belong to age and until)")
    return float(value)


def _duration(value: object, path: str) -> int:
    us = duration_us(value)
    if us is None:
        raise BadCondition(path, value, EXPECTATION)
    return us


def _scalar(value: object, path: str) -> Scalar:
    return value if isinstance(value, bool) else _text(value, path) if isinstance(value, str) else _number(value, path)


def _listed(written: Mapping[str, Any], path: str) -> list[tuple[Any, str]]:
    if "in" not in written:
        return []
    values = written["in"]
    if not isinstance(values, list | tuple) or not 0 < len(values) <= VALUES_MAX:
        raise BadCondition(f"{path}/in", values, f"a list of 1 to {VALUES_MAX} values")
    return [(value, f"{path}/in/{index}") for index, value in enumerate(values)]


def _comparisons(
    written: Mapping[str, Any],
    path: str,
    operators: tuple[Operator, ...],
    read: Callable[[object, str], float],
    *,
    may_be_empty: bool = False,
) -> tuple[Comparison, ...]:
    found = tuple(
        Comparison(operator, _bound(written[operator], f"{path}/{operator}", read))
        for operator in operators
        if operator in written
    )
    if not found and not may_be_empty:
        raise BadCondition(path, dict(written), "at least one of " + ", ".join(operators))
    return found


def _bound(written: object, path: str, read: Callable[[object, str], float]) -> float | By:
    if not isinstance(written, Mapping):
        return read(written, path)
    if "by" not in written or len(written) > VALUES_MAX:
        raise BadCondition(path, dict(written), "a value, or {by: status, value: bound, ..., else: bound}")
    cases = tuple(
        (_text(value, f"{path}/{value}"), read(bound, f"{path}/{value}"))
        for value, bound in written.items()
        if value not in ("by", "else")
    )
    otherwise = read(written["else"], f"{path}/else") if "else" in written else None
    if not cases:
        raise BadCondition(path, dict(written), "at least one value of the status with its bound")
    return By(_text(written["by"], f"{path}/by"), cases, otherwise)
