"""What can become of one row of a file: accepted with its events, duplicate, or refused with a remedy."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a file. `line` is where it begins, counted from 1; `cells` hold text as it stands there."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True, slots=True)
class Refused:
    """Why a row was not taken: the column it hangs on, its value, and what to write instead."""

    line: int
    column: str
    reason: str
    value: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Draft:
    """An event on its way. `time` is aware and in UTC; `account` is filled in once ingest's rules have looked at it."""

    id: str
    type: str
    subject: str
    time: datetime
    data: dict[str, Any]
    columns: dict[str, str] = field(default_factory=dict, compare=False)
    """Field of `data` -> column it came from, so that a refusal can name the column."""
    account: str = ""

    def about(self, account: str) -> "Draft":
        """The same event, once it is known which account it is about."""
        return replace(self, account=account)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A row that was taken, with its events (possibly none) and what was odd about it."""

    line: int
    events: tuple[Draft, ...]
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Duplicate:
    """The same row, cell by cell, stood further up in the file at `first_line`."""

    line: int
    first_line: int


Outcome = Accepted | Duplicate | Refused
