"""Aggregates over an account's records: those of a kind that pass a condition and were active in a window."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence

from services.scoring.domain import days
from services.scoring.domain.entries import FieldEntry, OverEntry
from services.scoring.domain.instants import DAY_US, day_of
from services.scoring.domain.kinds import RecordKind, UnknownName, is_time, said, time_in
from services.scoring.domain.known import Known
from services.scoring.domain.record import Fields, Value
from shared.conditions.grammar import parse
from shared.conditions.one_row import Row, compile_row
from shared.conditions.terms import Age, Condition, Field, Missing, Until, walk

Kinds = Mapping[str, RecordKind]
Keyed = list[tuple[str, Fields]]
Select = Callable[[Known], Keyed | None]
Passing = Callable[[Keyed, Known], Keyed]


def compile_number(entry: OverEntry, stream: str, kinds: Kinds) -> Callable[[Known], float | None]:
    """A count of records, or sum, mean, median, min, max of a field where it is known; of a time its age in days."""
    kind, select = kind_of(entry, kinds), compile_over(entry, stream, kinds)
    if entry.take == "count":
        return lambda known: _count(select(known))
    of, same, reduce = _taken(entry, kind), entry.same, _REDUCE[entry.take]
    if same:
        kind.field(same)

    entry_of = kind.fields[of]

    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(stream, known.now_us)
        found = [fields for _, fields in select(known) or ()]
        if same and len({said(kind.fields[same], fields.get(same), known.now_us) for fields in found}) > 1:
            return None
        values = [_measured(entry_of, fields.get(of), known.now_us, end_us) for fields in found]
        numbers = [value for value in values if value is not None]
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
        values = [time_in(kind.fields[of], fields.get(of), known.now_us) for _, fields in select(known) or ()]
        times = [value for value in values if value is not None]
        return reduce(times) if times else None

    return read


def over_types(entry: OverEntry, kinds: Kinds) -> frozenset[str]:
    """The event types that can change the aggregate: any that makes a record, or feeds a field it looks at."""
    kind = kind_of(entry, kinds)
    if entry.active is None:
        return frozenset(kind.feeds)
    names = {name for name in (entry.of, entry.same, entry.active.field) if name}
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
            if entry.if_ever and not any(active.field in fields for _, fields in found):
                return None
            end_day = day_of(end_us) - active.ago
            seen = [_active(fields.get(active.field), end_day, active.days) for _, fields in found]
            if None in seen:
                return None
            found = [record for record, is_active in zip(found, seen, strict=True) if is_active]
        return passing(found, known)

    return select


def compile_where(kind: RecordKind, written: object) -> Passing:
    """Those records of which a condition is true; what is unknown does not pass. None written: all of them."""
    if written is None:
        return lambda records, _: records
    condition = parse(written)
    names = _names_in(condition)
    for name in names:
        kind.field(name)
    times = tuple(name for name in names if is_time(kind.fields[name]))
    others = tuple(name for name in names if name not in times)
    holds = compile_row(condition)

    def passing(records: Keyed, known: Known) -> Keyed:
        now_us, ends_us = known.now_us, _ends(kind, times, known.ends_us)
        return [
            record
            for record in records
            if holds(
                Row(
                    now_us,
                    instants={name: time_in(kind.fields[name], record[1].get(name), now_us) for name in times},
                    ends_us=ends_us,
                    fields={name: said(kind.fields[name], record[1].get(name), now_us) for name in others},
                )
            )
        ]

    return passing


def _ends(kind: RecordKind, names: Sequence[str], ends_us: Mapping[str, int]) -> dict[str, int]:
    """Per field the end of its stream: where several feed it, the one that is known furthest."""
    ends = {name: [ends_us[stream] for stream in kind.streams[name] if stream in ends_us] for name in names}
    return {name: max(of) for name, of in ends.items() if of}


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


def _measured(entry: FieldEntry, value: Value | None, now_us: int, end_us: int) -> float | None:
    """A number as it is; of a time its age in whole days."""
    if is_time(entry):
        at = time_in(entry, value, now_us)
        return None if at is None else float(max(end_us - at, 0) // DAY_US)
    return as_number(said(entry, value, now_us))


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
