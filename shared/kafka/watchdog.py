"""Ends a process that does nothing though there is work: aiokafka can stay stuck after a broker's restart, silently.

It has clients of its own, as the worker's may be what is stuck. While a server does not answer, waiting is right.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.kafka.claim import SQL
from shared.postgres.pool import Pool, is_about_the_server
from shared.telemetry import logger

STUCK_SECONDS = 30.0  # above the slowest take-over and a rebalance together
ASK_EVERY_SECONDS = 5.0
ASK_SECONDS_MAX = 5.0

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


@contextlib.asynccontextmanager
async def watched(service: str, progressed_at: Callable[[], float], is_behind: Ask) -> AsyncIterator[None]:
    """Watch a worker while the body runs it."""
    task = asyncio.create_task(watch(service, progressed_at, is_behind))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _is_behind(ask: Ask) -> bool:
    try:
        async with asyncio.timeout(ASK_SECONDS_MAX):
            return await ask()
    except Exception as error:  # noqa: BLE001 - a watchdog that fell over would watch no more
        if not isinstance(error, KafkaError) and not is_about_the_server(error):
            _log.exception("watchdog_cannot_ask", reason=repr(error))
        return False


class Behind:
    """Whether the log is ahead of the stored positions; asked again, whether they have stood still since.

    assigned: the partitions that this worker has. One that has none answers for all, as none might be because of it.
    """

    def __init__(
        self, pool: Pool, asker: AIOKafkaConsumer, topic: str, assigned: Callable[[], frozenset[TopicPartition]]
    ) -> None:
        self._pool = pool
        self._asker = asker
        self._topic = topic
        self._assigned = assigned
        self._before: dict[int, int] = {}

    async def __call__(self) -> bool:
        rows = await self._pool.fetch(SQL["positions"], self._topic)
        ends = await self._asker.end_offsets([TopicPartition(self._topic, row["partition"]) for row in rows])
        mine = {tp.partition for tp in self._assigned()}
        ahead = {
            row["partition"]: row["seq"]
            for row in rows
            if ends[TopicPartition(self._topic, row["partition"])] > row["next_offset"]
        }
        before, self._before = self._before, ahead
        return any(before.get(p) == seq for p, seq in ahead.items() if not mine or p in mine)
