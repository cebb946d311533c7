"""From the YAML bodies of a catalogue to `Definitions`. A version is a hash: the same YAML is the same version."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from services.scoring.domain.aggregates import compile_where
from services.scoring.domain.definitions import (
    Definitions,
    Instant,
    NotableRule,
    Reason,
    Shown,
    Signal,
    StatusRule,
)
from services.scoring.domain.entries import (
    KINDS,
    Entry,
    FactorEntry,
    InstantEntry,
    ModelEntry,
    NotableEntry,
    ProfileEntry,
    ReasonEntry,
    RecordEntry,
    SignalEntry,
    StatusEntry,
)
from services.scoring.domain.feeds import KindFeed, filter_of, reader
from services.scoring.domain.kinds import RecordKind, UnknownName, compile_kind, matching
from services.scoring.domain.model import Model, compile_factor, compile_model
from services.scoring.domain.names import (
    before_score,
    conditions_of,
    derived_from,
    moved_by,
    needs_score,
    statuses_in,
    vocabulary_of,
)
from services.scoring.domain.windows import compile_instant, compile_signal
from shared.conditions.grammar import parse as parse_condition
from shared.conditions.lint import Vocabulary, lint
from shared.conditions.one_row import compile_row
from shared.contracts.catalogue import TYPES

Bodies = Mapping[str, Any]  # file name -> its YAML as Python objects: one entry or a list of entries
VERSION_BYTES = 8
E = TypeVar("E", bound=Entry)
R = TypeVar("R")


class BadDefinition(ValueError):
    """`file` and `entry` say where, `remedy` what to write instead."""

    def __init__(self, file: str, entry: str, remedy: str) -> None:
        self.file, self.entry, self.remedy = file, entry, remedy
        super().__init__(f"{file}: {entry}: {remedy}")


def content_of(bodies: Bodies) -> bytes:
    """The catalogue as canonical JSON: what is stored under its version. `parse(msgspec.json.decode(..))` reads it."""
    return msgspec.json.encode(bodies, order="deterministic")


def version_of(bodies: Bodies) -> str:
    """16 hex digits of the content's hash."""
    return blake2b(content_of(bodies), digest_size=VERSION_BYTES).hexdigest()


def parse(bodies: Bodies) -> Definitions:
    """Compile a catalogue. Raises BadDefinition: the first mistake with file, entry, remedy."""
    placed = [found for file, body in sorted(bodies.items()) for found in _placed(file, body)]
    return _Compiler(placed).definitions(version_of(bodies))


@dataclass(frozen=True, slots=True)
class _Placed:
    """An entry and where it stands."""

    file: str
    kind: str
    name: str
    entry: Entry

    def bad(self, remedy: object) -> BadDefinition:
        return BadDefinition(self.file, f"{self.kind} {self.name}", str(remedy))

    def run(self, compile_entry: Callable[..., R], *arguments: Any) -> R:
        """Whatever is wrong with the entry gets its place."""
        try:
            return compile_entry(*arguments)
        except ValueError as error:
            raise self.bad(error) from error


def _placed(file: str, body: Any) -> Iterator[_Placed]:
    for written in body if isinstance(body, list) else [body]:
        kind = next((kind for kind in KINDS if isinstance(written, dict) and kind in written), None)
        if kind is None:
            raise BadDefinition(file, "?", f"give each entry one of {', '.join(KINDS)} with its name")
        name = str(written[kind])
        try:
            entry = msgspec.convert(written, KINDS[kind])
        except msgspec.ValidationError as error:
            raise BadDefinition(file, f"{kind} {name}", str(error)) from error
        found = _Placed(file, kind, name, entry)
        if not entry.source:
            raise found.bad("source: at least one id that says where this knowledge comes from")
        yield found


