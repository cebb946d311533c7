"""Versions of the catalogue in Postgres: the packaged YAML is their seed, the active one is what batches read by."""

from datetime import UTC, datetime

import asyncpg
from msgspec import json

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import Bodies, content_of, parse, version_of
from services.scoring.domain.definitions import Definitions
from shared.postgres import named_sql
from shared.postgres.pool import Connection
from shared.settings import Shared

SQL = named_sql.load("services.scoring")
_LOCK_KEY = 0x63617461  # "cata": one process at a time publishes


class NoActiveVersion(Exception):
    """Nobody has published a catalogue yet."""


async def publish_packaged(settings: Shared, *, only_if_none: bool = False) -> None:
    """Store this release's catalogue as a version and activate it; `only_if_none` leaves an active one alone."""
    connection = await asyncpg.connect(settings.dsn, server_settings={"search_path": settings.search_path("scoring")})
    try:
        if not (only_if_none and await connection.fetchval(SQL["active_version"])):
            await publish(connection, catalogue_files.load())
    finally:
        await connection.close()


async def publish(connection: Connection, bodies: Bodies) -> str:
    """Store and activate a catalogue; its version. The same content is the same version.

    Raises BadDefinition before anything is stored. An activation makes all accounts due for a look.
    """
    parse(bodies)
    version = version_of(bodies)
    async with connection.transaction():
        # Two that publish at once must not both find nothing active.
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK_KEY)
        await connection.execute(SQL["definition_add"], version, content_of(bodies))
        await connection.execute(SQL["definition_deactivate"], version)
        if await connection.execute(SQL["definition_activate"], version) != "UPDATE 0":
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
        body = await connection.fetchval(SQL["definition_body"], version)
        self._definitions = parse(json.decode(body))
        return self._definitions, True
