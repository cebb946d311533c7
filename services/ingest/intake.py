"""What becomes of events once their bytes are judged: bound, resolved, forwarded, parked, released.

HTTP and the worker take the same way; they differ in where events come from and in who is told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from services.ingest import store
from services.ingest.domain.identity import ACCOUNT, Alias
from services.ingest.domain.outcome import Link, Refused, Valid, unmatched
from services.ingest.domain.routing import Outgoing, outgoing
from services.ingest.forward import Forwarder, Sent
from services.ingest.judging import judge_surely, too_large_for_the_broker
from services.ingest.metrics import ACCEPTED, PARKED, REFUSED, RELEASED
from services.ingest.store import SQL, Kept, Record
from services.ingest.timekeeping import Timekeeper
from shared.contracts.catalogue import TYPES
from shared.postgres.pool import Connection, Pool

Via = Literal["http", "topic"]

# Below the time after which Postgres ends an idle transaction: rows are held while the broker acknowledges.
HELD_ACK_SECONDS_MAX = 3.0
RELEASE_MAX = 500  # parked events of one transaction; more follow in the next


class Item(NamedTuple):
    """One event as it came, and what its bytes say. `record` is None over HTTP."""

    raw: bytes
    judged: Valid | Refused
    actor: str
    record: Record | None = None

    @property
    def via(self) -> Via:
        return "topic" if self.record else "http"


class Accepted(NamedTuple):
    """In health.events, or on its way there, under `account`."""

    valid: Valid
    account: str


class Parked(NamedTuple):
    """Kept until `alias` is bound."""

    valid: Valid
    alias: Alias


Decision = Accepted | Parked | Refused


@dataclass(frozen=True, slots=True)
class Taken:
    """One decision per event, in their order; `next_offsets` covers every partition that got something."""

    decisions: list[Decision]
    next_offsets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Intake:
    """Postgres is asked only for what needs an alias, a link or a place aside; the rest needs the broker alone."""

    pool: Pool
    forwarder: Forwarder
    timekeeper: Timekeeper
    ack_seconds_max: float

    async def now(self) -> datetime:
        """The deployment's clock; by the offset last known while Postgres is away."""
        return await self.timekeeper.now()

    async def foresee(self, items: Sequence[Item]) -> list[Decision]:
        """What `take` would decide, with nothing written."""
        bound = await self._accounts(items)
        links = {link.alias: link.id for link in _links(items) if link.kind == ACCOUNT}
        return [_decide(item.judged, links | bound) for item in items]

    async def take(self, items: Sequence[Item], now: datetime) -> Taken:
        """Decide, keep what must be kept, forward the rest; when it returns the broker has acknowledged it.

        Raises NotAcknowledged or one of CONNECTION_ERRORS: then the outcome is unknown, and taking the same events
        again is right.
        """
        if links := _links(items):
            await self._bind(links)
        bound = await self._accounts(items)
        decisions = [_decide(item.judged, bound) for item in items]
        if any(_is_kept(item, decision) for item, decision in zip(items, decisions, strict=True)):
            decisions = await self._set_aside(items, decisions, now)
        sent = await self._forward(items, decisions, now)
        if sent.refused:
            decisions = [_refused_by_the_broker(d) if n in sent.refused else d for n, d in enumerate(decisions)]
            decisions = await self._set_aside(items, decisions, now)
        for item, decision in zip(items, decisions, strict=True):
            _count(item.via, decision)
        return Taken(decisions, sent.next_offsets)

    async def release(self, actor: str) -> int:
        """Forward one transaction's worth of parked events whose alias is bound; how many there were.

        Raises what `take` raises; the rows then stay open, and the next release takes them.
        """
        now = await self.now()
        async with self.pool.acquire() as tx, tx.transaction():
            rows = await tx.fetch(SQL["releasable"], RELEASE_MAX)
            # By the clock of its arrival: waiting for an alias makes no event too old.
            judged = [judge_surely(row["payload"], row["received_at"]) for row in rows]
            refused = {row["id"]: found for row, found in zip(rows, judged, strict=True) if isinstance(found, Refused)}
            passed = [(row, found) for row, found in zip(rows, judged, strict=True) if isinstance(found, Valid)]
            if passed:
                records = [self.outgoing(v, r["account"], r["received_at"], r["actor"]) for r, v in passed]
                sent = await self.forwarder.send(records, seconds_max=HELD_ACK_SECONDS_MAX)
                refused |= {passed[n][0]["id"]: too_large_for_the_broker(passed[n][1]) for n in sent.refused}
            released = [row["id"] for row, _ in passed if row["id"] not in refused]
            if refused:
                await store.refuse_again(tx, [(row_id, why, None) for row_id, why in refused.items()])
            if released:
                await store.settle(tx, released, "released", now, actor)
        RELEASED.inc(len(released))
        return len(rows)

    async def _bind(self, links: Sequence[Link]) -> None:
        async with self.pool.acquire() as tx, tx.transaction():
            await store.lock_aliases(tx, [link.alias for link in links])
            await store.bind(tx, links)

    async def _accounts(self, items: Sequence[Item]) -> dict[Alias, str]:
        aliases = {item.judged.about for item in items if isinstance(item.judged, Valid)}
        return await store.accounts_of(self.pool, [alias for alias in aliases if isinstance(alias, Alias)])

    async def _set_aside(self, items: Sequence[Item], decisions: Sequence[Decision], now: datetime) -> list[Decision]:
        """Under the aliases' locks they are looked up once more: whoever bound one meanwhile did not see our rows."""
        unknown = {decision.alias for decision in decisions if isinstance(decision, Parked)}
        async with self.pool.acquire() as tx, tx.transaction():
            bound = await self._bound_under_lock(tx, unknown)
            final = [
                _decide(item.judged, bound) if isinstance(decision, Parked) else decision
                for item, decision in zip(items, decisions, strict=True)
            ]
            kept = [
                _kept(item, decision, now)
                for item, decision in zip(items, final, strict=True)
                if _is_kept(item, decision)
            ]
            if kept:
                await store.set_aside(tx, kept)
        return final

    async def _bound_under_lock(self, tx: Connection, aliases: set[Alias]) -> dict[Alias, str]:
        if not aliases:
            return {}
        await store.lock_aliases(tx, aliases)
        return await store.accounts_of(tx, aliases)

    async def _forward(self, items: Sequence[Item], decisions: Sequence[Decision], now: datetime) -> Sent:
        """`refused` are numbers of items."""
        accepted = [(n, decision) for n, decision in enumerate(decisions) if isinstance(decision, Accepted)]
        if not accepted:
            return Sent({}, frozenset())
        records = [self.outgoing(decision.valid, decision.account, now, items[n].actor) for n, decision in accepted]
        sent = await self.forwarder.send(records, seconds_max=self.ack_seconds_max)
        return Sent(sent.next_offsets, frozenset(accepted[n][0] for n in sent.refused))

    def outgoing(self, valid: Valid, account: str, received_at: datetime, actor: str) -> Outgoing:
        """The record of health.events; `actor` is whoever brought the event, not who released it."""
        return outgoing(valid, account, received_at=received_at, actor=actor, partitions=self.forwarder.partitions)


