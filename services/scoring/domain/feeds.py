"""How an event becomes parts of records: compiled once per catalogue, run per event.

Each field knows how to `gather` events into a plain accumulator and how to `close` it into the value that merges.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from services.scoring.domain import dated, days, span, sum
from services.scoring.domain.entries import AmountEntry, FieldEntry, ValueEntry
from services.scoring.domain.instants import day_of, us_of
from services.scoring.domain.record import Value
from shared.contracts.envelope import HealthEvent

ABSENT: Any = object()  # no such field in the event: unchanged; null is another thing, it clears
CENTS = 100
DIGITS_MAX = 18
INTEGER_END = 2**63  # MessagePack and Postgres go no further

Data = Mapping[str, Any]
Read = Callable[[Data], Any]
Passes = Callable[[Data], bool]


@dataclass(frozen=True, slots=True)
class Moment:
    """An event with its time at hand."""

    event: HealthEvent
    us: int
    day: int


Accumulator = Any  # a dict, set or list that only the fold which made it ever sees
Gather = Callable[[Accumulator | None, Moment], Accumulator | None]


@dataclass(frozen=True, slots=True, eq=False)
class FieldFeed:
    """`gather(accumulator, moment)` returns the accumulator, or None where the event says nothing about the field."""

    name: str
    gather: Gather
    close: Callable[[Accumulator], Value]


@dataclass(frozen=True, slots=True)
class KindFeed:
    """The fields of one kind that one event type feeds."""

    kind: str
    key: Read | None
    fields: tuple[FieldFeed, ...]


def reader(path: str) -> Read:
    """The value at a dotted path; ABSENT where the event does not have it, None where it or a parent is null."""
    parts = path.split(".")
    if len(parts) == 1:
        return lambda data: data.get(path, ABSENT)

    def read(data: Data) -> Any:
        found: Any = data
        for part in parts:
            if found is None:
                return None
            found = found.get(part, ABSENT) if isinstance(found, Mapping) else ABSENT
            if found is ABSENT:
                return ABSENT
        return found

    return read


def filter_of(where: Mapping[str, object]) -> Passes | None:
    """All of {path: value or list of values}; None where there is nothing to test."""
    tests = [(reader(path), value if isinstance(value, list) else [value]) for path, value in where.items()]
    if not tests:
        return None
    return lambda data: all(read(data) in accepted for read, accepted in tests)


def field_feed(name: str, entry: FieldEntry) -> FieldFeed:
    """Compile one field."""
    gather, close = _COMPILE[entry.merge](entry)
    passes, not_these = filter_of(entry.where), filter_of(entry.unless)
    if passes is None and not_these is None:
        return FieldFeed(name, gather, close)

    def gather_some(acc: Accumulator | None, moment: Moment) -> Accumulator | None:
        data = moment.event.data
        taken = (passes is None or passes(data)) and not (not_these and not_these(data))
        return gather(acc, moment) if taken else acc

    return FieldFeed(name, gather_some, close)


def _sum_field(entry: FieldEntry) -> tuple[Gather, Callable[[Accumulator], Value]]:
    amount_of = _amount(entry.amount) if entry.amount else lambda _: 1

    def gather(acc: Accumulator | None, moment: Moment) -> Accumulator | None:
        amount = amount_of(moment.event.data)
        if amount is None:
            return acc
        amounts: dict[int, int] = {} if acc is None else acc
        amounts[moment.day] = amounts.get(moment.day, 0) + amount
        return amounts

    return gather, sum.of_days


def _span_field(_: FieldEntry) -> tuple[Gather, Callable[[Accumulator], Value]]:
    def gather(acc: Accumulator | None, moment: Moment) -> Accumulator:
        if acc is None:
            return [moment.us, moment.us]
        acc[0], acc[1] = min(acc[0], moment.us), max(acc[1], moment.us)
        return acc

    return gather, lambda acc: span.Span(acc[0], acc[1])


def _days_field(_: FieldEntry) -> tuple[Gather, Callable[[Accumulator], Value]]:
    def gather(acc: Accumulator | None, moment: Moment) -> Accumulator:
        known: set[int] = set() if acc is None else acc
        known.add(moment.day)
        return known

    return gather, days.of


def _dated_field(entry: FieldEntry) -> tuple[Gather, Callable[[Accumulator], Value]]:
    value_of = _value(ValueEntry(path=entry.value) if isinstance(entry.value, str) else entry.value or ValueEntry())
    at = reader(entry.at) if entry.at else None
    keep, first, trusted = entry.keep, entry.first, tuple(entry.trusted)

    def gather(acc: Accumulator | None, moment: Moment) -> Accumulator | None:
        event = moment.event
        value = value_of(event)
        if value is ABSENT:
            return acc
        effective = instant(at(event.data)) if at else None
        entries: list[dated.Entry] = [] if acc is None else acc
        entries.append((moment.us if effective is None else effective, dated.id_of(event.id), event.source, value))
        return entries

    return gather, lambda entries: dated.of(entries, keep, first, trusted)


_COMPILE: dict[str, Callable[[FieldEntry], tuple[Gather, Callable[[Accumulator], Value]]]] = {
    "sum": _sum_field,
    "span": _span_field,
    "days": _days_field,
    "dated": _dated_field,
}


def _amount(entry: AmountEntry) -> Callable[[Data], int | None]:
    read, times, each, otherwise = reader(entry.path), entry.times, entry.each, entry.otherwise

    def amount(data: Data) -> int | None:
        found = read(data)
        if type(found) is int and abs(found) < INTEGER_END:  # nearly always, and a Decimal costs more than all the rest
            return found * times if each is None else each
        number = decimal(found)
        if number is None:
            return otherwise
        return round(number * times) if each is None else each

    return amount


def _value(entry: ValueEntry) -> Callable[[HealthEvent], Any]:
    read = reader(entry.path) if entry.path else None
    scale = _scale(entry)
    verbs, const = entry.verbs, ABSENT if entry.const is None else entry.const
    convert = _CONVERT[entry.kind]

    def value(event: HealthEvent) -> Any:
        found = read(event.data) if read else ABSENT
        if found is ABSENT:
            return verbs.get(event.type.rpartition(".")[2], const)
        if found is None:
            return None
        return convert(found) if scale is None else scale(found, event.data)

    return value


def _scale(entry: ValueEntry) -> Callable[[Any, Data], Any] | None:
    if entry.to is None or entry.low is None or entry.high is None:
        return None
    low, high, to = reader(entry.low), reader(entry.high), entry.to

    def scaled(found: Any, data: Data) -> Any:
        value, bottom, top = decimal(found), decimal(low(data)), decimal(high(data))
        if value is None or bottom is None or top is None or bottom >= top:
            return ABSENT
        return round(float((min(max(value, bottom), top) - bottom) / (top - bottom)) * to, 3)

    return scaled


def decimal(found: object) -> Decimal | None:
    """A number as sent, exactly; None for anything else, and for what no count or amount can be."""
    if isinstance(found, bool) or not isinstance(found, int | float | str):
        return None
    try:
        number = Decimal(str(found))
    except InvalidOperation:
        return None
    return number if number.is_finite() and number.adjusted() < DIGITS_MAX else None


def instant(found: object) -> int | None:
    """Microseconds of an RFC 3339 time with its zone; None for anything else."""
    try:
        moment = datetime.fromisoformat(found) if isinstance(found, str) else None
    except ValueError:
        return None
    return None if moment is None or moment.tzinfo is None else us_of(moment)


def _text(found: object) -> Any:
    return found if isinstance(found, str) else ABSENT


def _number(found: object) -> Any:
    number = decimal(found)
    if number is None or abs(number) >= INTEGER_END:
        return ABSENT
    return int(number) if number == number.to_integral_value() else float(number)


def _flag(found: object) -> Any:
    return found if isinstance(found, bool) else ABSENT


def _instant(found: object) -> Any:
    us = instant(found)
    return ABSENT if us is None else us


def _cents(found: object) -> Any:
    number = decimal(found)
    return ABSENT if number is None or abs(number) >= INTEGER_END // CENTS else round(number * CENTS)


_CONVERT: dict[str, Callable[[object], Any]] = {
    "text": _text,
    "number": _number,
    "flag": _flag,
    "instant": _instant,
    "cents": _cents,
}


def moments(events: Iterable[HealthEvent]) -> Iterable[Moment]:
    """Each event with its time in microseconds and days."""
    for event in events:
        us = us_of(event.time)
        yield Moment(event, us, day_of(us))
