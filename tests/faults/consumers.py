"""What consumers of health.changes and outreach.events make of a restore, who know nothing of one."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import msgspec

from shared.contracts.health import Snapshot, decode_change, decode_snapshot
from tests.pair import World
from tests.reading import everything

Subject = tuple[str, str, str]  # account, rule, key


@dataclass
class Heard:
    """Both topics up to where they ended when they were read."""

    changes: list[tuple[Snapshot, bytes]] = field(default_factory=list)
    outreach: list[dict[str, Any]] = field(default_factory=list)

    def newest(self) -> dict[str, Snapshot]:
        """The view of a consumer that keeps the greatest version of each account."""
        newest: dict[str, Snapshot] = {}
        for snapshot, _ in self.changes:
            if snapshot.account not in newest or newest[snapshot.account].version < snapshot.version:
                newest[snapshot.account] = snapshot
        return newest

    def open_subjects(self) -> dict[Subject, str]:
        """subject -> alert, for a consumer that lets the last message about a subject win."""
        said: dict[Subject, str | None] = {}
        for message in self.outreach:
            is_trigger = message["type"] == "outreach.triggered"
            said[_subject(message)] = message["data"]["alert"] if is_trigger else None
        return {subject: alert for subject, alert in said.items() if alert is not None}


async def heard(world: World) -> Heard:
    """Everything that has been said so far."""
    both = Heard()
    async for record in everything(world.bootstrap, world.topic("health.changes")):
        both.changes.append((decode_change(record.value), record.value))
    async for record in everything(world.bootstrap, world.topic("outreach.events")):
        both.outreach.append(msgspec.json.decode(record.value))
    return both


async def nobody_is_deaf(before: Heard, after: Heard, scoring: asyncpg.Connection) -> None:
    """What is said has a greater version than all before it, or repeats it byte for byte; every account is said again.

    before: what had been heard when Postgres was replaced.
    """
    versions: dict[str, int] = {}
    bodies: set[bytes] = set()
    for snapshot, body in after.changes:
        assert body in bodies or snapshot.version > versions.get(snapshot.account, 0), snapshot.account
        bodies.add(body)
        versions[snapshot.account] = max(snapshot.version, versions.get(snapshot.account, 0))
    newest = after.newest()
    assert [one.account for one in before.newest().values() if newest[one.account].version <= one.version] == []
    rows = await scoring.fetch("SELECT account, snapshot FROM published")
    assert newest == {row["account"]: decode_snapshot(row["snapshot"]) for row in rows}


async def nobody_is_told_twice(backup: Heard, before: Heard, after: Heard, alerts: asyncpg.Connection) -> None:
    """An id names one thing, an opening has one id, and what a consumer believes to be open is.

    What was told between the backup and the restore was decided anew, by other looks: it may stand otherwise, under the
    ids that it had, until it is asked for.
    """
    named: dict[str, tuple[str, str, Subject]] = {}
    opened: dict[Subject, str] = {}
    for message in after.outreach:
        alert, subject = message["data"]["alert"], _subject(message)
        says = (message["type"], alert, subject)
        is_new = message["id"] not in named
        assert named.setdefault(message["id"], says) == says, message["id"]
        if is_new and message["type"] == "outreach.triggered":
            assert opened.setdefault(subject, alert) == alert, (
                f"{subject} is open as {opened[subject]}, told as {alert}"
            )
        elif is_new:
            opened.pop(subject, None)
    lost = {_subject(message) for message in before.outreach if message["id"] not in {m["id"] for m in backup.outreach}}
    rows = await alerts.fetch("SELECT * FROM alert WHERE state = 'firing' AND told_at IS NOT NULL")
    is_open = {(row["account"], row["rule"], row["key"]): row["id"] for row in rows}
    believed = after.open_subjects()
    assert {s: a for s, a in believed.items() if s not in lost} == {s: a for s, a in is_open.items() if s not in lost}
    print(f"told since the backup: {len(lost)} subjects, of which {len(believed.items() ^ is_open.items())} differ now")


def _subject(message: Mapping[str, Any]) -> Subject:
    data = message["data"]
    return data["account"], data["rule"], data["key"]
