"""Reading YAML entries with errors that name the file, the entry and the remedy."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NoReturn

from shared.conditions.durations import EXPECTATION, duration_us
from shared.conditions.grammar import BadCondition, parse
from shared.conditions.terms import Condition


class BadDefinition(ValueError):
    """`entry` is a dotted path inside the file; `remedy` says what to write instead."""

    def __init__(self, file: str, entry: str, remedy: str) -> None:
        super().__init__(f"{file}: {entry}: {remedy}")
        self.file, self.entry, self.remedy = file, entry, remedy


class Entries:
    """One mapping of a file. Each read names what it wants; `finish` refuses what nobody read."""

    def __init__(self, file: str, written: object, at: str = "") -> None:
        self.file, self.at = file, at
        if not isinstance(written, Mapping):
            self.refuse("", f"write a mapping here, not {written!r}")
        self._left: dict[str, Any] = dict(written)

    def refuse(self, entry: str, remedy: str) -> NoReturn:
        """Raises BadDefinition."""
        raise BadDefinition(self.file, ".".join(filter(None, (self.at, entry))) or "the file", remedy)

    def take(self, entry: str, default: Any = None) -> Any:
        """As written."""
        return self._left.pop(entry, default)

    def text(self, entry: str, default: str | None = None) -> str:
        """Text of at least one character."""
        value = self._left.pop(entry, default)
        if not isinstance(value, str) or not value:
            self.refuse(entry, f"write some text, not {value!r}")
        return value

    def count(self, entry: str) -> int:
        """A whole number from 1."""
        value = self._left.pop(entry, None)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            self.refuse(entry, f"write a whole number from 1, not {value!r}")
        return value

    def flag(self, entry: str) -> bool:
        """False where nothing is written."""
        value = self._left.pop(entry, False)
        if not isinstance(value, bool):
            self.refuse(entry, f"write true or false, not {value!r}")
        return value

    def texts(self, entry: str) -> tuple[str, ...]:
        """A list of texts; empty where nothing is written."""
        value = self._left.pop(entry, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.refuse(entry, f"write a list of texts, not {value!r}")
        return tuple(value)

    def span(self, entry: str, default: str | None = None) -> timedelta:
        """A duration such as 10d or 2h."""
        value = self._left.pop(entry, default)
        us = duration_us(value)
        if us is None:
            self.refuse(entry, f"write {EXPECTATION}, not {value!r}")
        return timedelta(microseconds=us)

    def condition(self, entry: str) -> Condition | None:
        """None where nothing is written."""
        written = self._left.pop(entry, None)
        if written is None:
            return None
        try:
            return parse(written)
        except BadCondition as bad:
            self.refuse(f"{entry}{bad.path.replace('/', '.')}", f"write {bad.expectation}, not {bad.value!r}")

    def choice(self, entry: str, *allowed: str) -> str:
        """One of a closed list."""
        value = self._left.pop(entry, None)
        if value not in allowed:
            self.refuse(entry, f"write one of {', '.join(allowed)}, not {value!r}")
        return str(value)

    def finish(self) -> None:
        """Raises BadDefinition for the first entry that nobody read."""
        for entry in self._left:
            self.refuse(entry, "nothing of this name is known here: remove it or check its spelling")
