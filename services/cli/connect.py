"""Where a command finds its servers, with a plain sentence when there are none."""

import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import typer

from services.cli.embedded import running
from shared.postgres.pool import CONNECT_TIMEOUT_SECONDS, CONNECTION_ERRORS
from shared.settings import Shared

DEFAULT_DATA = "data"


def settings_here() -> Shared:
    """The environment's addresses; where it names none, those of the data folder that `bellwether up` made."""
    folder = Path(os.environ.get("BELLWETHER_DATA", DEFAULT_DATA))
    for name, value in running.environment_of(folder).items():
        os.environ.setdefault(name, value)
    return Shared()


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
        typer.echo(f"Postgres at {where} does not answer: {error}", err=True)
        raise typer.Exit(1) from error
    try:
        yield opened
    finally:
        await opened.close()
