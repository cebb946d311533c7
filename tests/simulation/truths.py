"""What must be true of a world at rest, whatever has happened in it: of what is stored, and of what was said."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from msgspec import json

from services.scoring.domain.fold import fold
from services.scoring.domain.record import State, decode, encode, merge, of_rows
from services.scoring.domain.snapshot import Case, build
from services.scoring.said import IMPORT_ENDED
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent
from shared.contracts.envelope import decode as decode_event
from shared.contracts.health import Snapshot, decode_change, decode_snapshot
from tests import alert_invariants
from tests.simulation.workers import CHANGES, EVENTS, OUTREACH, PARTITIONS, rules
from tests.simulation.world import World
from tests.unit.services.scoring.acme import packaged


def violations(world: World) -> list[str]:
    """Of a world in which everybody was said anew after the last event. Empty where all is well."""
    return [
        *of_archive(world),
        *of_states(world),
        *of_changes(world),
        *of_sums(world),
        *of_alerts(world),
        *of_store(world),
    ]


def of_archive(world: World) -> Iterator[str]:
    """Each event is kept once, and counted as often as the log has it; what nobody can read is set aside."""
    in_log: Counter[str] = Counter()
    for one in world.written(EVENTS):
        in_log.update([decode_event(one.record.value).id] if one.record.value != b"{" else [])
    kept: Counter[str] = Counter()
    for table in ("scoring.usage_event", "scoring.event"):
        for row in world.rows(table):
            if (event := decode_event(row["body"])).id in kept:
                yield f"{event.id} is kept twice"
            kept[event.id] += row["seen"]
    if kept != in_log:
        yield f"kept without being in the log: {kept - in_log}, in the log and not kept: {in_log - kept}"
    if len(world.rows("scoring.set_aside")) != world.unreadable:
        yield f"{len(world.rows('scoring.set_aside'))} set aside of {world.unreadable} that are unreadable"


def of_states(world: World) -> Iterator[str]:
    """What is known of an account is the pure fold of its events, and what was said last is read from that."""
    by_account: dict[str, list[HealthEvent]] = defaultdict(list)
    freshness: dict[str, datetime] = {}
    for event in world.sent:
        by_account[event.account].append(event)
        if event.type != IMPORT_ENDED:
            stream = TYPES[event.type].stream.name
            freshness[stream] = max(event.time, freshness.get(stream, event.time))
    said = {row["account"]: decode_snapshot(row["snapshot"]) for row in world.rows("scoring.published")}
    if said.keys() != by_account.keys():
        yield f"said of {sorted(said)}, events of {sorted(by_account)}"
    for account, snapshot in said.items():
        state = fold(packaged(), by_account[account])
        if encode(_stored(world, account)) != encode(state):
            yield f"{account}: the state is not the fold of its events"
        if snapshot.freshness != freshness:
            yield f"{account}: fresh to {snapshot.freshness}, the log to {freshness}"
        case = Case(account=account, partition=0, next_offset=0, state=state, freshness=freshness)
        expected = build(packaged(), [case], snapshot.as_of)[0]
        if _read(snapshot) != _read(expected):
            yield f"{account}: said {_read(snapshot)}, should be {_read(expected)}"


def _stored(world: World, account: str) -> State:
    settled = [
        (row["kind"], row["key"], row["body"]) for row in world.rows("scoring.state") if row["account"] == account
    ]
    fresh = [decode(row["body"]) for row in world.rows("scoring.fresh") if row["account"] == account]
    return merge(of_rows(settled), fresh[0] if fresh else State())


def _read(snapshot: Snapshot) -> tuple[object, ...]:
    """What of a snapshot does not depend on earlier ones."""
    return snapshot.score, snapshot.coverage, snapshot.signals, snapshot.instants, snapshot.records, snapshot.arr


def of_changes(world: World) -> Iterator[str]:
    """Who keeps the greatest version ends right; only who had lost its partition says something older after newer."""
    newest: dict[str, Snapshot] = {}
    of_owners: dict[str, int] = {}
    for one in world.written(CHANGES):
        snapshot = decode_change(one.record.value)
        account, version = snapshot.account, snapshot.version
        if account not in newest or version > newest[account].version:
            newest[account] = snapshot
        elif version == newest[account].version and snapshot != newest[account] and not world.restores:
            yield f"{account} {version} says two things"
        if one.by_owner and not world.restores:
            if version < of_owners.get(account, 0):
                yield f"{account}: {one.by} said {version} after {of_owners[account]}"
            of_owners[account] = version
    stored = {row["account"]: decode_snapshot(row["snapshot"]) for row in world.rows("scoring.published")}
    for account in stored.keys() | newest.keys():
        if stored.get(account) != newest.get(account):
            yield f"{account}: the newest in the topic is not what was said last"
    seen = {row["account"]: row["version"] for row in world.rows("alerts.view")}
    if seen != {account: snapshot.version for account, snapshot in newest.items()}:
        yield f"alerts has seen {seen}"


def of_sums(world: World) -> Iterator[str]:
    """Nothing is said that is not in the history, and the parts of a change add up to it."""
    if world.restores:
        return  # the history of what was said since the backup is gone
    history = {(row["account"], row["version"]) for row in world.rows("scoring.history")}
    said = {(s.account, s.version): s for s in (decode_change(one.record.value) for one in world.written(CHANGES))}
    if unknown := said.keys() - history:
        yield f"said and not in the history: {sorted(unknown)}"
    for (account, _), (other, version) in pairwise(sorted(said)):
        before, after = said[account, _], said[other, version]
        if account == other and before.score is not None and after.score is not None:
            moved = sum(round(delta.points * 1000) for delta in after.deltas)
            if moved != round(after.score * 1000) - round(before.score * 1000):
                yield f"{account} {version}: {before.score} and {moved} thousandths are not {after.score}"


def of_alerts(world: World) -> Iterator[str]:
    """Chains of changes, openings one after the other, messages as they were decided, nothing missing."""
    alerts, changes = world.rows("alerts.alert"), world.rows("alerts.change")
    yield from alert_invariants.of_rows(alerts, changes)
    if world.restores:
        return  # what was told before a restore was decided in a store that is gone
    messages = [json.decode(one.record.value) for one in world.written(OUTREACH)]
    yield from alert_invariants.of_messages(messages)
    yield from alert_invariants.of_both(changes, messages)
    snapshots = [decode_change(one.record.value) for one in world.written(CHANGES)]
    yield from _of_reasons(world, snapshots)


def _of_reasons(world: World, snapshots: Sequence[Snapshot]) -> Iterator[str]:
    """No alert without a reason, no reason without an alert."""
    alerts, changes, named = world.rows("alerts.alert"), world.rows("alerts.change"), rules().rules
    # What a worker knows of the company may lack any partition that was not read yet.
    parts = [[one for one in snapshots if one.partition == p] for p in range(PARTITIONS)]
    folds = [alert_invariants.Fold(named, rules().known.streams, part, world.offset) for part in (*parts, snapshots)]

    def known(subject: alert_invariants.Subject, at: datetime) -> list[bool | None]:
        return [answer for fold in folds for answer in fold.known(subject, at)]

    yield from alert_invariants.of_reasons(named, alerts, changes, known)
    looked_at = {one.account: one.as_of for one in sorted(snapshots, key=lambda one: one.version)}
    yield from alert_invariants.of_absences(named, alerts, folds[-1].subjects(), known, looked_at)


def of_store(world: World) -> Iterator[str]:
    """Whoever locks, locks in one order; no worker was stuck, but for one that did not hear of a restore."""
    if world.database.deadlocks:
        yield f"{world.database.deadlocks} deadlocks"
    if world.watchdogs and not world.restores:
        yield f"{world.watchdogs} workers were stuck"
