"""The deployment's clock, which no event waits for: while Postgres is away it goes on by the offset last known."""

import asyncio
from datetime import datetime

from shared.clock import Clock
from shared.postgres.pool import CONNECTION_ERRORS, Pool

WAIT_SECONDS_MAX = 1.0  # a server that says nothing is given up on after many seconds only


class Timekeeper:
    """One question to Postgres at a time, asked in the background: whoever comes meanwhile waits for that one."""

    def __init__(self, clock: Clock, pool: Pool) -> None:
        self.clock = clock
        self._pool = pool
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = 0.0

    async def now(self) -> datetime:
        """Aware and in UTC, after at most WAIT_SECONDS_MAX of waiting."""
        time = asyncio.get_running_loop().time()
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
            self._asked_at = time
        await asyncio.wait({self._asking}, timeout=max(0.0, self._asked_at + WAIT_SECONDS_MAX - time))
        return self.clock.now()

    async def _ask(self) -> None:
        try:
            await self.clock.refresh(self._pool)
        except CONNECTION_ERRORS:
            return  # by the offset last known

    async def stop(self) -> None:
        """Give up on the question under way, before the pool closes."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.wait({self._asking})
