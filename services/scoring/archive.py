"""The archive: identity, audit and source of refolds in one. What we keep is what we can count only once."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent
from shared.contracts.identity import Identity, identity_of
from shared.contracts.topics import PRODUCT_USAGE
from shared.postgres import named_sql
from shared.postgres.pool import Connection, Pool

SQL = named_sql.load("services.scoring")
_PARTS_LOCK_KEY = 0x70617274  # "part": one process at a time makes parts


@dataclass(frozen=True, slots=True)
class Arrived:
    """An event as it stands in health.events."""

    partition: int
    log_offset: int
    event: HealthEvent
    body: bytes


def _is_live_usage(event: HealthEvent) -> bool:
    return event.importrun is None and stream_of(event) == PRODUCT_USAGE.name


def stream_of(event: HealthEvent) -> str:
    """The stream that the event's type implies; ingest accepts no other types."""
    return TYPES[event.type].stream.name


@dataclass(frozen=True, slots=True)
class _Part:
    """A piece of an archive table: a day of usage, a month of everything else."""

    table: str
    begin: date
    end: date

    @property
    def name(self) -> str:
        return f"{self.table}_{self.begin:%Y%m%d}"


def _part_of(table: str, day: date) -> _Part:
    if table == "usage_event":
        return _Part(table, day, day + timedelta(days=1))
    begin = day.replace(day=1)
    return _Part(table, begin, (begin + timedelta(days=32)).replace(day=1))


class Archive:
    """Stores events, answers which of them are new."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._parts: set[str] = set()
        self._key: bytes | None = None

    def forget(self) -> None:
        """Which parts there are must be asked again: a restore takes them away."""
        self._parts.clear()

    async def store(self, tx: Connection, arrived: Sequence[Arrived], now: datetime) -> list[Arrived]:
        """The events not seen before, each once, in the order of arrival. A duplicate raises `seen` of its row."""
        firsts, times = await self._by_identity(tx, arrived)
        live = {i: a for i, a in firsts.items() if _is_live_usage(a.event)}
        kept = {i: a for i, a in firsts.items() if i not in live}
        await self._make_parts(("usage_event", i[0]) for i in live)
        await self._make_parts(("event", i[0]) for i in kept)
        imported_usage = [i for i, a in kept.items() if stream_of(a.event) == PRODUCT_USAGE.name]
        known = await _seen_elsewhere(tx, "already_live", imported_usage, times)
        known |= await _seen_elsewhere(tx, "already_kept", list(live), times)
        new = await _insert(tx, "archive_usage", live, known, times, now=now)
        new |= await _insert(tx, "archive_event", kept, known, times, now=now)
        return [a for identity, a in firsts.items() if identity in new]

    async def identity(self, tx: Connection, event: HealthEvent) -> Identity:
        """The event's identity under this deployment's key."""
        if self._key is None:
            self._key = await tx.fetchval("SELECT key FROM identity_key")
        return identity_of(self._key, event.source, event.id, event.time)

    async def _by_identity(
        self, tx: Connection, arrived: Sequence[Arrived]
    ) -> tuple[dict[Identity, Arrived], dict[Identity, int]]:
        firsts: dict[Identity, Arrived] = {}
        times: dict[Identity, int] = {}
        for one in arrived:
            identity = await self.identity(tx, one.event)
            firsts.setdefault(identity, one)
            times[identity] = times.get(identity, 0) + 1
        return firsts, times

    async def _make_parts(self, days: Iterable[tuple[str, date]]) -> None:
        missing = {part.name: part for table, day in days if (part := _part_of(table, day)).name not in self._parts}
        if not missing:
            return
        # A connection of its own: other workers must see the parts before this batch commits. ATTACH blocks no insert.
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _PARTS_LOCK_KEY)
            self._parts = {row["relname"] for row in await connection.fetch(SQL["archive_parts"])}
            for part in missing.values():
                if part.name not in self._parts:
                    await connection.execute(f"CREATE TABLE {part.name} (LIKE {part.table} INCLUDING ALL)")
                    await connection.execute(
                        f"ALTER TABLE {part.table} ATTACH PARTITION {part.name} "
                        f"FOR VALUES FROM ('{part.begin}') TO ('{part.end}')"
                    )
        self._parts |= missing.keys()


async def _seen_elsewhere(
    tx: Connection, query: str, identities: Sequence[Identity], times: dict[Identity, int]
) -> set[Identity]:
    if not identities:
        return set()
    days, hashes = zip(*identities, strict=True)
    rows = await tx.fetch(SQL[query], days, hashes, [times[i] for i in identities])
    return {(row["day"], row["hash"]) for row in rows}


async def _insert(
    tx: Connection,
    query: str,
    arrived: dict[Identity, Arrived],
    known: set[Identity],
    times: dict[Identity, int],
    *,
    now: datetime,
) -> set[Identity]:
    # In the order of the key, so that two workers that meet the same identities never wait for each other in a ring.
    rows = [(identity, arrived[identity]) for identity in sorted(arrived) if identity not in known]
    if not rows:
        return set()
    stored = await tx.fetch(
        SQL[query],
        [identity[0] for identity, _ in rows],
        [identity[1] for identity, _ in rows],
        [one.partition for _, one in rows],
        [one.event.account for _, one in rows],
        [one.log_offset for _, one in rows],
        [times[identity] for identity, _ in rows],
        [one.body for _, one in rows],
        now,
    )
    return {(r["day"], r["hash"]) for r in stored if r["seen"] == times[r["day"], r["hash"]]}
