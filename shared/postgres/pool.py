"""Connections to Postgres, with every timeout named and in order.

lock < statement < idle in transaction < command < Kafka session: a worker that hangs loses its transaction before Kafka
gives its partitions away, so its successor never waits for it longer than the hand-over itself; and a worker whose
server says nothing at all gives up before it has lost its partitions.
"""

from typing import Any, TypeAlias

import asyncpg

from shared.settings import Shared

STATEMENT_TIMEOUT_MS = 4_000  # the slowest statement of a batch of 5,000 takes well under one second
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000  # a stopped process lets go of its claim
LOCK_TIMEOUT_MS = 3_000  # below the statement's, so that the error says what was waited for
COMMAND_TIMEOUT_SECONDS = (
    7.0  # a server that neither answers nor hangs up; above its own limits, so that it may speak first
)
CONNECT_TIMEOUT_SECONDS = 5.0
ACQUIRE_TIMEOUT_SECONDS = 8.0  # also bounds how long giving a connection back may take
CONNECTION_SECONDS_MAX = 300.0  # idle ones are closed, so that a fleet at rest holds few
STATEMENTS_MAX = 50_000  # of one connection, which then is made anew

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

# What a server looks like that cannot serve now: the caller drops its caches, reconnects, reads its position again.
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the connection is in a state that its client does not know
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.InsufficientResourcesError,  # disk full, out of memory, too many connections
    asyncpg.exceptions.InternalServerError,
    asyncpg.exceptions.InvalidCachedStatementError,  # a table changed under a prepared statement; the next is fresh
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.OperatorInterventionError,  # shut down, starting, crashed, cancelled
    asyncpg.exceptions.PostgresSystemError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,  # a standby that has not taken over yet
    asyncpg.exceptions.TransactionRollbackError,  # deadlock among them
)


def is_about_the_server(error: BaseException) -> bool:
    """Whether the same may work later. A value that the client refuses to send will not, though it is named alike."""
    return isinstance(error, CONNECTION_ERRORS) and not isinstance(error, ValueError)


def is_too_slow(error: BaseException, seconds: float = 0.0) -> bool:
    """Whether a transaction that has lasted `seconds` ended because it took longer than it may.

    Of one that idled too long asyncpg says only that its connection is closed, so time must tell.
    """
    if isinstance(error, asyncpg.exceptions.QueryCanceledError):
        return True
    return isinstance(error, CONNECTION_ERRORS) and seconds * 1000 >= IDLE_IN_TRANSACTION_TIMEOUT_MS


class _BoundedPool(asyncpg.Pool):  # type: ignore[misc]
    """Waits for nothing without an end: asyncpg's own default for acquiring and giving back is for ever."""

    __slots__ = ()

    def acquire(self, *, timeout: float | None = ACQUIRE_TIMEOUT_SECONDS) -> Any:
        return super().acquire(timeout=timeout)


def open_pool(settings: Shared, service: str, *, connections_max: int) -> Pool:
    """A pool whose connections see the service's own schema and `access`. Enter it to connect."""
    return _BoundedPool(
        settings.dsn,
        min_size=1,
        max_size=connections_max,
        max_queries=STATEMENTS_MAX,
        max_inactive_connection_lifetime=CONNECTION_SECONDS_MAX,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        timeout=CONNECT_TIMEOUT_SECONDS,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        server_settings={
            "application_name": f"bellwether-{service}",
            "search_path": settings.search_path(service),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            "timezone": "UTC",
        },
    )