class _Compiler:
    """Compiles entries in the order in which they need one another."""

    def __init__(self, entries: Iterable[_Placed]) -> None:
        self._all: dict[tuple[str, str], _Placed] = {}
        for placed in entries:
            first = self._all.setdefault((placed.kind, placed.name), placed)
            if first is not placed:
                raise placed.bad(f"already in {first.file}; rename one of them")
        for needed in (("record", "account"), ("profile", "account")):
            if needed not in self._all:
                raise BadDefinition("catalogue", " ".join(needed), "every catalogue has this entry; add it")

    def definitions(self, version: str) -> Definitions:
        """All of it, checked against the names it defines."""
        kinds = {placed.name: placed.run(compile_kind, entry) for placed, entry in self._of(RecordEntry)}
        profile, profile_entry = next(iter(self._of(ProfileEntry)))
        signals, instants, models = self._signals(kinds), self._instants(kinds), self._models()
        result = Definitions(
            version=version,
            feeds=_feeds(kinds.values()),
            kinds=kinds,
            signals=signals,
            instants=instants,
            statuses=self._statuses(),
            models=models,
            reasons=tuple(
                Reason(entry.reason, compile_row(placed.run(parse_condition, entry.when)), entry.words)
                for placed, entry in self._of(ReasonEntry)
            ),
            notables=self._notables(),
            shown=tuple(
                Shown(kind, tuple(shown.fields), placed.run(compile_where, kind, shown.where))
                for placed, entry in self._of(RecordEntry)
                if (shown := entry.show)
                for kind in [placed.run(_with_fields, kinds[entry.record], shown.fields)]
            ),
            profile=profile_entry,
            arr_passing=profile.run(_arr_passing, kinds, profile_entry),
            vocabulary=vocabulary_of([placed.entry for placed in self._all.values()], kinds),
            moved_by=moved_by(models, signals, instants),
        )
        self._lint(result.vocabulary, result.statuses)
        return result

    def _of(self, kind: type[E]) -> Iterator[tuple[_Placed, E]]:
        for placed in self._all.values():
            if isinstance(placed.entry, kind):
                yield placed, placed.entry

    def _signals(self, kinds: Mapping[str, RecordKind]) -> tuple[Signal, ...]:
        instants = {
            entry.instant: placed.run(compile_instant, entry, kinds)[1] for placed, entry in self._of(InstantEntry)
        }
        needs = {entry.signal: derived_from(entry) for _, entry in self._of(SignalEntry)}
        done: dict[str, Signal] = {}
        for name in self._in_order("signal", needs, known=instants):
            placed = self._all["signal", name]
            assert isinstance(placed.entry, SignalEntry)
            read, direct = placed.run(compile_signal, placed.entry, kinds)
            types = direct.union(*(done[n].types if n in done else instants[n] for n in needs[name]))
            done[name] = Signal(name, placed.entry.hidden, read, types)
        return tuple(done.values())

    def _instants(self, kinds: Mapping[str, RecordKind]) -> tuple[Instant, ...]:
        return tuple(
            Instant(entry.instant, entry.stream, *placed.run(compile_instant, entry, kinds))
            for placed, entry in self._of(InstantEntry)
        )

    def _statuses(self) -> tuple[StatusRule, ...]:
        conditions = {
            entry.status: [placed.run(parse_condition, value.when) for value in entry.values if value.when is not None]
            for placed, entry in self._of(StatusEntry)
        }
        needs = {name: {s for c in found for s in statuses_in(c)} for name, found in conditions.items()}
        done: dict[str, StatusRule] = {}
        for name in self._in_order("status", needs, known={"band": None}):
            entry = self._all["status", name].entry
            assert isinstance(entry, StatusEntry)
            is_late = any(needs_score(condition) for condition in conditions[name])
            is_late |= any(done[other].needs_score for other in needs[name] if other in done)
            values = tuple((v.id, compile_row(parse_condition(v.when)) if v.when else None) for v in entry.values)
            done[name] = StatusRule(name, values, entry.memory, is_late)
        return tuple(done.values())

    def _in_order(self, kind: str, needs: Mapping[str, Iterable[str]], known: Mapping[str, Any]) -> list[str]:
        for name, needed in needs.items():
            missing = [other for other in needed if other not in needs and other not in known]
            if missing:
                raise self._all[kind, name].bad(f"nothing is named {', '.join(missing)}; define it or correct the name")
        try:
            # Sorted: the order must be the same in every process.
            graph = {name: sorted({*needed} & needs.keys()) for name, needed in needs.items()}
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            raise self._all[kind, error.args[1][0]].bad(f"it needs itself: {' -> '.join(error.args[1])}") from error

    def _models(self) -> tuple[Model, ...]:
        factors = {entry.factor: placed.run(compile_factor, entry) for placed, entry in self._of(FactorEntry)}
        for placed, entry in self._of(FactorEntry):
            if ("signal", entry.signal) not in self._all:
                raise placed.bad(f"signal: there is no signal {entry.signal}; define it or correct the name")
            if getattr(self._all["signal", entry.signal].entry, "hidden", False):
                raise placed.bad(f"signal: {entry.signal} is hidden; a score must show what it is made of")
        models = tuple(placed.run(compile_model, entry, factors) for placed, entry in self._of(ModelEntry))
        if not models or models[-1].when is not None:
            raise BadDefinition("catalogue", "model", "the last model must hold for everybody: one without when")
        return models

    def _notables(self) -> dict[str, tuple[NotableRule, ...]]:
        result: dict[str, tuple[NotableRule, ...]] = {}
        for placed, entry in self._of(NotableEntry):
            key = reader(entry.key) if entry.key else None
            rule = NotableRule(filter_of(entry.where), key, tuple((path, reader(path)) for path in entry.carry))
            for event_type in placed.run(matching, [entry.notable], TYPES):
                result[event_type] = (*result.get(event_type, ()), rule)
        return result

    def _lint(self, vocabulary: Vocabulary, statuses: Iterable[StatusRule]) -> None:
        before = before_score(vocabulary, statuses)
        for placed in self._all.values():
            known = before if isinstance(placed.entry, ModelEntry) else vocabulary
            for written in conditions_of(placed.entry):
                for finding in lint(placed.run(parse_condition, written), known):
                    raise placed.bad(f"{finding.path or 'when'}: {finding.words}")


def _feeds(kinds: Iterable[RecordKind]) -> dict[str, tuple[KindFeed, ...]]:
    result: dict[str, tuple[KindFeed, ...]] = {}
    for kind in kinds:
        for event_type, feed in kind.feeds.items():
            if feed.fields:
                result[event_type] = (*result.get(event_type, ()), feed)
    return result


def _with_fields(kind: RecordKind, names: Iterable[str]) -> RecordKind:
    for name in names:
        kind.field(name)
    return kind


def _arr_passing(kinds: Mapping[str, RecordKind], entry: ProfileEntry) -> Any:
    if entry.arr_over not in kinds:
        raise UnknownName(f"arr_over: there is no record kind {entry.arr_over}")
    _with_fields(kinds[entry.arr_over], (entry.arr_cents, entry.arr_currency))
    _with_fields(kinds["account"], (entry.name, entry.owner))
    kinds["account"].field(entry.seen, "span")
    return compile_where(kinds[entry.arr_over], entry.arr_where)
