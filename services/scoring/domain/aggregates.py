"""Aggregates over an account's records: those of a kind that pass a condition and were active in a window."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from services.scoring.domain import days
from services.scoring.domain.entries import OverEntry
from services.scoring.domain.instants import DAY_US, datetime_of, day_of, us_of
from services.scoring.domain.kinds import RecordKind, UnknownName, is_time, view
from services.scoring.domain.known import Known
from services.scoring.domain.record import Fields
from shared.conditions.columns import one
from shared.conditions.compile import compile_
from shared.conditions.grammar import parse
from shared.conditions.terms import Age, Condition, Field, Missing, Until, walk

Kinds = Mapping[str, RecordKind]
Keyed = list[tuple[str, Fields]]
Select = Callable[[Known], Keyed | None]


def compile_number(entry: OverEntry, stream: str, kinds: Kinds) -> Callable[[Known], float | None]:
    """A count of records, or sum, mean, median, min, max of a field where it is known; of a time its age in days."""
    kind, select = kind_of(entry, kinds), compile_over(entry, stream, kinds)
    if entry.take == "count":
        return lambda known: _count(select(known))
    of, same, reduce = _taken(entry, kind), entry.same, _REDUCE[entry.take]
    if same:
        kind.field(same)

    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(stream, known.now_us)
        found = select(known) or []
        if same and len({view(kind, fields, (same,), known.now_us)[same] for _, fields in found}) > 1:
            return None
        values = [view(kind, fields, (of,), known.now_us)[of] for _, fields in found]
        numbers = [number for value in values if (number := _measured(value, end_us)) is not None]
        return float(reduce(numbers)) if numbers else None

    return read


def compile_time(entry: OverEntry, stream: str, kinds: Kinds) -> Callable[[Known], int | None]:
    """The least or greatest of a field that says times, in microseconds."""
    kind, select = kind_of(entry, kinds), compile_over(entry, stream, kinds)
    of = _taken(entry, kind)
    if entry.take not in ("min", "max") or not is_time(kind.fields[of]):
        raise ValueError(f"an instant takes min or max of a field that says times; {of} with {entry.take} does not")
    reduce = min if entry.take == "min" else max

    def read(known: Known) -> int | None:
        values = [view(kind, fields, (of,), known.now_us)[of] for _, fields in select(known) or ()]
        times = [us_of(value) for value in values if isinstance(value, datetime)]
        return reduce(times) if times else None

    return read


def over_types(entry: OverEntry, kinds: Kinds) -> frozenset[str]:
    """The event types that can change the aggregate: those that feed the fields it looks at."""
    kind = kind_of(entry, kinds)
    names = {name for name in (entry.of, entry.same) if name}
    names |= {entry.active.field} if entry.active else set()
    names |= set(_names_in(parse(entry.where))) if entry.where else set()
    return frozenset[str]().union(*(kind.types[name] for name in names if name in kind.types))


def compile_over(entry: OverEntry, stream: str, kinds: Kinds) -> Select:
    """The records of a kind that pass; None where the stream is not attached or a window reaches too far back."""
    kind, active = kind_of(entry, kinds), entry.active
    passing = compile_where(kind, entry.where)
    if active is not None:
        kind.field(active.field, "days")

    def select(known: Known) -> Keyed | None:
        end_us = known.ends_us.get(stream)
        if end_us is None:
            return None
        found = list(known.of_kind(entry.over))
        if active is not None:
            end_day = day_of(end_us) - active.ago
            seen = [_active(fields.get(active.field), end_day, active.days) for _, fields in found]
            if None in seen:
                return None
            found = [record for record, is_active in zip(found, seen, strict=True) if is_active]
        return passing(found, known)

    return select


Passing = Callable[[Keyed, Known], Keyed]


def compile_where(kind: RecordKind, written: Mapping[str, object] | None) -> Passing:
    """Those records of which a condition is true; what is unknown does not pass."""
    if written is None:
        return lambda records, _: records
    condition = parse(written)
    names = _names_in(condition)
    for name in names:
        kind.field(name)
    holds = compile_(condition)

    def passing(records: Keyed, known: Known) -> Keyed:
        if not records:
            return []
        views = [view(kind, fields, names, known.now_us) for _, fields in records]
        columns = one(datetime_of(known.now_us)).for_records(views, record_ends(kind, names, known.ends_us))
        return [record for record, truth in zip(records, holds(columns), strict=True) if truth == 1]

    return passing


def record_ends(kind: RecordKind, names: Sequence[str], ends_us: Mapping[str, int]) -> dict[str, datetime]:
    """Per field the end of its stream: where several feed it, the one that is known furthest."""
    ends = {name: [ends_us[stream] for stream in kind.streams[name] if stream in ends_us] for name in names}
    return {name: datetime_of(max(of)) for name, of in ends.items() if of}


def _names_in(condition: Condition) -> tuple[str, ...]:
    names: dict[str, None] = {}
    for _, test in walk(condition):
        if isinstance(test, Field | Missing):
            names[test.name] = None
        elif isinstance(test, Age | Until):
            names[test.instant] = None
        else:
            raise UnknownName("a condition on records tests field, age, until or missing of their own fields only")
    return tuple(names)


def kind_of(entry: OverEntry, kinds: Kinds) -> RecordKind:
    """Raises UnknownName."""
    if entry.over not in kinds:
        raise UnknownName(f"there is no record kind {entry.over}; there are {', '.join(sorted(kinds))}")
    return kinds[entry.over]


def _taken(entry: OverEntry, kind: RecordKind) -> str:
    if entry.of is None:
        raise ValueError(f"take: {entry.take} needs of: the field to take")
    kind.field(entry.of)
    return entry.of


def _count(found: Keyed | None) -> float | None:
    return None if found is None else float(len(found))


def _active(value: object, end_day: int, window_days: int) -> bool | None:
    return days.any_in(value, end_day, window_days) if isinstance(value, days.Days) else False


def _measured(value: object, end_us: int) -> float | None:
    """A number as it is; of a time its age in whole days."""
    if isinstance(value, datetime):
        return float(max(end_us - us_of(value), 0) // DAY_US)
    return as_number(value)


def as_number(value: object) -> float | None:
    """Flags and text are no numbers."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


_REDUCE: dict[str, Callable[[list[float]], float]] = {
    "sum": math.fsum,
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
}


