"""A Postgres that is there and cannot: no room on its disk, no connection left. Workers wait, say so, and go on."""

from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.faults.siege import endured
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.timeout(300)

NOTICED_SECONDS_MAX = 60.0

# As PostgreSQL says it where a file cannot grow.
DISK_IS_FULL = """
CREATE FUNCTION access_denied_to_disk() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'could not extend file "base/5/16384": No space left on device' USING ERRCODE = 'disk_full';
END $$
"""
WRITTEN = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname LIKE $1 || '%'"


async def test_a_full_disk_is_waited_for_and_readiness_says_so(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        sql = await world.connect("scoring")
        await sql.execute(DISK_IS_FULL)
        for row in await sql.fetch(WRITTEN, world.prefix):
            await sql.execute(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {row[0]} "
                "FOR EACH STATEMENT EXECUTE FUNCTION access_denied_to_disk()"
            )
        said = lambda: say(deployment, "No space left", "ingest", "scoring")  # noqa: E731 - alerts hear nothing new
        await until(said, "workers say that the disk is full", NOTICED_SECONDS_MAX)
        await sql.execute("DROP FUNCTION access_denied_to_disk CASCADE")
        await sql.close()

    assert await endured(world, seed, tmp_path, fault) == []


async def test_connections_that_run_out_are_waited_for_and_readiness_says_so(
    world: World, seed: int, tmp_path: Path
) -> None:
    async def fault(deployment: Deployment) -> None:
        sql = await world.connect("scoring")
        database = await sql.fetchval("SELECT quote_ident(current_database())")
        await sql.execute(f"ALTER DATABASE {database} CONNECTION LIMIT 0")
        try:
            await sql.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'bellwether-%'"
            )
            said = lambda: say(deployment, "too many connections", "scoring", "alerts")  # noqa: E731
            await until(said, "workers say that there are no connections left", NOTICED_SECONDS_MAX)
        finally:
            await sql.execute(f"ALTER DATABASE {database} CONNECTION LIMIT -1")
            await sql.close()

    assert await endured(world, seed, tmp_path, fault) == []


async def say(deployment: Deployment, words: str, *services: str) -> bool:
    """Whether these workers are not ready, for that reason."""
    missing = [await deployment.workers[service].missing() or {} for service in services]
    return all(words in str(found) for found in missing)
