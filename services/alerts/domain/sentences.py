"""Why a condition's alert is open, as a person reads it: bounds that depend on a status are said as they are here."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

from msgspec.structs import replace

from services.alerts.domain.evaluation import Row, status_of
from services.alerts.domain.rules import Rule, When
from shared.conditions.columns import MISSING_INSTANT, as_instant, microseconds
from shared.conditions.durations import DAY_US, HOUR_US, duration_words
from shared.conditions.terms import All, Any_, By, Comparison, Condition, Missing, Not, Status
from shared.conditions.words import words

IN_DAYS_US = 2 * DAY_US  # a younger age is said in hours


def sentence(rule: Rule, row: Row, now: datetime) -> str:
    """`ticket T-7: priority is urgent and opened was at least 2 days ago`, or what the rule says in its own words."""
    if rule.words is not None:
        fields = {name: _field(value, now) for name, value in row.fields.items()}
        return rule.words.format_map(defaultdict(lambda: "something unknown", fields))
    if not isinstance(rule.trigger, When):
        return ""
    statuses = {name: status_of(row.snapshot, name) for name in row.snapshot.statuses}
    said = words(_settled(rule.trigger.condition, statuses))
    return f"{rule.record} {row.key}: {said}" if rule.record else said


def _field(value: object, now: datetime) -> str:
    """A time as how long ago it was, in whole hours or days."""
    us = as_instant(value)
    if us == MISSING_INSTANT:
        return str(value)
    age = max(0, microseconds(now) - us)
    unit = HOUR_US if age < IN_DAYS_US else DAY_US
    return duration_words(age // unit * unit)


def _settled(condition: Condition, statuses: Mapping[str, str | None]) -> Condition:
    match condition:
        case All(parts):
            return All(tuple(_settled(part, statuses) for part in parts))
        case Any_(parts):
            return Any_(tuple(_settled(part, statuses) for part in parts))
        case Not(part):
            return Not(_settled(part, statuses))
        case Status() | Missing():
            return condition
        case _:
            return replace(condition, comparisons=tuple(_one_bound(c, statuses) for c in condition.comparisons))


def _one_bound(comparison: Comparison, statuses: Mapping[str, str | None]) -> Comparison:
    bound = comparison.bound
    if not isinstance(bound, By):
        return comparison
    chosen = dict(bound.cases).get(statuses.get(bound.status) or "", bound.otherwise)
    return comparison if chosen is None else replace(comparison, bound=chosen)
