"""Tables in memory under READ COMMITTED: a statement sees what is committed and what its own transaction wrote."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from asyncpg import CheckViolationError, UniqueViolationError

Row = dict[str, Any]  # never changed once it is in a table
Key = tuple[Any, ...]
Found = Sequence[Row]

IDLE_SECONDS_MAX = 5.0  # a transaction that does nothing for so long is ended by the server


class Gap(BaseException):
    """The product asks for something that the twin does not know: no error that the product may handle."""


class Blocked(Exception):
    """A row is locked by another transaction: the statement begins again once that one has ended."""

    def __init__(self, holder: "Transaction") -> None:
        super().__init__()
        self.holder = holder


class Transaction:
    """What is written and locked until the end."""

    def __init__(self) -> None:
        self.writes: dict[str, dict[Key, Row | None]] = defaultdict(dict)
        self.locked: list[tuple[str, Key]] = []
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_broken = False
        self.idle_since: float | None = None

    @property
    def ends_at(self) -> float | None:
        """When the server ends it unless something is asked of it before."""
        return None if self.idle_since is None else self.idle_since + IDLE_SECONDS_MAX


class Tables:
    """All rows of a deployment. Row keys are primary keys; a table's name carries its schema."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, Row]] = defaultdict(dict)
        self.numbers: dict[str, int] = defaultdict(int)
        self._locks: dict[tuple[str, Key], Transaction] = {}

    def copy(self) -> "Tables":
        """As a backup keeps it: rows and sequences; nobody is connected to a copy."""
        kept = Tables()
        kept.rows.update({name: dict(rows) for name, rows in self.rows.items()})
        kept.numbers.update(self.numbers)
        return kept

    def lock(self, transaction: Transaction, table: str, key: Key) -> None:
        """Raises Blocked."""
        holder = self._locks.setdefault((table, key), transaction)
        if holder is not transaction:
            raise Blocked(holder)
        transaction.locked.append((table, key))

    def commit(self, transaction: Transaction) -> None:
        for table, written in transaction.writes.items():
            rows = self.rows[table]
            for key, row in written.items():
                if row is None:
                    rows.pop(key, None)
                else:
                    rows[key] = row
        self.end(transaction)

    def end(self, transaction: Transaction) -> None:
        """Let go of everything; what was not committed has never been."""
        for at in transaction.locked:
            self._locks.pop(at, None)
        if not transaction.ended.done():
            transaction.ended.set_result(None)


class View:
    """What one statement sees and writes. It is kept as a whole, or forgotten where it has to wait."""

    def __init__(self, tables: Tables, schema: str, transaction: Transaction) -> None:
        self._tables, self._schema, self._transaction = tables, schema, transaction
        self._written: dict[str, dict[Key, Row | None]] = defaultdict(dict)

    def keep(self) -> None:
        for table, written in self._written.items():
            self._transaction.writes[table].update(written)

    def get(self, table: str, key: Key) -> Row | None:
        name = self._name(table)
        for written in (self._written.get(name), self._transaction.writes.get(name)):
            if written is not None and key in written:
                return written[key]
        return self._tables.rows[name].get(key)

    def all(self, table: str) -> Iterator[Row]:
        """Every visible row, by key."""
        name = self._name(table)
        own = {**self._transaction.writes.get(name, {}), **self._written.get(name, {})}
        rows: dict[Key, Row | None] = {**self._tables.rows[name], **own}
        return (row for _, row in sorted(rows.items()) if row is not None)

    def lock(self, table: str, key: Key) -> None:
        self._tables.lock(self._transaction, self._name(table), key)

    def put(self, table: str, key: Key, row: Row) -> None:
        """Write a row, new or not, under its lock."""
        self.lock(table, key)
        self._written[self._name(table)][key] = row

    def delete(self, table: str, key: Key) -> None:
        self.lock(table, key)
        self._written[self._name(table)][key] = None

    def insert(self, table: str, key: Key, row: Row) -> None:
        """A row that must be new. Raises UniqueViolationError."""
        self.lock(table, key)
        if self.get(table, key) is not None:
            raise UniqueViolationError(f"{table} {key} exists")
        self.put(table, key, row)

    def upsert(self, table: str, key: Key, new: Row, on_conflict: Callable[[Row, Row], Row | None]) -> Row | None:
        """What is written: `new`, or what `on_conflict` makes of the old row and it; None where nothing is."""
        self.lock(table, key)
        old = self.get(table, key)
        row = new if old is None else on_conflict(old, new)
        if row is not None:
            self.put(table, key, row)
        return row

    def number(self, sequence: str) -> int:
        """The next one; no rollback gives it back."""
        self._tables.numbers[self._name(sequence)] += 1
        return self._tables.numbers[self._name(sequence)]

    def check(self, holds: bool, what: str) -> None:  # noqa: FBT001 - as CHECK reads
        if not holds:
            raise CheckViolationError(what)

    def _name(self, table: str) -> str:
        return table if "." in table else f"{self._schema}.{table}"
