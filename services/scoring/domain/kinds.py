"""Record kinds: which event types feed them, and what their fields say at an instant."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from services.scoring.domain import dated, sum
from services.scoring.domain.days import Days
from services.scoring.domain.entries import FieldEntry, RecordEntry, Scalar, ValueEntry
from services.scoring.domain.feeds import KindFeed, field_feed, reader
from services.scoring.domain.instants import DAY_US, datetime_of
from services.scoring.domain.record import Fields, Value
from services.scoring.domain.span import Span
from shared.conditions.lint import FieldType
from shared.contracts.catalogue import TYPES


class UnknownName(ValueError):
    """A name in an entry that nothing answers to. The message says what could be meant."""


@dataclass(frozen=True, slots=True)
class RecordKind:
    """`types` and `streams`: of each field, which events change it."""

    name: str
    fields: Mapping[str, FieldEntry]
    types: Mapping[str, frozenset[str]]
    streams: Mapping[str, frozenset[str]]
    feeds: Mapping[str, KindFeed]

    def field(self, name: str, *merges: str) -> FieldEntry:
        """Raises UnknownName if there is no such field, or it has none of these merges."""
        entry = self.fields.get(name)
        if entry is None:
            raise UnknownName(f"record {self.name} has no field {name}; it has {', '.join(sorted(self.fields))}")
        if merges and entry.merge not in merges:
            raise UnknownName(f"field {name} of record {self.name} is {entry.merge}; {' or '.join(merges)} is needed")
        return entry


def compile_kind(entry: RecordEntry) -> RecordKind:
    """Raises UnknownName where a pattern of types matches nothing that the kind is fed by."""
    keys = {name: feed.key for feed in entry.feeds for name in matching(feed.types, TYPES)}
    types = {name: frozenset(matching(field.types or ["*"], keys)) for name, field in entry.fields.items()}
    compiled = {name: field_feed(name, field) for name, field in entry.fields.items()}
    feeds = {
        event_type: KindFeed(
            entry.record,
            None if key is None else reader(key),
            tuple(compiled[name] for name in entry.fields if event_type in types[name]),
        )
        for event_type, key in keys.items()
    }
    streams = {name: frozenset(TYPES[t].stream.name for t in of) for name, of in types.items()}
    return RecordKind(entry.record, entry.fields, types, streams, feeds)


def matching(patterns: Iterable[str], names: Iterable[str]) -> list[str]:
    """The names that a pattern (`usage.*`) matches. Raises UnknownName for a pattern without any."""
    names = list(names)
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = [name for name in names if fnmatchcase(name, pattern)]
        if not matches:
            raise UnknownName(f"no event type matches {pattern}; the types are {', '.join(names)}")
        found |= dict.fromkeys(matches)
    return list(found)


def view(kind: RecordKind, fields: Fields, names: Iterable[str], now_us: int) -> dict[str, object]:
    """What the named fields say at an instant: numbers, text, flags, aware datetimes; None where nothing is known."""
    return {name: _shown(kind.fields[name], fields.get(name), now_us) for name in names}


def said(entry: FieldEntry, value: Value | None, now_us: int) -> Scalar:
    """What a field that says no time says at an instant."""
    if value is None:
        return 0 if entry.merge == "sum" else entry.default
    if isinstance(value, dated.Dated):
        found = dated.entry_at(value, now_us)
        return entry.default if found is None else found[3]
    return sum.total(value) if isinstance(value, sum.Sum) else None


def time_in(entry: FieldEntry, value: Value | None, now_us: int) -> int | None:
    """What a field that says a time says at an instant, in microseconds."""
    if isinstance(value, Span):
        return value.first if entry.show == "first" else value.last
    if isinstance(value, Days):
        return value.newest * DAY_US
    found = dated.at(value, now_us) if isinstance(value, dated.Dated) else None
    return found if isinstance(found, int) else None


def is_time(entry: FieldEntry) -> bool:
    """Does the field say a time?"""
    return type_of(entry) == "instant"


def type_of(entry: FieldEntry) -> FieldType:
    """What a condition may ask of the field."""
    if entry.merge in ("span", "days"):
        return "instant"
    if entry.merge == "sum":
        return "number"
    if not isinstance(entry.value, ValueEntry):
        return "text"
    if entry.value.path is None and isinstance(entry.value.const, bool):
        return "flag"
    return "number" if entry.value.kind == "cents" or entry.value.to is not None else entry.value.kind


def _shown(entry: FieldEntry, value: Value | None, now_us: int) -> object:
    if not is_time(entry):
        return said(entry, value, now_us)
    us = time_in(entry, value, now_us)
    return None if us is None else datetime_of(us)
