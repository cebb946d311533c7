"""Rules over snapshots: which conditions hold, one pass per rule over all accounts of a batch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from msgspec import Struct

from services.alerts.domain.alert import opposite
from services.alerts.domain.rules import OnNotable, Rule, When
from services.alerts.domain.vocabulary import Known
from shared.conditions.columns import Columns, as_instant, floats, microseconds, objects
from shared.conditions.compile import FALSE, TRUE, UNKNOWN, Evaluate, compile_
from shared.conditions.terms import By, Change, Condition, Field, Missing, Signal, Status, walk
from shared.contracts.health import Snapshot

COMPANY = "@company"  # the account of what is nobody's alone: the streams
NO_FIELDS: Mapping[str, Any] = {}


class Row(Struct, frozen=True):
    """One account, or one of its records: what a rule is evaluated for. `key` is the record's, else empty.

    reads: the clock of each stream, which is the newest time of it that the account's partition has shown.
    """

    snapshot: Snapshot
    key: str
    fields: Mapping[str, Any]
    reads: Mapping[str, datetime]

    def instant(self, name: str) -> object:
        """The record's own time of this name, else the account's."""
        return self.fields[name] if name in self.fields else self.snapshot.instants.get(name)


class Truth(Struct, frozen=True):
    """Of one row: does the opening hold, does the end; 1, 0 or -1 (unknown). A notable's rule never `holds`."""

    row: Row
    holds: int
    clears: int


class CompiledRule:
    """A rule with its conditions compiled once."""

    def __init__(self, rule: Rule, known: Known) -> None:
        self.rule = rule
        self._known = known
        condition = rule.trigger.whole if isinstance(rule.trigger, When) else None
        where = rule.trigger.where if isinstance(rule.trigger, OnNotable) else None
        self.where = None if where is None else compile_(where)
        self.opening, self.end = condition, rule.clear
        opens_by = _names(filter(None, (condition,)))
        self.streams = {known.read_from[n] for n in opens_by.signals | opens_by.instants if n in known.read_from}
        self._holds = None if condition is None else compile_(condition)
        self._clears = None if rule.clear is None else compile_(rule.clear)
        self._names = _names(filter(None, (condition, rule.clear)))

    def rows(self, snapshot: Snapshot, reads: Mapping[str, datetime]) -> Iterator[Row]:
        """The account, or each of its records of the rule's kind; of the company itself only records are judged."""
        if self.rule.record is None and snapshot.account != COMPANY:
            yield Row(snapshot, "", NO_FIELDS, reads)
        for record in snapshot.records if self.rule.record is not None else ():
            if record.kind == self.rule.record:
                yield Row(snapshot, record.key, record.fields, reads)

    def truths(self, rows: Sequence[Row], now: datetime) -> list[Truth]:
        """One per row, in order. Ages of instants that belong to a stream run to the stream's clock at most."""
        if not rows:
            return []
        columns = self._columns(rows, now)
        holds = _values(self._holds, columns)
        clears = _values(self._clears, columns)
        if self._clears is None and self._holds is not None:
            clears = [opposite(truth) for truth in holds]
        return [Truth(row, held, cleared) for row, held, cleared in zip(rows, holds, clears, strict=True)]

    def absent(self, snapshot: Snapshot) -> tuple[int, int]:
        """(holds, clears) of a key whose record the snapshot does not carry.

        A condition about a record that is no longer declared is over, unless records were left out for lack of room.
        """
        is_over = isinstance(self.rule.trigger, When) and not snapshot.records_left_out
        return (FALSE, TRUE) if is_over else (UNKNOWN, UNKNOWN)

    def _columns(self, rows: Sequence[Row], now: datetime) -> Columns:
        names = self._names
        streams = {name: self._known.streams[name] for name in names.instants if name in self._known.streams}
        return Columns(
            n=len(rows),
            now_us=microseconds(now),
            signals={name: floats([row.snapshot.signals.get(name) for row in rows]) for name in names.signals},
            instants={
                name: np.array([as_instant(row.instant(name)) for row in rows], dtype=np.int64)
                for name in names.instants
            },
            statuses={name: objects([status_of(row.snapshot, name) for row in rows]) for name in names.statuses},
            fields={name: objects([row.fields.get(name) for row in rows]) for name in names.fields},
            changes={
                (name, days): floats([row.snapshot.changes.get(f"{days}d") for row in rows])
                for name, days in names.changes
            },
            ends_us={
                name: np.array([as_instant(row.reads.get(stream, now)) for row in rows], dtype=np.int64)
                for name, stream in streams.items()
            },
        )


class _Names(Struct, frozen=True):
    signals: frozenset[str]
    instants: frozenset[str]
    statuses: frozenset[str]
    fields: frozenset[str]
    changes: frozenset[tuple[str, int]]


def status_of(snapshot: Snapshot, name: str) -> str | None:
    """The value of a status, None where the snapshot has none."""
    found = snapshot.statuses.get(name)
    return None if found is None else found.value


def _names(conditions: Iterable[Condition]) -> _Names:
    """Every name that the conditions test; a test of `missing` may mean any kind."""
    signals, instants, statuses, fields = set[str](), set[str](), set[str](), set[str]()
    changes = set[tuple[str, int]]()
    for _, test in (found for condition in conditions for found in walk(condition)):
        match test:
            case Signal(name):
                signals.add(name)
            case Change(name, days):
                changes.add((name, days))
            case Status(name):
                statuses.add(name)
            case Field(name):
                fields.add(name)
            case Missing(name):
                for kind in (signals, instants, statuses, fields):
                    kind.add(name)
            case _:
                instants.add(test.instant)
        if not isinstance(test, Status | Missing):
            statuses.update(c.bound.status for c in test.comparisons if isinstance(c.bound, By))
    return _Names(frozenset(signals), frozenset(instants), frozenset(statuses), frozenset(fields), frozenset(changes))


def _values(evaluate: Evaluate | None, columns: Columns) -> list[int]:
    return [UNKNOWN] * columns.n if evaluate is None else [int(value) for value in evaluate(columns)]
