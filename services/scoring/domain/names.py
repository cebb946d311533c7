"""The names in a catalogue: what its entries refer to, what conditions may test, which events move what."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from services.scoring.domain.definitions import Instant, Signal, StatusRule
from services.scoring.domain.entries import Entry, InstantEntry, ModelEntry, ReasonEntry, SignalEntry, StatusEntry
from services.scoring.domain.kinds import RecordKind, type_of
from services.scoring.domain.model import Model
from shared.conditions.lint import Measure, Vocabulary
from shared.conditions.terms import Age, By, Change, Condition, Status, Until, walk
from shared.conditions.terms import Signal as SignalTest
from shared.contracts.catalogue import TYPES

SCORE_NAMES = ("score", "coverage")  # conditions that are read after the score may test them like signals
INFINITY = float("inf")


def vocabulary_of(entries: Iterable[Entry], kinds: Mapping[str, RecordKind]) -> Vocabulary:
    """Every name that a condition on an account may test."""
    measures = {"score": Measure("points", 0, 100), "coverage": Measure("share", 0, 1)}
    statuses = {"band": frozenset({"green", "yellow", "red", "unknown"})}
    instants: set[str] = set()
    for entry in entries:
        match entry:
            case SignalEntry():
                measures[entry.signal] = _measure(entry)
            case InstantEntry():
                instants.add(entry.instant)
            case StatusEntry():
                statuses[entry.status] = frozenset(value.id for value in entry.values)
    return Vocabulary(
        signals=measures,
        instants=frozenset(instants),
        statuses=statuses,
        fields={name: type_of(field) for name, field in kinds["account"].fields.items()},
        changes=frozenset({"score"}),
    )


def _measure(entry: SignalEntry) -> Measure:
    low = -INFINITY if entry.low is None else entry.low
    high = INFINITY if entry.high is None else entry.high
    return Measure(entry.unit, low, high, entry.whole)


def before_score(vocabulary: Vocabulary, statuses: Iterable[StatusRule]) -> Vocabulary:
    """What caps and the choice of a model may test: neither the score nor what follows from it or remembers."""
    early = {status.name for status in statuses if not status.needs_score and not status.has_memory}
    return msgspec.structs.replace(
        vocabulary,
        signals={name: measure for name, measure in vocabulary.signals.items() if name not in SCORE_NAMES},
        statuses={name: values for name, values in vocabulary.statuses.items() if name in early},
        changes=frozenset(),
    )


def conditions_of(entry: Entry) -> list[Any]:
    """Conditions over the account; those over records are checked where they are compiled."""
    match entry:
        case ModelEntry():
            return [cap.when for cap in entry.caps] + ([entry.when] if entry.when else [])
        case StatusEntry():
            return [value.when for value in entry.values if value.when]
        case ReasonEntry():
            return [entry.when]
    return []


def derived_from(entry: SignalEntry) -> list[str]:
    """The signals and instants that must have been read before it."""
    lists = (
        entry.ratio,
        entry.difference,
        entry.add,
        entry.share,
        entry.days_since,
        entry.days_until,
        entry.days_between,
    )
    found = [entry.scaled.of] if entry.scaled else next((names for names in lists if names is not None), [])
    return [*found, entry.needs] if entry.needs else found


def statuses_in(condition: Condition) -> Iterator[str]:
    """Those it tests, and those that choose a bound."""
    for _, test in walk(condition):
        if isinstance(test, Status):
            yield test.name
        for comparison in getattr(test, "comparisons", ()):
            if isinstance(comparison.bound, By):
                yield comparison.bound.status


def needs_score(condition: Condition) -> bool:
    """Does it test the score, or what follows from it?"""
    return any(
        isinstance(test, Change) or (isinstance(test, SignalTest | Status) and test.name in (*SCORE_NAMES, "band"))
        for _, test in walk(condition)
    )


def moved_by(
    models: Iterable[Model], signals: Iterable[Signal], instants: Iterable[Instant]
) -> dict[str, frozenset[str]]:
    """Per event type, and per stream, the ids of the factors and caps that such an event can move."""
    types = {instant.name: instant.types for instant in instants} | {signal.name: signal.types for signal in signals}
    found: dict[str, set[str]] = {}
    for model in models:
        names = [(factor.id, {factor.signal}) for factor in model.factors]
        names += [(cap.id, _read_by(cap.condition)) for cap in model.caps]
        for moved, read in names:
            for event_type in frozenset[str]().union(*(types.get(name, frozenset()) for name in read)):
                found.setdefault(event_type, set()).add(moved)
                found.setdefault(TYPES[event_type].stream.name, set()).add(moved)
    return {event_type: frozenset(moved) for event_type, moved in found.items()}


def _read_by(condition: Condition) -> set[str]:
    return {test.instant if isinstance(test, Age | Until) else test.name for _, test in walk(condition)}
