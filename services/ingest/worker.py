"""Raw topics -> health.events, at least once: offsets are committed after everything has its place.

A batch takes six steps: read, judged, set aside, handed to the producer, acknowledged, committed. Whatever ends the
process between two of them, the batch is read again: forwarded again, which downstream its identities make count once,
and set aside once, by its origins.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from services.ingest import counting
from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.quarantine import Quarantine
from services.ingest.domain.reasons import Reason
from services.ingest.forward import NotAcknowledged
from services.ingest.intake import Intake, Item
from services.ingest.judging import fault_of_ours, judge_surely
from services.ingest.metrics import TROUBLE
from services.ingest.positions import Group, Position, where_to_begin
from services.ingest.store import Record
from shared.contracts.topics import STREAMS, Topic
from shared.kafka.clients import POLL_RECORDS_MAX
from shared.kafka.log_id import Log, LogIdentity, TopicGone
from shared.kafka.loop import Assignment
from shared.postgres.pool import CONNECTION_ERRORS, is_about_the_server, is_too_slow
from shared.telemetry import logger

POLL_MAX_MS = 500  # how long stopping may wait for an idle poll
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # while a server is away; the last one repeats
ASK_SECONDS_MAX = 10.0  # by itself aiokafka asks for 40 s where a partition should be that is gone
RECORDS_MIN = 20  # a batch that was too slow is halved down to this, and doubled again after each that was not
JUDGE_AT_ONCE = 500  # records between two turns of the event loop, which sends the heartbeats

_AWAY = (*CONNECTION_ERRORS, KafkaError, TopicGone, NotAcknowledged)
_BINARY_HEADER_PREFIXES = ("ce_", "ce-")

_log = logger(__name__)

Polled = Mapping[TopicPartition, Sequence[ConsumerRecord]]


@dataclass(kw_only=True)
class Worker:
    """`run` returns when `stopping` is set. It raises LogChanged, and what neither a retry nor setting aside can mend.

    progressed_at: the event loop's time of the last batch whose offsets were committed.
    """

    consumer: AIOKafkaConsumer
    group: Group
    intake: Intake
    log_identity: LogIdentity
    topic_prefix: str
    release_every_seconds: float
    records_max: int = POLL_RECORDS_MAX
    progressed_at: float = field(default=float("-inf"), init=False)

    def __post_init__(self) -> None:
        self._streams = {f"{self.topic_prefix}{stream.name}": stream for stream in STREAMS}
        self._assignment = Assignment()
        self._generation = -1
        self._logs: dict[str, Log] = {}
        self._positions: dict[TopicPartition, Position] = {}
        self._records_now = self.records_max
        self._records_polled = 0
        self._quarantine = Quarantine()
        self._released_at = float("-inf")
        self._troubles = 0
        self.trouble: str | None = None  # why the last batch was given up; None once one is not

    async def run(self, stopping: asyncio.Event) -> None:
        self.consumer.subscribe(list(self._streams), listener=self._assignment)
        while not stopping.is_set():
            try:
                await self._once()
                self._troubles, self.trouble = 0, None
            except _AWAY as away:
                if not _may_pass(away):
                    raise
                self._begin_again(away)
                if is_too_slow(away):
                    self._records_now = max(RECORDS_MIN, self._records_polled // 2)
                    continue
                await _stopped_within(stopping, BACKOFF_SECONDS[min(self._troubles, len(BACKOFF_SECONDS)) - 1])

    async def _once(self) -> None:
        if self._generation != self._assignment.generation:
            await self._take_over()
        polled = await self.consumer.getmany(timeout_ms=POLL_MAX_MS, max_records=self._records_now)  # 1 read
        self._records_polled = sum(map(len, polled.values()))
        if self._generation != self._assignment.generation:
            return  # polled for an assignment that is over; the take-over seeks
        if not await self._is_what_follows(polled):
            self._generation = -1
        elif polled:
            await self._take(polled)  # 2 judged, 3 set aside, 4 handed to the producer, 5 acknowledged
            await self._commit({tp: self._after(tp, records) for tp, records in polled.items()})  # 6 committed
            self.progressed_at = asyncio.get_running_loop().time()
            self._records_now = min(self.records_max, self._records_now * 2)
        if asyncio.get_running_loop().time() - self._released_at >= self.release_every_seconds:
            await self._release_due()

    async def _take_over(self) -> None:
        """Positions are read again, with the logs they belong to; nothing is believed that a callback should have done.

        What is gone, a topic or some of its partitions, is left out until it is made again: the others go on.
        """
        generation = self._assignment.generation
        assigned = self.consumer.assignment()
        self._logs = await self._logs_of(self._streams)
        log_ids = {
            tp: log.log_id for tp in assigned if (log := self._logs.get(tp.topic)) and tp.partition < log.partitions
        }
        async with asyncio.timeout(ASK_SECONDS_MAX):
            self._positions = await where_to_begin(self.group, self.consumer, log_ids)
        for tp, position in self._positions.items():
            self.consumer.seek(tp, position.next_offset)
        await self._commit(self._positions)  # also where nothing was read yet: a gap after it will be seen
        self._generation = generation

    async def _logs_of(self, topics: Collection[str]) -> dict[str, Log]:
        """Those that exist. A partition more or less is another log to us: where it is read from is found out anew."""
        found = await asyncio.gather(*map(self.log_identity.of, topics), return_exceptions=True)
        logs = {}
        for topic, log in zip(topics, found, strict=True):
            if isinstance(log, TopicGone):
                TROUBLE.labels(TopicGone.__name__).inc()
                _log.warning("topic_gone", reason=str(log))
            elif isinstance(log, BaseException):
                raise log
            else:
                logs[topic] = log
        return logs

    async def _is_what_follows(self, polled: Polled) -> bool:
        """Whether this is what comes after our positions, in the logs they belong to; else the take-over finds out.

        The ids are asked for after the poll: what was polled before belongs to the log that is still there. Control
        records leave gaps, which are harmless; a log that begins above the position has lost records.
        """
        topics = {tp.topic for tp in polled} or set(self._streams)
        if await self._logs_of(topics) != {topic: log for topic, log in self._logs.items() if topic in topics}:
            return False
        if not polled.keys() <= self._positions.keys():
            return False  # of a topic that is gone
        for tp, records in polled.items():
            wanted = self._positions[tp].next_offset
            if records[0].offset < wanted:
                return False
            if records[0].offset > wanted and (await self.consumer.beginning_offsets([tp]))[tp] > wanted:
                return False
        return True

    async def _take(self, polled: Polled) -> None:
        now = await self.intake.now()
        items: list[Item] = []
        for tp, records in polled.items():
            stream = self._streams[tp.topic]
            for number, record in enumerate(records):
                where = Record(self._logs[tp.topic].log_id, stream.name, record.partition, record.offset)
                items.append(_item(record, where, stream, now))
                if number % JUDGE_AT_ONCE == 0:
                    await asyncio.sleep(0)
        quarantine = self._quarantine.copy()
        taken, counted = counting.sort(items, quarantine)
        if counted:
            async with self.intake.pool.acquire() as tx, tx.transaction():
                await counting.count(tx, counted, now)
        await self._take_each(taken, now)
        self._quarantine = quarantine
        if any(isinstance(item.judged, Valid) and item.judged.link for item in items):
            await self._release_due()

    async def _take_each(self, items: Sequence[Item], now: datetime) -> None:
        """All at once; after a fault of ours in halves, until the one that meets it is set aside alone.

        What cannot even be set aside raises, and ends the process.
        """
        try:
            await self.intake.take(items, now)
        except Exception as fault:
            if _may_pass(fault):
                raise
            _log.exception("batch_taken_apart", reason=repr(fault), records=len(items))
            if len(items) == 1:
                await self.intake.take([items[0]._replace(judged=fault_of_ours(fault))], now)
                return
            half = len(items) // 2
            await self._take_each(items[:half], now)
            await self._take_each(items[half:], now)

    async def _release_due(self) -> None:
        """Also what a process left behind that ended between binding an alias and releasing what waited for it."""
        try:
            while await self.intake.release("worker:ingest"):
                pass
        except _AWAY as away:
            TROUBLE.labels(type(away).__name__).inc()
            _log.warning("release_put_off", reason=str(away) or repr(away))
        self._released_at = asyncio.get_running_loop().time()

    async def _commit(self, positions: Mapping[TopicPartition, Position]) -> None:
        """Raises KafkaError, also for partitions that moved on: then they are read again by whoever has them."""
        if positions:
            await self.consumer.commit(dict(positions))
            self._positions |= positions

    def _after(self, tp: TopicPartition, records: Sequence[ConsumerRecord]) -> Position:
        return Position(records[-1].offset + 1, self._logs[tp.topic].log_id)

    def _begin_again(self, error: BaseException) -> None:
        self._generation = -1
        self._troubles += 1
        self.trouble = str(error) or repr(error)
        TROUBLE.labels(type(error).__name__).inc()
        _log.warning("batch_begun_again", reason=str(error) or repr(error), in_a_row=self._troubles)


def _may_pass(error: BaseException) -> bool:
    """Whether the same may work later."""
    return isinstance(error, KafkaError | TopicGone | NotAcknowledged) or is_about_the_server(error)


def _item(record: ConsumerRecord, where: Record, stream: Topic, now: datetime) -> Item:
    raw = bytes(record.value or b"")
    return Item(raw, _judge(record, raw, stream, now), f"topic:{stream.name}", where)


def _judge(record: ConsumerRecord, raw: bytes, stream: Topic, now: datetime) -> Valid | Refused:
    if record.value is None:
        return Refused(reason=Reason.TOMBSTONE, pointer="", expected="a CloudEvent as the record's value")
    if any(name.lower().startswith(_BINARY_HEADER_PREFIXES) for name, _ in record.headers):
        expected = "structured mode: all attributes in the value, content type application/cloudevents+json"
        return Refused(reason=Reason.BINARY_MODE, pointer="", expected=expected)
    return judge_surely(raw, now, stream)


async def _stopped_within(stopping: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
