"""One clock that all processes read: the wall's time plus an offset kept in Postgres."""

import asyncio
from datetime import UTC, datetime, timedelta

from shared.postgres.pool import Connection, Pool

REFRESH_SECONDS = 0.5  # how long a moved clock may go unseen by a process


class Clock:
    """`now()` is aware and in UTC. Without Postgres it goes on with the offset it last knew."""

    def __init__(self, pool: Pool | None = None) -> None:
        self._pool = pool
        self._offset = timedelta()
        self._read_at = -REFRESH_SECONDS

    def now(self) -> datetime:
        """The time by the offset last read; the caller refreshes when it can await."""
        return datetime.now(UTC) + self._offset

    async def refresh(self, connection: Connection | Pool | None = None) -> datetime:
        """Read the offset again if what we know is older than REFRESH_SECONDS; then `now()`."""
        source = connection or self._pool
        if source is not None and asyncio.get_running_loop().time() - self._read_at >= REFRESH_SECONDS:
            self._offset = await source.fetchval("SELECT offset_by FROM clock")
            self._read_at = asyncio.get_running_loop().time()
        return self.now()
