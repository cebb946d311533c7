"""Connections to Postgres, with every timeout named and in order.

statement < idle in transaction < Kafka session: a worker that hangs loses its transaction before Kafka gives its
partitions away, so its successor never waits for it longer than the hand-over itself.
"""

from typing import TypeAlias

import asyncpg

from shared.settings import Shared

STATEMENT_TIMEOUT_MS = 4_000  # the slowest statement of a batch of 5,000 takes well under one second
IDLE_IN_TRANSACTION_TIMEOUT_MS = 5_000  # a stopped process lets go of its claim
LOCK_TIMEOUT_MS = 3_000  # below the statement's, so that the error says what was waited for
CONNECT_TIMEOUT_SECONDS = 5.0

Connection: TypeAlias = asyncpg.Connection
Pool: TypeAlias = asyncpg.Pool

# What a lost server looks like from here: the caller drops its caches, reconnects, reads its position again.
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.exceptions.CannotConnectNowError,
    asyncpg.exceptions.AdminShutdownError,
    asyncpg.exceptions.CrashShutdownError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.QueryCanceledError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.TooManyConnectionsError,
    asyncpg.exceptions.DeadlockDetectedError,
)

# A transaction that took longer than it may: the same one again would take as long.
TOO_SLOW: tuple[type[BaseException], ...] = (
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.QueryCanceledError,
)


def open_pool(settings: Shared, service: str, *, connections_max: int) -> Pool:
    """A pool whose connections see the service's own schema and `access`. Enter it to connect."""
    return asyncpg.create_pool(
        settings.dsn,
        min_size=1,
        max_size=connections_max,
        timeout=CONNECT_TIMEOUT_SECONDS,
        server_settings={
            "application_name": f"bellwether-{service}",
            "search_path": settings.search_path(service),
            "statement_timeout": str(STATEMENT_TIMEOUT_MS),
            "lock_timeout": str(LOCK_TIMEOUT_MS),
            "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
            "timezone": "UTC",
        },
    )
