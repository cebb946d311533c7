"""Ends a process that does nothing though there is work: aiokafka can stay stuck after a broker's restart, silently.

It has clients of its own, as the worker's may be what is stuck. While a server does not answer, waiting is right.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kafka.claim import SQL, Position
from shared.postgres.pool import Pool, is_about_the_server
from shared.telemetry import logger

STUCK_SECONDS = 30.0  # above the slowest take-over and a rebalance together
ASK_EVERY_SECONDS = 5.0
ASK_SECONDS_MAX = 5.0
READ_MAX_MS = 1_000  # how long one waits for a record that may be none

Ask = Callable[[], Awaitable[bool]]
End = Callable[[str], None]

_log = logger(__name__)


def end_process(reason: str) -> None:
    """At once: what is stuck cannot be trusted to close itself. Nothing is lost, as the claim decides what counts."""
    sys.stderr.write(f"{reason}\n")
    sys.stderr.flush()
    os._exit(os.EX_TEMPFAIL)


async def watch(
    service: str,
    progressed_at: Callable[[], float],
    is_behind: Ask,
    *,
    end: End = end_process,
    stuck_seconds: float = STUCK_SECONDS,
    ask_every_seconds: float = ASK_EVERY_SECONDS,
) -> None:
    """Call `end` once the log has been ahead for `stuck_seconds` in which nothing was claimed; until cancelled.

    progressed_at: the event loop's time of the last claim. is_behind raises what a server that does not answer raises.
    """
    time = asyncio.get_running_loop().time
    behind_since: float | None = None
    while True:
        await asyncio.sleep(ask_every_seconds)
        if not await _is_behind(is_behind):
            behind_since = None
            continue
        behind_since = time() if behind_since is None else behind_since
        idle = time() - max(behind_since, progressed_at())
        if idle >= stuck_seconds:
            reason = f"{service}: nothing was claimed for {idle:.0f} s though the log is ahead and both servers answer"
            _log.error("stuck", reason=reason)
            end(reason)
            return


async def _is_behind(ask: Ask) -> bool:
    try:
        async with asyncio.timeout(ASK_SECONDS_MAX):
            return await ask()
    except Exception as error:  # noqa: BLE001 - a watchdog that fell over would watch no more
        if not isinstance(error, KafkaError) and not is_about_the_server(error):
            _log.exception("watchdog_cannot_ask", reason=repr(error))
        return False


class Standing(Protocol):
    """Where reading of a partition stands; another one after every claim."""

    @property
    def next_offset(self) -> int: ...


Standings = Callable[[frozenset[TopicPartition]], Awaitable[Mapping[TopicPartition, Standing]]]


class Behind:
    """Asked again, whether reading has stood still since though a record follows.

    standings: of the partitions asked for, or of all if none is. assigned: the partitions that this worker has; one
    that has none answers for all, as none might be because of it. reader: a consumer of its own, of no group. The
    record is really read: what transactions leave at a log's end looks like records, and is none.
    """

    def __init__(
        self, standings: Standings, reader: AIOKafkaConsumer, assigned: Callable[[], frozenset[TopicPartition]]
    ) -> None:
        self._standings = standings
        self._reader = reader
        self._assigned = assigned
        self._before: Mapping[TopicPartition, Standing] = {}

    async def __call__(self) -> bool:
        """Raises what a server that is away raises: then waiting is right."""
        known = await self._standings(self._assigned())
        ends = await self._reader.end_offsets(list(known))
        before, self._before = self._before, known
        still = {tp: at.next_offset for tp, at in known.items() if at.next_offset < ends[tp] and before.get(tp) == at}
        return bool(still) and await self._has_a_record(still)

    async def _has_a_record(self, after: Mapping[TopicPartition, int]) -> bool:
        self._reader.assign(list(after))
        for tp, next_offset in after.items():
            self._reader.seek(tp, next_offset)
        found = await self._reader.getmany(timeout_ms=READ_MAX_MS, max_records=1)
        self._reader.pause(*after)  # or it would go on fetching for nobody
        return any(found.values())


def positions_in(pool: Pool, topic: str) -> Standings:
    """What Postgres says of a topic of ours."""

    async def standings(asked: frozenset[TopicPartition]) -> Mapping[TopicPartition, Standing]:
        rows = await pool.fetch(SQL["positions"], topic)
        found = {TopicPartition(topic, r["partition"]): Position(r["next_offset"], r["seq"]) for r in rows}
        # A restore may have taken the positions themselves away: then they begin at 0 again.
        return {tp: found.get(tp, Position(0, 0)) for tp in asked or found}

    return standings
