"""Scoring's named statements, as far as its worker uses them."""

from collections.abc import Sequence
from datetime import date, datetime
from functools import partial
from typing import Any

from tests.twins.statements import Named, rows_of
from tests.twins.tables import Found, Row, View

DAY_US = 86_400_000_000


def seen_again(table: str, at: View, days: Sequence[date], hashes: Sequence[int], times: Sequence[int]) -> Found:
    found = []
    for one in rows_of("day hash times", days, hashes, times):
        row = at.get(table, (one["day"], one["hash"]))
        if row is not None:
            at.put(table, (one["day"], one["hash"]), {**row, "seen": row["seen"] + one["times"]})
            found.append({"day": one["day"], "hash": one["hash"]})
    return found


def _counted(old: Row, new: Row) -> Row:
    return {**old, "seen": old["seen"] + new["seen"]}


def archive(table: str, at: View, *columns: Any) -> Found:
    *given, applied_at = columns
    stored = []
    for row in rows_of("day hash partition account log_offset seen body", *given):
        _check_part(at, table, row["day"])
        new: Row = {**row, "applied_at": applied_at}
        after = at.upsert(table, (row["day"], row["hash"]), new, _counted)
        assert after is not None
        stored.append({name: after[name] for name in ("day", "hash", "seen")})
    return stored


def _check_part(at: View, table: str, day: date) -> None:
    parts = (row for row in at.all("part") if row["parent"] == table)
    is_kept = any(row["begin"] <= day.isoformat() < row["end"] for row in parts)
    at.check(is_kept, f"no partition of relation {table} found for {day}")


def archive_parts(at: View) -> Found:
    return [{"relname": row["relname"]} for row in at.all("part") if row["parent"] is not None]


def _raised(old: Row, new: Row) -> Row:
    return {**new, "newest": max(old["newest"], new["newest"]), "events": old["events"] + new["events"]}


def watermark_raise(at: View, *columns: Sequence[Any]) -> Found:
    for row in rows_of("partition stream newest events", *columns):
        at.upsert("watermark", (row["partition"], row["stream"]), row, _raised)
    return []


def watermarks(at: View) -> Found:
    return list(at.all("watermark"))


def of_accounts(table: str, at: View, partitions: Sequence[int], accounts: Sequence[str]) -> Found:
    return [row for row in at.all(table) if row["partition"] in partitions and row["account"] in accounts]


def load_published(at: View, accounts: Sequence[str]) -> Found:
    return [row for account in sorted(set(accounts)) if (row := at.get("published", (account,))) is not None]


def load_past(at: View, accounts: Sequence[str], version: int) -> Found:
    newest: dict[tuple[str, int], Row] = {}
    for row in at.all("history"):  # by account and version: the last one that is old enough stays
        for days in (1, 7, 30, 90) if row["account"] in accounts else ():
            if row["version"] <= version - days * DAY_US:
                newest[row["account"], days] = row
    return [{"account": account, "days": days, "score": row["score"]} for (account, days), row in newest.items()]


def write(table: str, names: str, keys: int, at: View, *columns: Sequence[Any]) -> Found:
    """Each row in place of the one with the same key: the first `keys` columns."""
    for row in rows_of(names, *columns):
        at.put(table, tuple(row.values())[:keys], row)
    return []


PUBLISHED = "account partition version as_of look_at importing score band segment lifecycle owner name arr snapshot"


def write_published(at: View, *columns: Sequence[Any]) -> Found:
    for row in rows_of(PUBLISHED, *columns):
        at.put("published", (row["account"],), row)
    return []


def write_looks(at: View, *columns: Sequence[Any]) -> Found:
    for one in rows_of("account look_at importing", *columns):
        row = at.get("published", (one["account"],))
        if row is not None and (row["look_at"], row["importing"]) != (one["look_at"], one["importing"]):
            at.put("published", (one["account"],), {**row, **one})
    return []


def put_off(at: View, *columns: Sequence[Any]) -> Found:
    for one in rows_of("account look_at", *columns):
        row = at.get("published", (one["account"],))
        if row is not None:
            at.put("published", (one["account"],), {**row, **one})
    return []


def write_history(at: View, *columns: Sequence[Any]) -> Found:
    for row in rows_of("account version as_of score band cause model body", *columns):
        at.insert("history", (row["account"], row["version"]), row)
    return []


def due(at: View, partitions: Sequence[int], now: datetime, limit: int) -> Found:
    found = [row for row in at.all("published") if row["partition"] in partitions and row["look_at"] <= now]
    return sorted(found, key=lambda row: row["look_at"])[:limit]


def walk(at: View, partition: int, after: str, limit: int) -> Found:
    found = [row for row in at.all("published") if row["partition"] == partition and row["account"] > after]
    return [{"account": row["account"]} for row in found[:limit]]


def active_version(at: View) -> Found:
    return [{"version": row["version"]} for row in at.all("definition") if row["active"]]


def definition_body(at: View, version: str) -> Found:
    row = at.get("definition", (version,))
    return [] if row is None else [{"body": row["body"]}]


SCORING: Named = {
    "already_live": partial(seen_again, "usage_event"),
    "already_kept": partial(seen_again, "event"),
    "archive_usage": partial(archive, "usage_event"),
    "archive_event": partial(archive, "event"),
    "archive_parts": archive_parts,
    "watermark_raise": watermark_raise,
    "watermarks": watermarks,
    "load_fresh": partial(of_accounts, "fresh"),
    "load_state": partial(of_accounts, "state"),
    "load_published": load_published,
    "load_past": load_past,
    "write_fresh": partial(write, "fresh", "partition account body", 2),
    "write_state": partial(write, "state", "partition account kind key body", 4),
    "write_published": write_published,
    "write_looks": write_looks,
    "put_off": put_off,
    "write_history": write_history,
    "due": due,
    "walk": walk,
    "active_version": active_version,
    "definition_body": definition_body,
}
