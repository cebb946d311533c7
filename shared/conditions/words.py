"""The sentence people read for a condition."""

import re
from collections.abc import Callable, Mapping

from shared.conditions.durations import duration_words
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
    Test,
    Until,
)

PHRASES: dict[Operator, str] = {
    "below": "below",
    "above": "above",
    "at_least": "at least",
    "at_most": "at most",
    "is": "exactly",
}
SPANS: dict[Operator, str] = PHRASES | {"below": "less than", "above": "more than"}

_WINDOW = re.compile(r"(?P<name>.+)_(?P<days>\d+)d")

Labels = Mapping[str, str]


def words(condition: Condition, labels: Labels | None = None) -> str:
    """A sentence without capital or full stop. `labels`: what the catalogue calls a name, else the name says it."""
    return _said(condition, labels or {})


def plain(name: str) -> str:
    """`active_users_28d` -> `active users over 28 days`; `last_session_at` -> `last session`."""
    window = _WINDOW.fullmatch(name)
    if window:
        return f"{plain(window['name'])} over {_days(int(window['days']))}"
    return name.removesuffix("_at").replace("_", " ")


def _said(condition: Condition, labels: Labels) -> str:
    match condition:
        case All(parts):
            return " and ".join(_inner(part, labels) for part in parts)
        case Any_(parts):
            return " or ".join(_inner(part, labels) for part in parts)
        case Not(Missing(name)):
            return f"{_label(name, labels)} is known"
        case Not(Status() | Signal() | Field() as test):
            return _test(test, labels, "is not")
        case Not(part):
            return f"not ({_said(part, labels)})"
        case _:
            return _test(condition, labels, "is")


def _inner(part: Condition, labels: Labels) -> str:
    said = _said(part, labels)
    return f"({said})" if isinstance(part, All | Any_) and len(part.parts) > 1 else said


def _test(test: Test, labels: Labels, verb: str) -> str:
    match test:
        case Status(name, one_of):
            return f"{_label(name, labels)} {verb} {_either(one_of)}"
        case Signal(name, comparisons, one_of) | Field(name, comparisons, one_of):
            said = [_compared(comparison, labels) for comparison in comparisons]
            said += [_either(one_of)] if one_of else []
            return f"{_label(name, labels)} {verb} {' and '.join(said)}"
        case Change(name, days, comparisons):
            moved = " and ".join(_moved(comparison, labels) for comparison in comparisons)
            return f"{_label(name, labels)} {moved} over {_days(days)}"
        case Age(instant, comparisons):
            return f"{_label(instant, labels)} was {_spans(comparisons, labels)} ago"
        case Until(instant, comparisons):
            return f"{_label(instant, labels)} is {_spans(comparisons, labels)} away"
        case Missing(name):
            return f"{_label(name, labels)} is not known"


def _label(name: str, labels: Labels) -> str:
    return labels.get(name) or plain(name)


def _compared(comparison: Comparison, labels: Labels) -> str:
    bound = _bound(comparison, labels, _number)
    return bound if comparison.operator == "is" else f"{PHRASES[comparison.operator]} {bound}"


def _spans(comparisons: tuple[Comparison, ...], labels: Labels) -> str:
    return " and ".join(f"{SPANS[c.operator]} {_bound(c, labels, _duration)}" for c in comparisons)


def _moved(comparison: Comparison, labels: Labels) -> str:
    """A bound on one side of zero says which way: `fell by at least 15`."""
    bound, operator = comparison.bound, comparison.operator
    if not isinstance(bound, By):
        size = _number(abs(bound))
        if bound < 0 and operator in ("at_most", "below"):
            return f"fell by {'at least' if operator == 'at_most' else 'more than'} {size}"
        if bound > 0 and operator in ("at_least", "above"):
            return f"rose by {'at least' if operator == 'at_least' else 'more than'} {size}"
    return f"changed by {SPANS[operator]} {_bound(comparison, labels, _number)}"


def _bound(comparison: Comparison, labels: Labels, said: Callable[[float], str]) -> str:
    bound = comparison.bound
    if not isinstance(bound, By):
        return said(bound)
    cases = [f"{said(case)} for {_label(value, labels)}" for value, case in bound.cases]
    cases += [] if bound.otherwise is None else [f"{said(bound.otherwise)} otherwise"]
    return f"({_label(bound.status, labels)}: {', '.join(cases)})"


def _either(values: tuple[Scalar, ...]) -> str:
    said = [_scalar(value) for value in values]
    return said[0] if len(said) == 1 else f"{', '.join(said[:-1])} or {said[-1]}"


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.replace("_", " ") if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """As written: 0.7, 5, -15, 1,000,000; never 1e+06."""
    return f"{value:,.6f}".rstrip("0").rstrip(".")


def _duration(us: float) -> str:
    return duration_words(int(us))


def _days(days: int) -> str:
    return "1 day" if days == 1 else f"{days} days"
