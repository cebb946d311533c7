"""What a snapshot may speak of, as alerts understands it: for the linter, for ages, for better and worse."""

from collections.abc import Mapping
from typing import Any, cast, get_args

from msgspec import Struct

from services.alerts.domain.definition import Entries
from shared.conditions.lint import FieldType, Measure, Vocabulary


class StatusWords(Struct, frozen=True):
    """`values` from best to worst where `is_ordered`."""

    values: tuple[str, ...]
    is_ordered: bool


class Known(Struct, frozen=True, kw_only=True):
    """streams: instant -> the stream whose silence stops its age; an instant without one ages with the wall clock.

    read_from: signal or instant -> the stream that it is read from.
    """

    signals: Mapping[str, Measure]
    streams: Mapping[str, str]
    read_from: Mapping[str, str]
    instants: frozenset[str]
    statuses: Mapping[str, StatusWords]
    records: Mapping[str, Mapping[str, FieldType]]
    notables: frozenset[str]

    def vocabulary(self, record: str | None) -> Vocabulary:
        """The names of a condition that may test records of this kind."""
        return Vocabulary(
            signals=self.signals,
            instants=self.instants,
            statuses={name: frozenset(status.values) for name, status in self.statuses.items()},
            fields=self.records[record] if record else {},
            changes=frozenset(("score",)),
        )

    def rank(self, status: str, value: str) -> int:
        """0 is best. Raises ValueError for a value that the status never has."""
        return self.statuses[status].values.index(value)


def parse_known(file: str, written: object) -> Known:
    """Raises BadDefinition naming file, entry and remedy."""
    entries = Entries(file, written)
    signals = {name: Entries(file, signal, f"signals.{name}") for name, signal in entries.take("signals", {}).items()}
    read_from = {name: stream for name, signal in signals.items() if (stream := signal.take("stream"))}
    instants: dict[str, str | None] = entries.take("instants", {})
    streams = {name: stream for name, stream in instants.items() if stream}
    statuses = {
        name: Entries(file, status, f"statuses.{name}") for name, status in entries.take("statuses", {}).items()
    }
    known = Known(
        signals={name: Measure(unit=signal.text("unit")) for name, signal in signals.items()},
        streams=streams,
        read_from=read_from | streams,
        instants=frozenset(instants),
        statuses={
            name: StatusWords(status.texts("values"), status.flag("ordered")) for name, status in statuses.items()
        },
        records={kind: _fields(entries, kind, fields) for kind, fields in entries.take("records", {}).items()},
        notables=frozenset(entries.texts("notables")),
    )
    for read in (entries, *signals.values()):
        read.finish()
    return known


def _fields(entries: Entries, kind: str, fields: Mapping[str, Any]) -> dict[str, FieldType]:
    for name, field_type in fields.items():
        if field_type not in get_args(FieldType):
            entries.refuse(
                f"records.{kind}.{name}", f"write one of {', '.join(get_args(FieldType))}, not {field_type!r}"
            )
    return cast("dict[str, FieldType]", dict(fields))
