"""Alerts' named statements, as far as its worker uses them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from asyncpg import ForeignKeyViolationError, UniqueViolationError
from msgspec import json

from tests.twins.statements import Named, rows_of
from tests.twins.statements_scoring import of_accounts
from tests.twins.tables import Found, Row, View

NEVER = datetime.min.replace(tzinfo=UTC)
TIMES = frozenset(
    ["since", "opened_at", "gate_since", "gate_until", "told_at", "at", "due_at", "started_at", "closed_at"]
)


def view_forward(at: View, *columns: Sequence[Any]) -> Found:
    given = rows_of("partition account version message", *columns)
    moved = [row for row in given if at.upsert("view", (row["partition"], row["account"]), row, _newer_version)]
    return [{"account": row["account"]} for row in moved]


def _newer_version(old: Row, new: Row) -> Row | None:
    return new if old["version"] < new["version"] else None


def views(at: View, partitions: Sequence[int], accounts: Sequence[str]) -> Found:
    return of_accounts("view", at, partitions, accounts)


def freshness_forward(at: View, *columns: Sequence[Any]) -> Found:
    for row in rows_of("partition stream newest", *columns):
        at.upsert("stream_freshness", (row["partition"], row["stream"]), row, _newer_time)
    return []


def _newer_time(old: Row, new: Row) -> Row | None:
    return new if old["newest"] < new["newest"] else None


def clocks(at: View) -> Found:
    return list(at.all("stream_freshness"))


def partitions(at: View) -> Found:
    return [{"max": max((row["partitions"] for row in at.all("position")), default=None)}]


def fire(at: View, *columns: Sequence[Any]) -> Found:
    new = []
    for row in rows_of("account rule notable at", *columns):
        key = row["account"], row["rule"], row["notable"]
        at.lock("fired", key)
        if at.get("fired", key) is None:
            at.put("fired", key, row)
            new.append({name: row[name] for name in ("account", "rule", "notable")})
    return new


def due(at: View, partitions: Sequence[int], now: datetime, limit: int) -> Found:
    clocks = {(row["partition"], row["stream"]): min(row["newest"], now) for row in at.all("stream_freshness")}
    clocks |= {(partition, ""): now for partition in partitions}
    found = {
        (row["partition"], row["account"])
        for row in at.all("look")
        if row["partition"] in partitions and row["at"] <= clocks.get((row["partition"], row["clock"]), NEVER)
    }
    return [{"partition": partition, "account": account} for partition, account in sorted(found)[:limit]]


def looks_delete(at: View, partitions: Sequence[int], accounts: Sequence[str]) -> Found:
    for row in of_accounts("look", at, partitions, accounts):
        at.delete("look", (row["partition"], row["account"], row["clock"]))
    return []


def looks_set(at: View, *columns: Sequence[Any]) -> Found:
    for row in rows_of("partition account clock at", *columns):
        at.upsert("look", (row["partition"], row["account"], row["clock"]), row, _earlier)
    return []


def _earlier(old: Row, new: Row) -> Row:
    return {**old, "at": min(old["at"], new["at"])}


def lock_open_alerts(at: View, accounts: Sequence[str]) -> Found:
    found = [row for row in at.all("alert") if row["account"] in accounts and row["state"] != "resolved"]
    for row in found:
        at.lock("alert", (row["id"],))
    return found


def alerts(at: View, ids: Sequence[str]) -> Found:
    return [row for row in at.all("alert") if row["id"] in ids]


def cases(at: View, ids: Sequence[str]) -> Found:
    return [row for row in at.all("work_case") if row["alert"] in ids]


def steps(at: View, ids: Sequence[str]) -> Found:
    return [row for row in at.all("step") if row["case_id"] in ids]


def past(at: View, accounts: Sequence[str]) -> Found:
    found: dict[tuple[str, str, str], Row] = {}
    for row in at.all("alert"):
        if row["account"] in accounts:
            subject = row["account"], row["rule"], row["key"]
            one = found.setdefault(
                subject, dict(zip(("account", "rule", "key"), subject, strict=True)) | {"openings": 0, "told_at": None}
            )
            one["openings"] = max(one["openings"], row["n"])
            one["told_at"] = max(filter(None, (one["told_at"], row["told_at"])), default=None)
    return list(found.values())


def untold(at: View, accounts: Sequence[str]) -> Found:
    about = {row["id"] for row in at.all("alert") if row["account"] in accounts}
    return [row for row in at.all("change") if row["alert"] in about and row["tells"] and row["told_at"] is None]


def tell(at: View, ids: Sequence[str], numbers: Sequence[int], now: datetime) -> Found:
    for key in zip(ids, numbers, strict=True):
        row = at.get("change", key)
        if row is not None:
            at.put("change", key, {**row, "told_at": now})
    return []


# What ON CONFLICT writes anew; the rest of a row stays as it was.
ALERT_MOVES = [
    "state",
    "since",
    "quiet",
    "gate",
    "gate_since",
    "gate_until",
    "gate_reason",
    "gate_actor",
    "told_at",
    "last_change",
]
CASE_MOVES = [
    "owner",
    "state",
    "due_at",
    "started_at",
    "started_by",
    "is_overdue",
    "closed_at",
    "closed_by",
    "outcome",
    "reason",
]
STEP_MOVES = ["due_at", "state", "reason"]


def write_alerts(at: View, given: str) -> Found:
    for row in _recordset(given):
        for other in at.all("alert"):
            if other["id"] != row["id"] and _subject(other) == _subject(row):
                are_open = "resolved" not in {other["state"], row["state"]}
                if are_open or other["n"] == row["n"]:
                    raise UniqueViolationError(f"alert {_subject(row)}: {other['id']} is there")
        _upsert(at, "alert", (row["id"],), row, ALERT_MOVES)
    return []


def write_changes(at: View, given: str) -> Found:
    for row in _recordset(given):
        if at.get("alert", (row["alert"],)) is None:
            raise ForeignKeyViolationError(f"change of {row['alert']}, which is not there")
        at.insert("change", (row["alert"], row["number"]), {**row, "told_at": None})
    return []


def write_cases(at: View, given: str) -> Found:
    for row in _recordset(given):
        _upsert(at, "work_case", (row["id"],), row, CASE_MOVES)
    return []


def write_steps(at: View, given: str) -> Found:
    for row in _recordset(given):
        row["case_id"] = row.pop("case")
        _upsert(at, "step", (row["case_id"], row["n"]), row, STEP_MOVES)
    return []


def _upsert(at: View, table: str, key: tuple[Any, ...], row: Row, moves: Sequence[str]) -> None:
    at.upsert(table, key, row, lambda old, new: old | {name: new[name] for name in moves})


def _recordset(given: str) -> list[Row]:
    """As jsonb_to_recordset does: text becomes what the column is."""
    rows: list[Row] = json.decode(given)
    return [{name: _typed(name, value) for name, value in row.items()} for row in rows]


def _typed(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in TIMES and value is not None else value


def _subject(row: Row) -> tuple[str, str, str]:
    return row["account"], row["rule"], row["key"]


ALERTS: Named = {
    "view_forward": view_forward,
    "views": views,
    "freshness_forward": freshness_forward,
    "clocks": clocks,
    "partitions": partitions,
    "fire": fire,
    "due": due,
    "looks_delete": looks_delete,
    "looks_set": looks_set,
    "lock_open_alerts": lock_open_alerts,
    "alerts": alerts,
    "cases": cases,
    "steps": steps,
    "past": past,
    "untold": untold,
    "tell": tell,
    "write_alerts": write_alerts,
    "write_changes": write_changes,
    "write_cases": write_cases,
    "write_steps": write_steps,
}
