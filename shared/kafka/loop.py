"""The claimed batch: a batch counts only if one transaction moves the position from where the batch began.

Scoring and alerts run this same loop. Kafka's group hints at who works on a partition; the claim decides.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.clock import Clock
from shared.kafka import set_aside
from shared.kafka.batch import Batch, N, Portion, R, Work
from shared.kafka.claim import (
    ClaimLost,
    LogChanged,
    LogShort,
    Position,
    check_no_hole,
    check_not_short,
    check_same_log,
    claim,
    load_positions,
)
from shared.kafka.clients import POLL_RECORDS_MAX
from shared.kafka.log_id import Log, LogIdentity, TopicGone
from shared.kafka.metrics import BATCH_SECONDS, BATCHES, LAG, RECORDS, TROUBLE
from shared.kafka.outbox import Outbox
from shared.kafka.set_aside import Bad, Quarantine
from shared.postgres.pool import CONNECTION_ERRORS, Connection, Pool, is_about_the_server, is_too_slow
from shared.telemetry import logger

POLL_MAX_MS = 100  # how late a look may be; shorter polls cost CPU on an idle worker
LOOK_EVERY_SECONDS = 0.2  # how often the store is asked whose look is due
OUTBOX_RELOAD_SECONDS = 60.0  # picks up rows that a worker stored after its partitions had moved here
RECORDS_MIN = 20  # a batch that was too slow is halved down to this, and doubled again after each that was not
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # while a server is away; the last one repeats
SHORT_TIMES_MAX = 5  # a new leader may know less than the old one for a moment; for longer, records are lost

_log = logger(__name__)


class TooSlow(Exception):
    """A transaction took longer than it may: the same one again would take as long."""

    def __init__(self, portion: Portion, seconds: float) -> None:
        self.size = portion.size
        super().__init__(f"{portion.size} records and looks took {seconds:.1f} s")


class Assignment(ConsumerRebalanceListener):
    """Callbacks only raise a number: aiokafka logs and swallows what they raise, so nothing may depend on them."""

    def __init__(self) -> None:
        self.generation = 0

    async def on_partitions_revoked(self, revoked: Any) -> None:  # noqa: ARG002 - the interface names it
        self.generation += 1

    async def on_partitions_assigned(self, assigned: Any) -> None:  # noqa: ARG002 - the interface names it
        self.generation += 1


@dataclass(kw_only=True)
class Loop(Generic[N, R]):
    """One worker. `run` returns when `stopping` is set; it raises what a person must decide or what is our bug."""

    service: str
    topic: str
    pool: Pool
    consumer: AIOKafkaConsumer
    outbox: Outbox
    log_identity: LogIdentity
    clock: Clock
    work: Work[N, R]
    records_max: int = POLL_RECORDS_MAX

    def __post_init__(self) -> None:
        self._assignment = Assignment()
        self._generation = -1
        self._log = Log("", 0, 0)
        self._positions: dict[int, Position] = {}
        self._looked_at = self._reloaded_at = 0.0
        self._troubles = 0
        self._records_now = self.records_max
        self._quarantine = Quarantine(self.service)
        self.trouble: str | None = None  # why the last batch was given up; None once one is not
        self.claimed_at = 0.0  # when a batch last got as far as its claim, by the event loop's time

    async def run(self, stopping: asyncio.Event) -> None:
        self.consumer.subscribe([self.topic], listener=self._assignment)
        while not stopping.is_set():
            try:
                await self._once()
                self._troubles, self.trouble = 0, None
            except TooSlow as late:
                self._records_now = max(RECORDS_MIN, min(self._records_now, late.size) // 2)
                self._begin_again("too_slow", late)
            except ClaimLost as lost:
                self._begin_again("claim_lost", lost)
            except (*CONNECTION_ERRORS, KafkaError) as away:
                self._begin_again(type(away).__name__, away)
                await self._pause(stopping)

    async def _once(self) -> None:
        if self._generation != self._assignment.generation:
            await self._take_over()
        polled = await self.consumer.getmany(timeout_ms=POLL_MAX_MS, max_records=self._records_now)
        if self._generation != self._assignment.generation:
            return  # polled for an assignment that is over; the take-over seeks
        records = {tp.partition: found for tp, found in polled.items() if found}
        portion = Portion(records, await self._due_looks())
        if portion.size:
            await self._take(portion)
        if self.outbox.size or self._reload_is_due():
            await self._publish()

    async def _take(self, portion: Portion, *, is_second_try: bool = False) -> None:
        """Settle it. What fails for no reason of a server's is halved until one record or look fails alone."""
        started = asyncio.get_running_loop().time()
        try:
            await self._settle(portion)
        except Exception as fault:
            took = asyncio.get_running_loop().time() - started
            if is_too_slow(fault, took):
                raise TooSlow(portion, took) from fault
            if isinstance(fault, (ClaimLost, LogChanged, TopicGone, KafkaError)) or is_about_the_server(fault):
                raise
            self.work.forget()
            if portion.size == 1 and is_second_try:
                _log.error("done_without", what=portion.names[0], reason=repr(fault), exc_info=fault)
                await self._settle(portion, failed=fault)
                return
            _log.warning("batch_halved", size=portion.size, reason=repr(fault))
            for part in portion.halves() if portion.size > 1 else (portion,):
                await self._take(part, is_second_try=True)

    async def _settle(self, portion: Portion, failed: Exception | None = None) -> None:
        """One transaction. `failed`: do without the one record or look of this portion, and say why."""
        started = asyncio.get_running_loop().time()
        batch, bad = await self._batch(portion, failed)
        async with self.pool.acquire() as connection, connection.transaction():
            positions = await claim(connection, self._log.log_id, self.topic, self._positions, batch.next_offsets)  # 1
            self.claimed_at = started
            novel = await self.work.archive(connection, batch)  # 2
            reading = await self.work.fold_and_read(connection, batch, novel)  # 3
            messages = await self.work.decide(connection, batch, reading)  # 4
            stored = await self.outbox.store(connection, messages)  # 5
            await set_aside.keep(connection, self.service, self._log.log_id, bad)
            if failed is not None:
                await self.work.put_off(connection, portion.looks, batch.now)
            await self._check_log()
        self._positions.update(positions)
        self.outbox.settled(stored)
        self._records_now = min(self.records_max, self._records_now * 2)
        self._count(batch, asyncio.get_running_loop().time() - started)
        await self._publish()
        await self._tell_kafka(batch)
        if self._quarantine.is_watching:
            self._quarantine.passed({self._source_of(r) for found in batch.records.values() for r in found})
        for one in bad if failed else ():
            self._quarantine.failed(one.source, started)

    async def _take_over(self) -> None:
        """Positions and leftovers are read again, leftovers leave first, and reading begins where Postgres says."""
        generation = self._assignment.generation
        self.work.forget()
        self._log = await self.log_identity.of(self.topic)
        assigned = sorted(tp.partition for tp in self.consumer.assignment())
        async with self.pool.acquire() as connection:
            positions = await load_positions(connection, self.service, self.topic, self._log)
            await self.outbox.reload(connection, assigned)
        self._reloaded_at = asyncio.get_running_loop().time()
        self._positions = {p: positions[p] for p in assigned}
        log_starts = await self.consumer.beginning_offsets(map(self._tp, assigned)) if assigned else {}
        check_no_hole(
            self.service, self.topic, self._positions, {tp.partition: start for tp, start in log_starts.items()}
        )
        log_ends = await self.consumer.end_offsets(map(self._tp, assigned)) if assigned else {}
        self._check_not_short({tp.partition: end for tp, end in log_ends.items()})
        await self.outbox.publish()
        for partition, position in self._positions.items():
            self.consumer.seek(self._tp(partition), position.next_offset)
        self._generation = generation

    def _check_not_short(self, log_ends: Mapping[int, int]) -> None:
        try:
            check_not_short(self.service, self.topic, self._positions, log_ends)
        except LogShort as short:
            if self._troubles < SHORT_TIMES_MAX:
                raise
            raise LogChanged(short.args[0]) from short

    async def _batch(self, portion: Portion, failed: Exception | None) -> tuple[Batch, list[Bad]]:
        """What is tried, and what is not: the one that failed alone, and records of quarantined sources."""
        next_offsets = {p: self._positions[p].next_offset for p in portion.looks}
        for partition, found in portion.records.items():
            await self._check_first(partition, found[0].offset)
            next_offsets[partition] = found[-1].offset + 1
        now = asyncio.get_running_loop().time()
        records, bad = self._quarantine.sort(portion.records, self._source_of, now)
        looks = portion.looks
        if failed is not None:
            bad = [Bad(r, self._source_of(r), repr(failed)) for found in records.values() for r in found]
            records, looks = {}, {}
        caught_up = frozenset(p for p in next_offsets if self._is_caught_up(p, next_offsets[p]))
        return Batch(await self.clock.refresh(self.pool), records, looks, next_offsets, caught_up), bad

    def _source_of(self, record: ConsumerRecord) -> str:
        try:
            return self.work.source_of(record)
        except Exception:  # noqa: BLE001 - what cannot be read names nobody
            return ""

    async def _check_first(self, partition: int, first: int) -> None:
        """Control records leave gaps, which are harmless; records lost to retention are not."""
        wanted = self._positions[partition].next_offset
        if first < wanted:
            raise ClaimLost(f"{self.topic}/{partition}: polled {first}, position is {wanted}")
        if first > wanted:
            starts = await self.consumer.beginning_offsets([self._tp(partition)])
            check_no_hole(self.service, self.topic, self._positions, {partition: starts[self._tp(partition)]})

    async def _due_looks(self) -> Mapping[int, Sequence[str]]:
        if asyncio.get_running_loop().time() - self._looked_at < LOOK_EVERY_SECONDS or not self._positions:
            return {}
        self._looked_at = asyncio.get_running_loop().time()
        now = await self.clock.refresh(self.pool)
        connection: Connection
        async with self.pool.acquire() as connection:
            due = await self.work.due(connection, sorted(self._positions), now)
        # After a batch that was too slow, so few that the next is not; the others stay due.
        share = max(1, self._records_now // max(1, len(due)))
        return {partition: accounts[:share] for partition, accounts in due.items()}

    async def _publish(self) -> None:
        if self._reload_is_due():
            async with self.pool.acquire() as connection:
                await self.outbox.reload(connection, sorted(self._positions))
            self._reloaded_at = asyncio.get_running_loop().time()
        await self.outbox.publish()

    async def _check_log(self) -> None:
        check_same_log(self.service, self.topic, self._log, await self.log_identity.of(self.topic))

    async def _tell_kafka(self, batch: Batch) -> None:
        """For lag tools, pacing and 429; nothing that must be right reads it, so a refusal is no trouble."""
        try:
            await self.consumer.commit({self._tp(p): offset for p, offset in batch.next_offsets.items()})
        except KafkaError as refused:
            _log.info("offsets_not_told", reason=repr(refused))

    def _begin_again(self, trouble: str, error: BaseException) -> None:
        self._generation = -1
        if not isinstance(error, (ClaimLost, KafkaError)):
            self.outbox.forget()  # what answers next may be another database
        TROUBLE.labels(self.service, trouble).inc()
        if trouble != "claim_lost":
            self._troubles += 1
            self.trouble = f"{trouble}: {error}"
        _log.warning("batch_given_up", trouble=trouble, reason=str(error) or repr(error), in_a_row=self._troubles)

    async def _pause(self, stopping: asyncio.Event) -> None:
        seconds = BACKOFF_SECONDS[min(self._troubles, len(BACKOFF_SECONDS)) - 1]
        try:
            await asyncio.wait_for(stopping.wait(), seconds)
        except TimeoutError:
            return

    def _is_caught_up(self, partition: int, next_offset: int) -> bool:
        high = self._high(partition)
        return high is not None and next_offset >= high

    def _high(self, partition: int) -> int | None:
        """The log's end as last heard; None also for a partition that a rebalance took away meanwhile."""
        tp = self._tp(partition)
        end: int | None = self.consumer.highwater(tp) if tp in self.consumer.assignment() else None
        return end

    def _reload_is_due(self) -> bool:
        return asyncio.get_running_loop().time() - self._reloaded_at > OUTBOX_RELOAD_SECONDS and bool(self._positions)

    def _count(self, batch: Batch, seconds: float) -> None:
        BATCHES.labels(self.service).inc()
        BATCH_SECONDS.labels(self.service).observe(seconds)
        RECORDS.labels(self.service).inc(sum(map(len, batch.records.values())))
        for partition in batch.partitions:
            high = self._high(partition) or 0
            LAG.labels(self.service, str(partition)).set(max(0, high - batch.next_offsets[partition]))

    def _tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)
