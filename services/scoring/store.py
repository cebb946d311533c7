"""Rows in and out of what scoring knows and says. Nothing here commits."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from msgspec import json

from services.scoring.domain.record import State, decode, encode, encode_record, merge, of_rows
from services.scoring.remembered import FRESH_BYTES_MAX, Importing, Remembered
from shared.contracts.health import Snapshot, decode_snapshot
from shared.postgres import named_sql
from shared.postgres.pool import Connection

SQL = named_sql.load("services.scoring")

Freshness = dict[str, datetime]  # stream -> newest time known


async def load(tx: Connection, partitions: Mapping[str, int], version: int) -> dict[str, Remembered]:
    """account -> what is known of it; accounts without rows are new. `version`: past scores are read as of it."""
    accounts, parts = list(partitions), sorted(set(partitions.values()))
    settled: dict[str, list[tuple[str, str, bytes]]] = defaultdict(list)
    for row in await tx.fetch(SQL["load_state"], parts, accounts):
        settled[row["account"]].append((row["kind"], row["key"], row["body"]))
    fresh = {row["account"]: decode(row["body"]) for row in await tx.fetch(SQL["load_fresh"], parts, accounts)}
    published = {row["account"]: row for row in await tx.fetch(SQL["load_published"], accounts)}
    past = await load_past(tx, list(published), version)
    known = {}
    for account, partition in partitions.items():
        unmerged = fresh.get(account, State())
        said = published.get(account)
        known[account] = Remembered(
            account=account,
            partition=partition,
            state=merge(of_rows(settled[account]), unmerged),
            fresh=unmerged,
            said=None if said is None else decode_snapshot(said["snapshot"]),
            past=past.get(account, {}),
            look_at=None if said is None else said["look_at"],
            importing=_importing(said),
        )
    return known


async def load_past(tx: Connection, accounts: Sequence[str], version: int) -> dict[str, dict[int, float | None]]:
    """account -> {days ago: score in points}; where nothing had been said yet, the day is absent."""
    past: dict[str, dict[int, float | None]] = defaultdict(dict)
    if accounts:
        for row in await tx.fetch(SQL["load_past"], list(accounts), version):
            past[row["account"]][row["days"]] = None if row["score"] is None else row["score"] / 1000
    return past


async def write_states(tx: Connection, changed: Iterable[Remembered]) -> dict[str, State]:
    """Store the fresh part of each account, or settle it when it has outgrown its row. account -> fresh part now."""
    left: dict[str, State] = {}
    rows: list[tuple[int, str, bytes]] = []
    records: list[tuple[int, str, str, str, bytes]] = []
    for known in changed:
        body = encode(known.fresh)
        left[known.account] = known.fresh
        if len(body) > FRESH_BYTES_MAX:
            records += _settled(known)
            left[known.account] = State()
            body = encode(State())
        rows.append((known.partition, known.account, body))
    if rows:
        await tx.execute(SQL["write_fresh"], *zip(*rows, strict=True))
    if records:
        await tx.execute(SQL["write_state"], *zip(*records, strict=True))
    return left


def _settled(known: Remembered) -> list[tuple[int, str, str, str, bytes]]:
    """The merged rows of every record that the fresh part touches; one that the cap has left out stays as it was."""
    return [
        (known.partition, known.account, kind, key, encode_record(known.state.records[kind, key]))
        for kind, key in sorted(known.fresh.records)
        if (kind, key) in known.state.records
    ]


async def write_snapshots(tx: Connection, said: Sequence[tuple[Snapshot, datetime, Importing | None]]) -> None:
    """(snapshot, when to look again, import that keeps quiet): the list's row and one more line of history."""
    if not said:
        return
    rows = [_published(*one) for one in said]
    await tx.execute(SQL["write_published"], *zip(*rows, strict=True))
    history = [
        (s.account, s.version, s.as_of, _thousandths(s), s.statuses["band"].value, s.cause, s.model, json.encode(s))
        for s, _, _ in said
    ]
    await tx.execute(SQL["write_history"], *zip(*history, strict=True))


def _published(snapshot: Snapshot, look_at: datetime, importing: Importing | None) -> tuple[object, ...]:
    statuses = {name: status.value for name, status in snapshot.statuses.items()}
    return (
        snapshot.account,
        snapshot.partition,
        snapshot.version,
        snapshot.as_of,
        look_at,
        _encoded(importing),
        _thousandths(snapshot),
        statuses["band"],
        statuses.get("segment"),
        statuses.get("lifecycle"),
        snapshot.owner,
        snapshot.name,
        Decimal(snapshot.arr.amount) if snapshot.arr else Decimal(),
        json.encode(snapshot),
    )


def _encoded(importing: Importing | None) -> bytes | None:
    return None if importing is None else json.encode(importing)


def _importing(row: Mapping[str, bytes | None] | None) -> Importing | None:
    body = None if row is None else row["importing"]
    return None if body is None else json.decode(body, type=Importing)


def _thousandths(snapshot: Snapshot) -> int | None:
    return None if snapshot.score is None else round(snapshot.score * 1000)


async def write_looks(tx: Connection, looks: Sequence[tuple[str, datetime, Importing | None]]) -> None:
    """(account, when to look again, import that keeps quiet)."""
    if looks:
        rows = [(account, look_at, _encoded(importing)) for account, look_at, importing in looks]
        await tx.execute(SQL["write_looks"], *zip(*rows, strict=True))


async def put_off(tx: Connection, looks: Sequence[tuple[str, datetime]]) -> None:
    """(account, when to look again), nothing else of it."""
    if looks:
        await tx.execute(SQL["put_off"], *zip(*looks, strict=True))


async def raise_watermarks(tx: Connection, newest: Mapping[tuple[int, str], tuple[datetime, int]]) -> None:
    """(partition, stream) -> (newest time, events) of this batch; locked in order, as two workers may meet here."""
    if newest:
        rows = [(partition, stream, *newest[partition, stream]) for partition, stream in sorted(newest)]
        await tx.execute(SQL["watermark_raise"], *zip(*rows, strict=True))


async def watermarks(tx: Connection) -> tuple[Freshness, dict[int, Freshness]]:
    """Newest time of each stream: over all partitions, and of each partition."""
    overall: Freshness = {}
    by_partition: dict[int, Freshness] = defaultdict(dict)
    for row in await tx.fetch(SQL["watermarks"]):
        partition, stream, newest = row["partition"], row["stream"], row["newest"]
        by_partition[partition][stream] = newest
        overall[stream] = max(newest, overall.get(stream, newest))
    return overall, by_partition
