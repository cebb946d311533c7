"""(row, lookups) -> the events of the row, or why it is refused. Pure: the same row always gives the same events."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from services.cli.importing.cells import NO_VALUE, CellError, Times, filled, value_of
from services.cli.importing.language import Emit, FileMapping, Test, Value
from services.cli.importing.outcome import Accepted, Draft, Refused, Row

Found = Mapping[str, str] | None
LookupTable = Callable[[str], "Found | Ambiguous"]


class Ambiguous:
    """Several rows of a lookup have this key and do not agree."""


class RowMapper:
    """Applies one file's part of a mapping to one row after the other."""

    def __init__(self, file: FileMapping, lookups: Mapping[str, LookupTable], times: Times) -> None:
        self._file = file
        self._lookups = lookups
        self._times = times

    def outcome(self, row: Row) -> Accepted | Refused:
        """What becomes of the row. Rules of ingest come later and may still refuse an event."""
        try:
            cells = self._with_lookups(row.cells)
            self._refuse(cells)
            events = tuple(self._draft(emit, cells) for emit in self._file.emit if self._holds_all(emit.when, cells))
            remarks = tuple(remark.words for remark in self._file.remark if self._holds(remark.when, cells))
        except CellError as error:
            return Refused(row.line, error.column, error.reason, error.value, error.remedy)
        return Accepted(row.line, events, remarks)

    def _with_lookups(self, own: dict[str, str]) -> Mapping[str, str]:
        for column in self._file.key:
            if not own[column].strip():
                raise CellError(column, "key_empty", "", "give the row its own id, or take the column out of `key`")
        cells = dict(own)
        for name, column in self._file.lookup.items():
            found = self._lookups[name](own[column])
            if found is None:
                raise CellError(
                    column,
                    "lookup_not_found",
                    own[column],
                    f"add the row to the file of lookup {name}, or correct the value",
                )
            if isinstance(found, Ambiguous):
                raise CellError(
                    column, "lookup_ambiguous", own[column], f"leave one row with this key in the file of lookup {name}"
                )
            cells |= {f"{name}.{key}": value for key, value in found.items()}
        return cells

    def _refuse(self, cells: Mapping[str, str]) -> None:
        for rule in self._file.refuse:
            if self._holds(rule.when, cells):
                raise CellError(rule.when.column, rule.reason, cells[rule.when.column], rule.remedy)

    def _draft(self, emit: Emit, cells: Mapping[str, str]) -> Draft:
        time = self._times.read(cells, emit.time)
        if emit.plus_minutes is not None:
            minutes = value_of(Value(number=emit.plus_minutes), cells, self._times)
            time += timedelta(minutes=minutes if isinstance(minutes, float) else 0)
        read = {name: value_of(value, cells, self._times) for name, value in emit.data.items()}
        return Draft(
            id=filled(emit.id, cells)
            if emit.id
            else "/".join((emit.type, *(cells[column] for column in self._file.key))),
            type=emit.type,
            subject=filled(emit.subject, cells),
            time=time,
            data={name: value for name, value in read.items() if value is not NO_VALUE},
            columns={name: _column(value) for name, value in emit.data.items()},
        )

    def _holds_all(self, tests: list[Test], cells: Mapping[str, str]) -> bool:
        return all(self._holds(test, cells) for test in tests)

    def _holds(self, test: Test, cells: Mapping[str, str]) -> bool:
        text = cells[test.column]
        if test.is_ is not None:
            return text == test.is_
        if test.is_not is not None:
            return text != test.is_not
        if test.in_ is not None:
            return text in test.in_
        if test.empty is not None:
            return (not text.strip()) is test.empty
        assert test.before is not None
        if not (text.strip() and cells[test.before].strip()):
            return False  # what is not known is not before anything
        return self._times.read(cells, test.column) < self._times.read(cells, test.before)


def _column(value: str | Value) -> str:
    text = value if isinstance(value, str) else value.column or ""
    return text.strip("{}") if text.count("{") <= 1 else text
