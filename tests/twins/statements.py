"""What each named statement does, in Python: the claim's own here, the services' in modules beside."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from asyncpg import DuplicateTableError

from shared.postgres import named_sql
from tests.twins.store import Do
from tests.twins.tables import Found, Gap, Row, View
from tests.twins.virtual_time import wall

Named = dict[str, Do]  # name -> what it does


def rows_of(names: str, *columns: Sequence[Any]) -> Iterator[Row]:
    """As unnest does: one row per place in the columns."""
    return (dict(zip(names.split(), values, strict=True)) for values in zip(*columns, strict=True))


def do_nothing(_old: Row, _new: Row) -> None:
    """ON CONFLICT DO NOTHING."""


def finder(packages: Mapping[str, Named]) -> Callable[[str], Do]:
    """How a database finds what a statement's text does. Raises Gap for what no twin knows."""
    texts = {sql: (package, name) for package in packages for name, sql in named_sql.load(package).items()}

    def find(sql: str) -> Do:
        if sql in texts:
            package, name = texts[sql]
            do = packages[package].get(name)
        else:
            do = _inline(sql)
        if do is None:
            raise Gap(f"no twin of {texts.get(sql, sql)}")
        return do

    return find


def claim(at: View, log_id: str, topic: str, *columns: Sequence[int]) -> Found:
    moved = []
    for one in sorted(rows_of("partition offset seq to", *columns), key=lambda row: row["partition"]):
        key = topic, one["partition"]
        row = at.get("position", key)
        if row is None or row["log_id"] != log_id:
            continue
        at.lock("position", key)
        if (row["next_offset"], row["seq"]) == (one["offset"], one["seq"]):
            at.put("position", key, {**row, "next_offset": one["to"], "seq": row["seq"] + 1})
            moved.append({"partition": one["partition"]})
    return moved


def begin_positions(at: View, log_id: str, topic: str, partitions: int) -> Found:
    for partition in range(partitions):
        row = {"log_id": log_id, "topic": topic, "partition": partition, "partitions": partitions}
        if at.get("position", (topic, partition)) is None:
            at.upsert("position", (topic, partition), {**row, "next_offset": 0, "seq": 0}, do_nothing)
    return []


def positions(at: View, topic: str) -> Found:
    return [row for row in at.all("position") if row["topic"] == topic]


def outbox_store(at: View, *columns: Sequence[Any]) -> Found:
    numbers = []
    for row in rows_of("partition topic target key value", *columns):
        n = at.number("outbox")
        at.insert("outbox", (n,), {"n": n, **row})
        numbers.append({"n": n})
    return numbers


def outbox_leftovers(at: View, partitions: Sequence[int], but: Sequence[int], limit: int) -> Found:
    kept = (row for row in at.all("outbox") if row["partition"] in partitions and row["n"] not in but)
    return [row for _, row in zip(range(limit), kept, strict=False)]


def outbox_delete(at: View, numbers: Sequence[int]) -> Found:
    for n in numbers:
        if at.get("outbox", (n,)) is not None:
            at.delete("outbox", (n,))
    return []


def set_aside(at: View, log_id: str, *columns: Sequence[Any]) -> Found:
    for row in rows_of("topic partition record_offset source reason key value", *columns):
        key = log_id, row["topic"], row["partition"], row["record_offset"]
        number = at.number("set_aside")
        given = {"id": number, "log_id": log_id, **row, "at": wall(), "retried_at": None}
        if at.get("set_aside", key) is None:
            at.upsert("set_aside", key, given, do_nothing)
    return []


LOOP: Named = {
    "claim": claim,
    "begin_positions": begin_positions,
    "positions": positions,
    "outbox_store": outbox_store,
    "outbox_leftovers": outbox_leftovers,
    "outbox_delete": outbox_delete,
    "set_aside": set_aside,
}


def _offset(at: View) -> Found:
    return [at.get("access.clock", ()) or {"offset_by": timedelta()}]


def _identity_key(at: View) -> Found:
    return [at.get("access.identity_key", ()) or {"key": bytes(32)}]


def _advisory_lock(at: View, key: int) -> Found:
    at.lock("advisory", (key,))
    return [{"pg_advisory_xact_lock": None}]


_INLINE: Named = {
    "SELECT offset_by FROM clock": _offset,
    "SELECT key FROM identity_key": _identity_key,
    "SELECT pg_advisory_xact_lock($1)": _advisory_lock,
}
_CREATE = re.compile(r"CREATE TABLE (\w+) \(LIKE \w+ INCLUDING ALL\)")
_ATTACH = re.compile(r"ALTER TABLE (\w+) ATTACH PARTITION (\w+) FOR VALUES FROM \('([\d-]+)'\) TO \('([\d-]+)'\)")


def _inline(sql: str) -> Do | None:
    if created := _CREATE.fullmatch(sql):
        return lambda at: _create(at, *created.groups())
    if attached := _ATTACH.fullmatch(sql):
        return lambda at: _attach(at, *attached.groups())
    return _INLINE.get(sql)


def _create(at: View, name: str) -> Found:
    at.lock("part", (name,))
    if at.get("part", (name,)) is not None:
        raise DuplicateTableError(f"{name} exists")
    at.put("part", (name,), {"relname": name, "parent": None})
    return []


def _attach(at: View, parent: str, name: str, begin: str, end: str) -> Found:
    at.put("part", (name,), {"relname": name, "parent": parent, "begin": begin, "end": end})
    return []