def _links(items: Sequence[Item]) -> list[Link]:
    return [item.judged.link for item in items if isinstance(item.judged, Valid) and item.judged.link]


def _decide(judged: Valid | Refused, bound: dict[Alias, str]) -> Decision:
    if isinstance(judged, Refused):
        return judged
    if not isinstance(judged.about, Alias):
        return Accepted(judged, judged.about)
    account = bound.get(judged.about)
    return Parked(judged, judged.about) if account is None else Accepted(judged, account)


def _refused_by_the_broker(decision: Decision) -> Refused:
    assert isinstance(decision, Accepted)
    return too_large_for_the_broker(decision.valid)


def _is_kept(item: Item, decision: Decision) -> bool:
    """Refusals over HTTP are answered; those from topics have nobody to be told, so they are kept."""
    return isinstance(decision, Parked) or (isinstance(decision, Refused) and item.record is not None)


def _kept(item: Item, decision: Decision, now: datetime) -> Kept:
    if isinstance(decision, Parked):
        valid = decision.valid
        origin = (
            store.record_origin(item.record) if item.record else store.http_origin(valid.source, valid.id, valid.time)
        )
        return Kept(origin, item.record, item.actor, unmatched(valid, decision.alias), decision.alias, item.raw, now)
    assert isinstance(decision, Refused)
    assert item.record is not None
    return Kept(store.record_origin(item.record), item.record, item.actor, decision, None, item.raw, now)


def _count(via: Via, decision: Decision) -> None:
    if isinstance(decision, Accepted):
        ACCEPTED.labels(via, decision.valid.type.stream.name).inc()
    elif isinstance(decision, Parked):
        PARKED.labels(via, decision.valid.type.stream.name).inc()
    else:
        known = TYPES.get(decision.attributes.type or "")
        REFUSED.labels(via, known.stream.name if known else "unknown", decision.reason.value).inc()
