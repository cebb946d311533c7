"""One cell of text -> one value, or a CellError that says what is wrong with it and what to write instead."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from services.cli.importing.language import ABSENT, PLACEHOLDER, Scalar, Value

TRUE = frozenset({"true", "t", "yes", "y", "1"})
FALSE = frozenset({"false", "f", "no", "n", "0"})
_DECIMAL = re.compile(r"-?\d+(\.\d+)?")
_WHOLE = re.compile(r"-?\d{1,18}(\.0+)?")
_EPOCH = {"epoch": 1_000_000, "epoch_ms": 1_000}


class CellError(Exception):
    """A cell that cannot be read. `column`, `reason` and `value` are for the report, `remedy` for its reader."""

    def __init__(self, column: str, reason: str, value: str, remedy: str) -> None:
        super().__init__(f"{column}: {reason} {value!r}")
        self.column, self.reason, self.value, self.remedy = column, reason, value, remedy


class _Absent:
    """No value, which is not the same as null: the field stays unchanged."""


NO_VALUE = _Absent()


@dataclass(frozen=True, slots=True)
class Times:
    """How times of a file are written; `shift` is added to each, whole days."""

    formats: Mapping[str, str]
    zone: ZoneInfo
    shift: timedelta = timedelta()

    def read(self, cells: Mapping[str, str], column: str) -> datetime:
        """The cell as an aware UTC time. Raises CellError naming the format that was expected."""
        text, form = cells[column], self.formats[column]
        try:
            return self._parsed(text, form).astimezone(UTC) + self.shift
        except (ValueError, OverflowError, InvalidOperation):
            wanted = "RFC 3339" if form == "iso" else form
            raise CellError(
                column, "time_unreadable", text, f"write it as {wanted}, or change `times` of the mapping"
            ) from None

    def _parsed(self, text: str, form: str) -> datetime:
        if form in _EPOCH:
            return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(Decimal(text) * _EPOCH[form]))
        found = datetime.fromisoformat(text) if form == "iso" else datetime.strptime(text, form)  # noqa: DTZ007 see below
        return found if found.tzinfo else found.replace(tzinfo=self.zone)


def filled(template: str, cells: Mapping[str, str]) -> str:
    """A template with its columns put in, or the one column that a plain string is."""
    if "{" not in template:
        return cells[template]
    return PLACEHOLDER.sub(lambda found: cells[found.group(1)], template)


def value_of(value: str | Value, cells: Mapping[str, str], times: Times) -> object:
    """What goes into `data`, NO_VALUE for an empty cell. Raises CellError."""
    if isinstance(value, str):
        return filled(value, cells) or NO_VALUE
    if value.const is not None:
        return value.const
    if value.fields is not None:
        read = {name: value_of(part, cells, times) for name, part in value.fields.items()}
        return {name: part for name, part in read.items() if part is not NO_VALUE} or NO_VALUE
    column = value.column
    assert column is not None, "a value without const and fields reads a column"
    text = filled(column, cells).strip()
    return _converted(value, column, text, cells, times) if text else NO_VALUE


def _converted(value: Value, column: str, text: str, cells: Mapping[str, str], times: Times) -> object:
    if value.from_ is not None:
        return text if value.map_ is None else _translated(value, column, text)
    if value.time is not None:
        return times.read(cells, column).isoformat()
    if value.bool_ is not None:
        return _truth(column, text)
    if value.money is not None:
        assert value.currency is not None, "the mapping's own check asks for it"
        currency = filled(value.currency, cells) if "{" in value.currency else value.currency
        return {"amount": _decimal(column, text), "currency": currency}
    if value.decimal is not None:
        return _decimal(column, text)
    return _whole(column, text) if value.int_ is not None else float(_decimal(column, text))


def _translated(value: Value, column: str, text: str) -> Scalar | _Absent:
    assert value.map_ is not None
    if text in value.map_:
        return value.map_[text]
    if value.otherwise == ABSENT:
        return NO_VALUE
    if value.otherwise not in {None, "refuse"}:
        return value.otherwise or NO_VALUE
    known = ", ".join(value.map_)
    raise CellError(column, "not_in_map", text, f"write one of {known}, or add it to the map (or an `else`)")


def _truth(column: str, text: str) -> bool:
    if text.lower() in TRUE:
        return True
    if text.lower() in FALSE:
        return False
    raise CellError(column, "not_a_bool", text, "write TRUE or FALSE")


def _decimal(column: str, text: str) -> str:
    """The decimal as text, so that no digit of money is lost on the way."""
    if not _DECIMAL.fullmatch(text):
        raise CellError(
            column, "not_a_number", text, "write digits with a point and no thousands separator, such as 1234.50"
        )
    return text


def _whole(column: str, text: str) -> int:
    if _WHOLE.fullmatch(text):
        return int(text.partition(".")[0])
    raise CellError(column, "not_a_whole_number", text, "write digits only, such as 12")
