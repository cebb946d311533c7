"""Versions of the catalogue in Postgres: the packaged YAML is their seed, the active one is what batches read by."""

from datetime import UTC, datetime

import asyncpg

from services.scoring.catalogue_files import packaged
from services.scoring.domain.definitions import Definitions, parse
from shared.postgres import named_sql
from shared.postgres.pool import Connection
from shared.settings import Shared

SQL = named_sql.load("services.scoring")


class NoActiveVersion(Exception):
    """Nobody has published a catalogue yet."""


async def publish_packaged(settings: Shared) -> str:
    """Store this release's catalogue as a version and activate it; its version."""
    connection = await asyncpg.connect(
        settings.dsn, server_settings={"search_path": settings.search_path("scoring")}
    )
    try:
        return await publish(connection, packaged())
    finally:
        await connection.close()


async def publish(connection: Connection, body: bytes) -> str:
    """Store and activate a catalogue. The same content is the same version; activating makes all accounts due."""
    version = parse(body).version
    async with connection.transaction():
        await connection.execute(SQL["definition_add"], version, body)
        await connection.execute(SQL["definition_deactivate"], version)
        activated = await connection.execute(SQL["definition_activate"], version)
        if activated != "UPDATE 0":
            await connection.execute(SQL["all_due"], datetime.now(UTC))
    return version


class Active:
    """The active definitions, parsed once per version."""

    def __init__(self) -> None:
        self._definitions: Definitions | None = None

    async def definitions(self, connection: Connection) -> tuple[Definitions, bool]:
        """What this batch reads by, and whether that has changed since the last call. Raises NoActiveVersion."""
        version = await connection.fetchval(SQL["active_version"])
        if version is None:
            raise NoActiveVersion("no catalogue is active: run `bellwether migrate`")
        if self._definitions is not None and self._definitions.version == version:
            return self._definitions, False
        self._definitions = parse(await connection.fetchval(SQL["definition_body"], version))
        return self._definitions, True
