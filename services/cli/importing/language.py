"""What a mapping file may say. Knowledge of a source is data: no code runs from it.

A string with braces is a template over the row's columns (`ticket/{ticket_id}`), one without names a column.
A column of a lookup is written `lookup.column`. Reference: docs/import.md.
"""

import re
from collections.abc import Iterable

from msgspec import Struct, field

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
READING_KINDS = ("from_", "int_", "number", "decimal", "bool_", "money", "time")
KINDS = (*READING_KINDS, "const", "fields")
ABSENT = "absent"  # `else: absent`: a value that the map does not know gives no field

Scalar = str | int | float | bool


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One field of an event's data; exactly one of KINDS says where it comes from. An empty cell gives no field."""

    from_: str | None = field(default=None, name="from")
    int_: str | None = field(default=None, name="int")
    number: str | None = None
    decimal: str | None = None
    bool_: str | None = field(default=None, name="bool")
    money: str | None = None
    time: str | None = None
    const: Scalar | None = None
    fields: dict[str, "str | Value"] | None = None
    map_: dict[str, Scalar] | None = field(default=None, name="map")
    otherwise: str | None = field(default=None, name="else")
    currency: str | None = None

    def __post_init__(self) -> None:
        given = [kind.rstrip("_") for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"say exactly one of {', '.join(k.rstrip('_') for k in KINDS)}; here: {given or 'none'}")
        if self.money is not None and self.currency is None:
            raise ValueError("money needs its currency: `currency: USD`, or `currency: '{column}'` to read it from one")
        if self.map_ is not None and self.from_ is None:
            raise ValueError("`map` translates `from`: write {from: column, map: {...}}")

    @property
    def column(self) -> str | None:
        """The column or template the value itself is read from; None for a constant or a group of fields."""
        return next((c for kind in READING_KINDS if (c := getattr(self, kind)) is not None), None)

    @property
    def columns(self) -> set[str]:
        """Every column that the value is read from."""
        if self.fields is not None:
            return union(columns_of(value) for value in self.fields.values())
        return named_in(self.column) | set(PLACEHOLDER.findall(self.currency or ""))


class Test(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One question about one cell; exactly one of the rest says which. Text is compared as it stands in the file."""

    column: str
    is_: str | None = field(default=None, name="is")
    is_not: str | None = None
    in_: list[str] | None = field(default=None, name="in")
    empty: bool | None = None
    before: str | None = None

    def __post_init__(self) -> None:
        asked = (self.is_, self.is_not, self.in_, self.empty, self.before)
        if sum(question is not None for question in asked) != 1:
            raise ValueError("say exactly one of is, is_not, in, empty, before")

    @property
    def columns(self) -> set[str]:
        return {self.column} | ({self.before} if self.before else set())


class Refuse(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows for which `when` holds are not taken; the reason and the remedy appear in the report."""

    when: Test
    reason: str
    remedy: str


class Remark(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rows for which `when` holds are taken and counted under these words, so that oddities are never silent."""

    when: Test
    words: str


class Emit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event of a row. Without `id` it is the type and the row's key; `when` lists what must hold for it."""

    type: str
    subject: str
    time: str
    data: dict[str, str | Value]
    id: str | None = None
    plus_minutes: str | None = None
    when: list[Test] = []

    @property
    def columns(self) -> set[str]:
        texts = (self.subject, self.time, self.id, self.plus_minutes)
        tested = union(test.columns for test in self.when)
        return tested | union(map(columns_of, self.data.values())) | union(map(named_in, texts))


class FileMapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the rows of the files named `match` (a shell pattern) become events.

    key: the columns that make a row the same row. lookup: name of a lookup -> the column that holds its key.
    times: column -> strptime format, `iso`, `epoch` or `epoch_ms`. ignore: column -> why nothing takes it.
    """

    match: str
    key: list[str]
    emit: list[Emit]
    format: str | None = None
    delimiter: str = ","
    lookup: dict[str, str] = {}
    times: dict[str, str] = {}
    refuse: list[Refuse] = []
    remark: list[Remark] = []
    ignore: dict[str, str] = {}

    @property
    def columns(self) -> set[str]:
        """Every column of the file itself that the mapping speaks of."""
        named = set(self.key) | set(self.lookup.values()) | set(self.ignore) | self._read
        return {column for column in named if not self.is_looked_up(column)}

    @property
    def looked_up(self) -> set[str]:
        """Every `lookup.column` that the mapping reads."""
        return {column for column in self._read if self.is_looked_up(column)}

    def is_looked_up(self, column: str) -> bool:
        """A dotted name belongs to a lookup only if its first part is one: JSON has dotted names too."""
        name, dot, _ = column.partition(".")
        return dot == "." and name in self.lookup

    @property
    def tests(self) -> list[Test]:
        """What is asked of a row as a whole."""
        return [rule.when for rule in self.refuse] + [rule.when for rule in self.remark]

    @property
    def _read(self) -> set[str]:
        return union(test.columns for test in self.tests) | union(emit.columns for emit in self.emit)


class Lookup(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another file of the same export: `key` finds a row of it, `columns` are what may be read there."""

    file: str
    key: str
    columns: list[str]
    delimiter: str = ","


class Mapping(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A source of files. `source` is part of every event's identity: never change it once something was imported."""

    name: str = field(name="import")
    source: str
    files: list[FileMapping]
    zone: str = "UTC"
    lookups: dict[str, Lookup] = {}


def columns_of(value: str | Value) -> set[str]:
    """The columns one field of data is read from."""
    return named_in(value) if isinstance(value, str) else value.columns


def named_in(text: str | None) -> set[str]:
    """The columns of a template, or the one column that a plain string is."""
    if text is None:
        return set()
    return set(PLACEHOLDER.findall(text)) or {text}


def union(sets: Iterable[set[str]]) -> set[str]:
    """All that is in any of them; nothing for none."""
    return set().union(*sets)
