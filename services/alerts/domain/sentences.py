"""Why a condition's alert is open, as a person reads it: bounds that depend on a status are said as they are here."""

from collections.abc import Mapping

from msgspec.structs import replace

from services.alerts.domain.evaluation import Row, status_of
from shared.conditions.terms import All, Any_, By, Comparison, Condition, Missing, Not, Status
from shared.conditions.words import words


def sentence(condition: Condition, row: Row, record: str | None) -> str:
    """`ticket T-7: priority is urgent and opened was at least 2 days ago`."""
    statuses = {name: status_of(row.snapshot, name) for name in row.snapshot.statuses}
    said = words(_settled(condition, statuses))
    return f"{record} {row.key}: {said}" if record else said


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
