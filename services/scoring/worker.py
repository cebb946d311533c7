"""Scoring's part of the claimed batch: health.events -> archive, state, score, health.changes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import msgspec
from aiokafka import ConsumerRecord
from msgspec import json

from services.scoring import said, store
from services.scoring.archive import Archive, Arrived, stream_of
from services.scoring.definitions_store import Active
from services.scoring.domain.definitions import Definitions
from services.scoring.domain.fold import fold
from services.scoring.domain.instants import us_of
from services.scoring.domain.notables import notables
from services.scoring.domain.record import State, merge
from services.scoring.domain.snapshot import Case, build
from services.scoring.looks import Looks, next_look
from services.scoring.metrics import APPLIED, DUPLICATES, EVENT_TO_SCORE, SNAPSHOTS
from services.scoring.remembered import Remembered
from services.scoring.said import IMPORT_ENDED, Decision
from services.scoring.store import Freshness
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent, decode
from shared.contracts.health import Snapshot, changed
from shared.kafka.batch import Batch, Message
from shared.postgres.pool import Connection, Pool


@dataclass(frozen=True, slots=True)
class Novel:
    """What archive found new, by account in the order of arrival; `accounts` also has those that are only looked at."""

    definitions: Definitions
    events: Mapping[str, Sequence[HealthEvent]]
    accounts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """An account after the batch: what we know, and what we would say about it now."""

    known: Remembered
    events: Sequence[HealthEvent]
    snapshot: Snapshot


@dataclass
class Scoring:
    """The four callbacks. What is remembered between batches counts because the claim vouches for it."""

    pool: Pool
    changes_topic: str
    remembered_max: int
    _remembered: dict[str, Remembered] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._archive = Archive(self.pool)
        self._active = Active()
        self._looks = Looks()

    def forget(self) -> None:
        """Drop every state."""
        self._remembered.clear()
        self._looks.forget()
        self._archive.forget()

    def source_of(self, record: ConsumerRecord) -> str:
        """The producer of the event."""
        return decode(record.value).source

    async def put_off(self, tx: Connection, looks: Mapping[int, Sequence[str]], now: datetime) -> None:
        """Not before the accounts' next regular look."""
        later = [(account, next_look(account, now)) for found in looks.values() for account in found]
        await store.put_off(tx, later)

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        """Whose look is due."""
        return await self._looks.due(connection, partitions, now)

    async def archive(self, tx: Connection, batch: Batch) -> Novel:
        """Keep what arrived; what repeats is a duplicate."""
        definitions, is_new = await self._active.definitions(tx)
        if is_new:
            self._remembered.clear()  # other fields may be folded now
        arrived = [_arrived(p, record) for p in sorted(batch.records) for record in batch.records[p]]
        new = await self._archive.store(tx, arrived, batch.now)
        await store.raise_watermarks(tx, _newest(arrived))
        APPLIED.inc(len(new))
        DUPLICATES.inc(len(arrived) - len(new))
        events: dict[str, list[HealthEvent]] = defaultdict(list)
        accounts = {account: p for p, found in batch.looks.items() for account in found}
        for one in new:
            events[one.event.account].append(one.event)
            accounts[one.event.account] = one.partition
        return Novel(definitions, events, accounts)

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: Novel) -> list[Reading]:
        """What we know now, and what it means."""
        await self._remember(tx, batch, novel)
        overall, by_partition = await store.watermarks(tx)
        cases = []
        for account, partition in novel.accounts.items():
            events = novel.events.get(account, ())
            known = self._remembered[account] = _folded(novel.definitions, self._remembered[account], events)
            freshness = overall if partition in batch.caught_up else by_partition.get(partition, {})
            freshness = _not_before(freshness, known.said)
            cases.append(_case(novel.definitions, known, events, batch.next_offsets[partition], freshness))
        snapshots = build(novel.definitions, cases, batch.now)
        return [
            _reading(self._remembered[snapshot.account], novel.events.get(snapshot.account, ()), snapshot)
            for snapshot in snapshots
        ]

    async def decide(self, tx: Connection, batch: Batch, reading: Sequence[Reading]) -> list[Message]:
        """Store what we know; say what is worth saying."""
        changed_states = [one.known for one in reading if one.events]
        left = await store.write_states(tx, changed_states)
        decisions = [said.decide(one.known, one.events, one.snapshot) for one in reading]
        await store.write_snapshots(tx, [(d.said, d.look_at, d.importing) for d in decisions if d.said is not None])
        await store.write_looks(
            tx,
            [
                (one.known.account, d.look_at, d.importing)
                for one, d in zip(reading, decisions, strict=True)
                if d.said is None and (not one.events or _is_other_look(d, one.known))
            ],
        )
        for one, decision in zip(reading, decisions, strict=True):
            fresh = left.get(one.known.account, one.known.fresh)
            self._remembered[one.known.account] = _after(one, decision, fresh)
        self._observe(batch, reading, decisions)
        return [self._message(decision.said) for decision in decisions if decision.said is not None]

    async def _remember(self, tx: Connection, batch: Batch, novel: Novel) -> None:
        """Load who is not remembered; of who is only looked at, read the past scores again, as days may have passed."""
        version = us_of(batch.now)
        missing = {account: p for account, p in novel.accounts.items() if account not in self._remembered}
        looked_at = [a for a in novel.accounts if a not in missing and a not in novel.events]
        for account, past in (await store.load_past(tx, looked_at, version)).items():
            self._remembered[account] = replace(self._remembered[account], past=past)
        for account in list(self._remembered)[: max(0, len(self._remembered) + len(missing) - self.remembered_max)]:
            if account not in novel.accounts:
                del self._remembered[account]
        if missing:
            self._remembered |= await store.load(tx, missing, version)

    def _message(self, snapshot: Snapshot) -> Message:
        body = json.encode(changed(snapshot))
        return Message(snapshot.partition, self.changes_topic, snapshot.partition, snapshot.account.encode(), body)

    def _observe(self, batch: Batch, readings: Sequence[Reading], decisions: Sequence[Decision]) -> None:
        for decision in decisions:
            if decision.said is not None:
                SNAPSHOTS.labels(decision.said.cause).inc()
        for one in readings:
            for event in one.events:
                EVENT_TO_SCORE.observe(max(0.0, (batch.now - event.receivedat).total_seconds()))


