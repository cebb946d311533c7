"""A command's connection to Postgres, with a plain sentence when there is none."""

import contextlib
from collections.abc import AsyncIterator

import asyncpg
import typer

from shared.postgres.pool import CONNECT_TIMEOUT_SECONDS, CONNECTION_ERRORS
from shared.settings import Shared


@contextlib.asynccontextmanager
async def connection(settings: Shared, service: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees the schema of `service` and `access`. Exits with one line when Postgres is away."""
    try:
        opened = await asyncpg.connect(
            settings.dsn,
            timeout=CONNECT_TIMEOUT_SECONDS,
            server_settings={"search_path": settings.search_path(service), "application_name": "bellwether-cli"},
        )
    except CONNECTION_ERRORS as error:
        where = ", ".join(f"{host['host']}:{host['port']}" for host in settings.postgres.hosts())
        raise typer.BadParameter(f"Postgres at {where}: {error}") from error
    try:
        yield opened
    finally:
        await opened.close()
