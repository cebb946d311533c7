"""Set-aside events once more through every rule: accepted for good, or still refused and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.ingest import store
from services.ingest.domain.identity import Alias
from services.ingest.domain.outcome import Refused, Valid, unmatched
from services.ingest.domain.reasons import BY_CODE, Reason
from services.ingest.intake import HELD_ACK_SECONDS_MAX, Intake
from services.ingest.judging import judge_surely, too_large_for_the_broker
from services.ingest.store import SQL
from shared.contracts.topics import STREAMS
from shared.postgres.pool import Connection

REPLAY_MAX = 250  # rows of one call: at the size limit of an event that is 64 MB in memory

_STREAMS = {stream.name: stream for stream in STREAMS}
# The fault lay in the record, not in its bytes: judging those alone would name another reason.
_NOT_IN_THE_BYTES = frozenset({Reason.TOMBSTONE, Reason.BINARY_MODE, Reason.QUARANTINED})


@dataclass(frozen=True, slots=True)
class Replayed:
    """id -> the account it went to, or the refusal that still holds. Rows that are not open are in neither."""

    accepted: dict[int, str]
    refused: dict[int, Refused]
    next_offsets: dict[int, int]


@dataclass(frozen=True, slots=True)
class Replay:
    """The rows stay locked until the broker has acknowledged: of two calls at once the second finds nothing open."""

    intake: Intake

    async def by_ids(self, ids: Sequence[int], actor: str) -> tuple[Replayed, dict[int, str]]:
        """Raises NotAcknowledged or one of CONNECTION_ERRORS. The second is the state of every row that exists."""
        async with self.intake.pool.acquire() as tx, tx.transaction():
            rows = await tx.fetch(SQL["open_by_ids"], ids)
            replayed = await self._replay(tx, rows, actor)
            states = await tx.fetch(SQL["states_of"], ids)
        return replayed, {row["id"]: row["state"] for row in states}

    async def by_reason(self, reason: str, after: int, actor: str) -> tuple[Replayed, int | None]:
        """The next REPLAY_MAX rows after id `after`; the second is where to go on, None at the end."""
        async with self.intake.pool.acquire() as tx, tx.transaction():
            rows = await tx.fetch(SQL["open_by_reason"], reason, after, REPLAY_MAX)
            replayed = await self._replay(tx, rows, actor)
        return replayed, rows[-1]["id"] if len(rows) == REPLAY_MAX else None

    async def _replay(self, tx: Connection, rows: Sequence[asyncpg.Record], actor: str) -> Replayed:
        now = await self.intake.now()
        judged = {row["id"]: _judged(row, now) for row in rows}
        if links := [found.link for found in judged.values() if isinstance(found, Valid) and found.link]:
            await store.lock_aliases(tx, [link.alias for link in links])
            await store.bind(tx, links)  # what waited for them leaves with the worker's next release
        resolved, waiting = await _resolved(tx, judged)
        refused = {row_id: found for row_id, found in judged.items() if isinstance(found, Refused)}
        refused |= {row_id: unmatched(found, alias) for row_id, (found, alias) in waiting.items()}
        next_offsets: dict[int, int] = {}
        if resolved:
            going = [row for row in rows if row["id"] in resolved]
            records = [self.intake.outgoing(*resolved[r["id"]], r["received_at"], r["actor"]) for r in going]
            next_offsets, not_taken = await self.intake.forwarder.send(records, seconds_max=HELD_ACK_SECONDS_MAX)
            for row_id in [going[number]["id"] for number in not_taken]:
                refused[row_id] = too_large_for_the_broker(resolved.pop(row_id)[0])
            await store.settle(tx, list(resolved), "replayed", now, actor)
        if refused:
            reasons = [
                (row_id, why, waiting[row_id][1] if row_id in waiting else None) for row_id, why in refused.items()
            ]
            await store.refuse_again(tx, reasons)
        return Replayed({row_id: account for row_id, (_, account) in resolved.items()}, refused, next_offsets)


def _judged(row: asyncpg.Record, now: datetime) -> Valid | Refused:
    reason = BY_CODE[row["reason"]]
    if reason in _NOT_IN_THE_BYTES:
        return Refused(reason=reason, pointer="", expected=row["expected"])
    return judge_surely(row["payload"], now, _STREAMS.get(row["topic"]))


async def _resolved(
    tx: Connection, judged: Mapping[int, Valid | Refused]
) -> tuple[dict[int, tuple[Valid, str]], dict[int, tuple[Valid, Alias]]]:
    """Those that are about an account by now, and those that still wait for an alias."""
    valid = {row_id: found for row_id, found in judged.items() if isinstance(found, Valid)}
    bound = await store.accounts_of(tx, {found.about for found in valid.values() if isinstance(found.about, Alias)})
    resolved: dict[int, tuple[Valid, str]] = {}
    waiting: dict[int, tuple[Valid, Alias]] = {}
    for row_id, found in valid.items():
        if not isinstance(found.about, Alias):
            resolved[row_id] = (found, found.about)
        elif found.about in bound:
            resolved[row_id] = (found, bound[found.about])
        else:
            waiting[row_id] = (found, found.about)
    return resolved, waiting