def _arrived(partition: int, record: ConsumerRecord) -> Arrived:
    """Only ingest writes this topic. Raises for what is no event of its, which the loop then sets aside."""
    event = decode(record.value)
    if event.type not in TYPES:
        raise KeyError(f"type {event.type!r} is not known")
    return Arrived(partition, record.offset, event, record.value)


def _newest(arrived: Sequence[Arrived]) -> dict[tuple[int, str], tuple[datetime, int]]:
    newest: dict[tuple[int, str], tuple[datetime, int]] = {}
    for one in arrived:
        if one.event.type == IMPORT_ENDED:
            continue  # a word of ours about an import is no sign of life of a source
        at = one.partition, stream_of(one.event)
        time, events = newest.get(at, (one.event.time, 0))
        newest[at] = max(time, one.event.time), events + 1
    return newest


def _folded(definitions: Definitions, known: Remembered, events: Sequence[HealthEvent]) -> Remembered:
    if not events:
        return known
    delta = fold(definitions, events)
    return replace(
        known,
        state=merge(known.state, delta),
        fresh=merge(known.fresh, delta),
        touched=known.touched | {event.type for event in events},
    )


def _not_before(freshness: Freshness, said: Snapshot | None) -> Freshness:
    """How far a source had been read once is not unlearned while a partition lags: who was silent stays so."""
    before = said.freshness if said else {}
    return {stream: max(at[stream] for at in (freshness, before) if stream in at) for stream in {*freshness, *before}}


def _case(
    definitions: Definitions, known: Remembered, events: Sequence[HealthEvent], next_offset: int, freshness: Freshness
) -> Case:
    return Case(
        account=known.account,
        partition=known.partition,
        next_offset=next_offset,
        state=known.state,
        freshness=freshness,
        previous=known.said,
        touched=known.touched,
        notables=notables(definitions, (event for event in events if event.importrun is None)),
        history=known.past,
        has_memory=said.has_memory(known),
    )


def _reading(known: Remembered, events: Sequence[HealthEvent], snapshot: Snapshot) -> Reading:
    quiet = said.quiet(known, events, snapshot.model, snapshot.as_of)
    return Reading(known, events, msgspec.structs.replace(snapshot, quiet=quiet))


def _is_other_look(decision: Decision, known: Remembered) -> bool:
    """Events alone rarely change when to look. A look always writes: others may have made the account due."""
    return (decision.look_at, decision.importing) != (known.look_at, known.importing)


def _after(one: Reading, decision: Decision, fresh: State) -> Remembered:
    after = replace(one.known, fresh=fresh, look_at=decision.look_at, importing=decision.importing)
    if decision.said is None:
        return after
    return replace(after, said=decision.said, touched=frozenset())
