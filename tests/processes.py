"""Service processes of a world, started as a user starts them, ended as nobody should."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from tests.pair import ROOT, World

SECONDS_MAX = 30.0
_LOOK_AGAIN_SECONDS = 0.05


async def until(is_so: Callable[[], Awaitable[bool]], what: str, seconds_max: float = SECONDS_MAX) -> None:
    """Wait for a condition. Fails naming it after `seconds_max`."""
    deadline = time.monotonic() + seconds_max
    while not await is_so():
        assert time.monotonic() < deadline, f"not within {seconds_max} s: {what}"
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


@contextlib.asynccontextmanager
async def running(
    world: World, service: str, role: str = "worker", *arguments: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`python -m services.<service>.main <role>`; stopped afterwards, and it must stop cleanly unless it was killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}.main", role, *arguments, cwd=ROOT, env=world.env()
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), SECONDS_MAX)
