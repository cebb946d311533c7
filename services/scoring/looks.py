"""When an account is looked at though nothing came: each within 15 minutes, all of them after a take-over."""

import zlib
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from shared.postgres import named_sql
from shared.postgres.pool import Connection

SQL = named_sql.load("services.scoring")

LOOK_WITHIN = timedelta(minutes=15)  # the longest that pure ageing goes unseen
LOOKS_MAX = 500  # accounts of one batch, so that events behind it do not wait for more than some tens of milliseconds
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def next_look(account: str, now: datetime) -> datetime:
    """The account's own next moment in the quarter of an hour, spread by hash so that no second has them all."""
    phase = timedelta(seconds=zlib.crc32(account.encode()) % LOOK_WITHIN.seconds)
    passed = (now - _EPOCH - phase) % LOOK_WITHIN
    return now - passed + LOOK_WITHIN


class Looks:
    """Whose look is due, and how far the walk over all accounts has come since the last take-over."""

    def __init__(self) -> None:
        self._walked: dict[int, str | None] = {}

    def forget(self) -> None:
        """After a take-over everybody is looked at: what another worker left undone is found so."""
        self._walked.clear()

    async def due(self, connection: Connection, partitions: Sequence[int], now: datetime) -> dict[int, list[str]]:
        """partition -> accounts, LOOKS_MAX at most."""
        found: dict[int, list[str]] = defaultdict(list)
        rows = await connection.fetch(SQL["due"], list(partitions), now, LOOKS_MAX)
        for row in rows:
            found[row["partition"]].append(row["account"])
        await self._walk(connection, partitions, LOOKS_MAX - len(rows), found)
        return found

    async def _walk(
        self, connection: Connection, partitions: Sequence[int], room: int, found: dict[int, list[str]]
    ) -> None:
        for partition in partitions:
            after = self._walked.setdefault(partition, "")
            if after is None or room <= 0:
                continue
            page = [row["account"] for row in await connection.fetch(SQL["walk"], partition, after, room)]
            self._walked[partition] = page[-1] if len(page) == room else None
            room -= len(page)
            seen = set(found[partition])
            found[partition].extend(account for account in page if account not in seen)
            if not found[partition]:
                del found[partition]
