"""Postgres as it was: a copy of its folder, and that copy put back in its place."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path

from services.cli.embedded import postgres
from tests.faults.own_pair import BACK_SECONDS_MAX, OwnPair
from tests.processes import until


async def backed_up(servers: OwnPair, to: Path) -> None:
    """Copied while it is stopped; whoever works with it meanwhile waits."""
    supervisor = servers.pair.supervisor
    await asyncio.to_thread(supervisor.stop, [postgres.NAME])
    try:
        await _copy(servers.pair.folder.pg, to)
    finally:
        await asyncio.to_thread(supervisor.start, [servers._child(postgres.NAME)])


@contextlib.asynccontextmanager
async def replaced_by(servers: OwnPair, backup: Path) -> AsyncIterator[None]:
    """The server dies, and what answers after the body is as old as the backup."""
    async with servers.down(postgres.NAME):
        shutil.rmtree(servers.pair.folder.pg)
        await _copy(backup, servers.pair.folder.pg)
        yield


async def shut_down_at_once(servers: OwnPair) -> None:
    """As `pg_ctl stop -m immediate`: every session is cut, nothing is written; started again by its supervisor."""
    running = servers.pair.supervisor.running(postgres.NAME)
    assert running is not None
    running.send(signal.SIGQUIT)
    child = servers._child(postgres.NAME)

    async def is_back() -> bool:
        now = servers.pair.supervisor.running(postgres.NAME)
        return now is not None and now.pid != running.pid and await asyncio.to_thread(child.is_ready)

    await until(is_back, "Postgres answers again", BACK_SECONDS_MAX)


async def _copy(folder: Path, to: Path) -> None:
    """Owners and modes too: PostgreSQL insists on its own."""
    copying = await asyncio.create_subprocess_exec("cp", "-a", str(folder), str(to))
    assert await copying.wait() == 0
