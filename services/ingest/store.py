"""Named queries in, rows out. Nothing here opens or commits a transaction."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import asyncpg

from services.ingest.domain.identity import Alias
from services.ingest.domain.outcome import Link, Refused
from shared.http.service import VERSION
from shared.postgres import named_sql
from shared.postgres.pool import Connection, Pool

SQL = named_sql.load("services.ingest")


class Record(NamedTuple):
    """Where in a raw topic something came from; `log_id` tells a topic made anew from the one before."""

    log_id: str
    topic: str
    partition: int
    offset: int


class Kept(NamedTuple):
    """One thing to set aside. `alias` is what it waits for, if it waits."""

    origin: str
    record: Record | None
    actor: str
    refused: Refused
    alias: Alias | None
    payload: bytes
    received_at: datetime


def record_origin(record: Record) -> str:
    """The same for each delivery of the same record."""
    return f"{record.log_id}/{record.partition}/{record.offset}"


def http_origin(source: str, event_id: str, time: datetime) -> str:
    """The same for each sending of the same event: its identity."""
    digest = blake2b(f"{source}\0{event_id}".encode(), digest_size=16).hexdigest()
    return f"http/{time.date().isoformat()}/{digest}"


async def lock_aliases(tx: Connection, aliases: Iterable[Alias]) -> None:
    """Until the transaction ends nobody else parks under, or binds, these aliases."""
    keys = {
        int.from_bytes(blake2b(str(alias).encode(), digest_size=8).digest(), "big", signed=True) for alias in aliases
    }
    await tx.execute(SQL["lock_aliases"], sorted(keys))


async def bind(tx: Connection, links: Sequence[Link]) -> None:
    """The later of two links counts, whichever comes first."""
    await tx.execute(
        SQL["bind"],
        [link.alias.source for link in links],
        [link.kind for link in links],
        [link.alias.external_id for link in links],
        [link.id for link in links],
        [link.linked_at for link in links],
    )


async def accounts_of(connection: Connection | Pool, aliases: Collection[Alias]) -> dict[Alias, str]:
    """The bound ones among `aliases`."""
    if not aliases:
        return {}
    rows = await connection.fetch(
        SQL["accounts_of"], [alias.source for alias in aliases], [alias.external_id for alias in aliases]
    )
    return {Alias(row["source"], row["external_id"]): row["id"] for row in rows}


async def set_aside(tx: Connection | Pool, kept: Sequence[Kept]) -> None:
    """Once per origin, however often it is delivered."""
    columns = zip(*map(_aside_row, kept), strict=True)
    await tx.execute(SQL["set_aside"], *map(list, columns))


def _aside_row(kept: Kept) -> tuple[Any, ...]:
    record, refused, alias, of = kept.record, kept.refused, kept.alias, kept.refused.attributes
    return (
        kept.origin,
        record and record.topic,
        record and record.partition,
        record and record.offset,
        kept.actor,
        refused.reason.value,
        refused.pointer,
        value_text(refused),
        refused.expected,
        alias and alias.source,
        alias and alias.external_id,
        of.source,
        of.id,
        of.type,
        of.time,
        kept.payload,
        VERSION,
        kept.received_at,
    )


def value_text(refused: Refused) -> str | None:
    """The offending value as JSON text."""
    return None if refused.value is None else bytes(refused.value).decode()


async def refuse_again(tx: Connection, refusals: Sequence[tuple[int, Refused, Alias | None]]) -> None:
    """The newest reason of rows whose replay was refused."""
    await tx.execute(
        SQL["refuse_again"],
        [row_id for row_id, _, _ in refusals],
        [refused.reason.value for _, refused, _ in refusals],
        [refused.pointer for _, refused, _ in refusals],
        [value_text(refused) for _, refused, _ in refusals],
        [refused.expected for _, refused, _ in refusals],
        [alias and alias.source for _, _, alias in refusals],
        [alias and alias.external_id for _, _, alias in refusals],
        [VERSION for _ in refusals],
    )


async def settle(tx: Connection, ids: Sequence[int], state: str, now: datetime, actor: str) -> None:
    """Rows that are still open become `state`."""
    await tx.execute(SQL["settle"], ids, state, now, actor)


class AsideFilter(NamedTuple):
    """None: any."""

    reason: str | None
    state: str | None
    source: str | None


async def aside_page(
    pool: Pool, wanted: AsideFilter, before_id: int, rows_max: int, *, with_payload: bool
) -> list[asyncpg.Record]:
    """Newest first, ids below `before_id`."""
    rows: list[asyncpg.Record] = await pool.fetch(SQL["list_aside"], *wanted, before_id, rows_max, with_payload)
    return rows


async def one_aside(pool: Pool, aside_id: int, *, with_payload: bool) -> asyncpg.Record | None:
    """None where there is none."""
    return await pool.fetchrow(SQL["one_aside"], aside_id, with_payload)


async def note_look(pool: Pool, ids: Sequence[int], actor: str) -> None:
    """Original bytes may name people: who looked at them is kept."""
    await pool.execute(SQL["note_look"], actor, ids)
