"""Postgres' twin: asyncpg's connection and pool over tables in memory, for exactly the statements the product sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self

import asyncpg

from tests.twins.process import Process
from tests.twins.tables import Blocked, Found, Gap, Row, Tables, Transaction, View

LOCK_SECONDS_MAX = 3.0
CONNECTIONS_MAX = 4  # of a worker's pool

Do = Callable[..., Found]
Asked = Callable[["Connection", str, Sequence[Any], Found | BaseException | None], None]


class Database:
    """One server. `find` knows what a statement does; `asked` hears of each as it ends."""

    def __init__(self, tables: Tables, find: Callable[[str], Do]) -> None:
        self.tables = tables
        self.find = find
        self.sessions: set[Connection] = set()
        self.is_up = True
        self.deadlocks = 0
        self.asked: Asked | None = None

    def go_away(self) -> None:
        """As a server that is stopped at once: no session ends well."""
        self.is_up = False
        for session in list(self.sessions):
            session.drop()

    def come_back(self) -> None:
        self.is_up = True

    def restore(self, kept: Tables) -> None:
        """The server is stopped and comes back as it was; who is connected is not any more."""
        self.go_away()
        self.tables = kept.copy()
        self.come_back()


class Connection:
    """One session. Each statement is one step of its process, and happens at one moment."""

    def __init__(self, database: Database, service: str, process: Process) -> None:
        self.database, self.service, self.process = database, service, process
        self._transaction: Transaction | None = None
        self._is_closed = False
        self._waits_for: Transaction | None = None
        database.sessions.add(self)

    async def fetch(self, sql: str, *arguments: Any) -> Found:
        return await self._ask(sql, arguments)

    async def fetchrow(self, sql: str, *arguments: Any) -> Row | None:
        rows = await self._ask(sql, arguments)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        rows = await self._ask(sql, arguments)
        return next(iter(rows[0].values())) if rows else None

    async def execute(self, sql: str, *arguments: Any) -> None:
        await self._ask(sql, arguments)

    def transaction(self) -> "_Block":
        return _Block(self)

    def is_closed(self) -> bool:
        return self._is_closed

    def drop(self) -> None:
        """The session is over; what it had not committed has never been."""
        self._is_closed = True
        self.database.sessions.discard(self)
        self._tell("CLOSE", (), None)
        if self._transaction is not None:
            self.database.tables.end(self._transaction)
            self._transaction = None

    async def close(self) -> None:
        self.drop()

    async def begin(self) -> None:
        await self._arrive()
        self._transaction = Transaction()
        self._tell("BEGIN", (), None)
        self._transaction.idle_since = _now()

    async def commit(self) -> None:
        await self._arrive()
        transaction, self._transaction = self._transaction, None
        assert transaction is not None
        if transaction.is_broken:
            self.database.tables.end(transaction)
            self._tell("ROLLBACK", (), None)
        else:
            self.database.tables.commit(transaction)
            self._tell("COMMIT", (), None)
        await self.process.step()  # the way back: who dies on it never learns that it was committed
        self._check_open()

    async def roll_back(self) -> None:
        await self._arrive()
        assert self._transaction is not None
        self.database.tables.end(self._transaction)
        self._transaction = None
        self._tell("ROLLBACK", (), None)

    async def _arrive(self) -> None:
        self._check_open()
        await self.process.step()
        self._end_idle(self._transaction)
        self._check_open()

    async def _ask(self, sql: str, given: Sequence[Any]) -> Found:
        arguments = [list(one) if isinstance(one, list | tuple) else one for one in given]  # as they are sent now
        await self._arrive()
        transaction = self._transaction or Transaction()
        if transaction.is_broken:
            raise asyncpg.InFailedSQLTransactionError("current transaction is aborted")
        transaction.idle_since = None
        try:
            rows = await self._settle(transaction, sql, arguments)
        except BaseException as error:
            transaction.is_broken = True
            self._tell(sql, arguments, error)
            if self._transaction is not transaction:
                self.database.tables.end(transaction)
            raise
        if self._transaction is not transaction:
            self.database.tables.commit(transaction)
        self._tell(sql, arguments, rows)
        transaction.idle_since = _now()
        return rows

    async def _settle(self, transaction: Transaction, sql: str, arguments: Sequence[Any]) -> Found:
        do = self.database.find(sql)
        gives_up_at = _now() + LOCK_SECONDS_MAX
        while True:
            view = View(self.database.tables, self.service, transaction)
            try:
                rows = do(view, *arguments)
            except Blocked as blocked:
                await self._wait(transaction, blocked.holder, gives_up_at)
            else:
                view.keep()
                return rows

    async def _wait(self, waiting: Transaction, holder: Transaction, gives_up_at: float) -> None:
        self._check_deadlock(waiting, holder)
        self._waits_for = holder
        until = min(gives_up_at, holder.ends_at or gives_up_at)
        try:
            await asyncio.wait([holder.ended], timeout=max(0.0, until - _now()))
        finally:
            self._waits_for = None
        self._check_open()
        self._end_idle(holder)
        if not holder.ended.done() and _now() >= gives_up_at:
            raise asyncpg.LockNotAvailableError("canceling statement due to lock timeout")

    def _check_deadlock(self, waiting: Transaction, holder: Transaction) -> None:
        """Postgres finds the ring after a second and ends one of it; the twin at once, the one that closes it."""
        waits = {s._transaction: s._waits_for for s in self.database.sessions if s._waits_for is not None}
        ahead: Transaction | None = holder
        while ahead is not None:
            if ahead is waiting:
                self.database.deadlocks += 1
                raise asyncpg.DeadlockDetectedError("deadlock detected")
            ahead = waits.get(ahead)

    def _end_idle(self, transaction: Transaction | None) -> None:
        if transaction is None or transaction.ends_at is None or _now() < transaction.ends_at:
            return
        for session in list(self.database.sessions):
            if session._transaction is transaction:
                session.drop()

    def _check_open(self) -> None:
        if self._is_closed:
            raise asyncpg.InterfaceError("connection is closed")

    def _tell(self, sql: str, arguments: Sequence[Any], answer: Found | BaseException | None) -> None:
        if self.database.asked is not None:
            self.database.asked(self, sql, arguments, answer)


class _Block:
    """`async with connection.transaction()`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def __aenter__(self) -> Self:
        await self._connection.begin()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            await self._connection.commit()
        elif kind is not Gap:
            await self._connection.roll_back()


class Pool:
    """A process's connections. One that is closed is replaced by the next `acquire`."""

    def __init__(self, database: Database, service: str, process: Process) -> None:
        self._database, self._service, self._process = database, service, process
        self._free: list[Connection] = []
        self._room = asyncio.Semaphore(CONNECTIONS_MAX)

    @contextlib.asynccontextmanager
    async def acquire(self) -> AsyncIterator[Connection]:
        async with self._room:
            connection = await self._connected()
            try:
                yield connection
            finally:
                self._free.append(connection)

    async def fetch(self, sql: str, *arguments: Any) -> Found:
        async with self.acquire() as connection:
            return await connection.fetch(sql, *arguments)

    async def fetchval(self, sql: str, *arguments: Any) -> Any:
        async with self.acquire() as connection:
            return await connection.fetchval(sql, *arguments)

    async def _connected(self) -> Connection:
        self._free = [one for one in self._free if not one.is_closed()]
        if self._free:
            return self._free.pop()
        await self._process.step()
        if not self._database.is_up:
            raise ConnectionRefusedError("nobody listens there")
        return Connection(self._database, self._service, self._process)


def _now() -> float:
    return asyncio.get_running_loop().time()
