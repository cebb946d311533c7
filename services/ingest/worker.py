"""Raw topics -> health.events, at least once: offsets are committed after everything has its place.

A record read twice is forwarded twice; downstream its identity makes it count once, and aside its origin does.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from services.ingest.domain.outcome import Refused, Valid
from services.ingest.domain.reasons import Reason
from services.ingest.forward import NotAcknowledged
from services.ingest.intake import Intake, Item, judge
from services.ingest.metrics import TROUBLE
from services.ingest.store import Record
from shared.contracts.topics import STREAMS, Topic
from shared.kafka.clients import POLL_RECORDS_MAX
from shared.kafka.log_id import LogIdentity, TopicGone
from shared.postgres.pool import CONNECTION_ERRORS
from shared.telemetry import logger

POLL_MAX_MS = 500  # how long stopping may wait for an idle poll
BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)  # while a server is away; the last one repeats
JUDGE_AT_ONCE = 500  # records between two turns of the event loop, which sends the heartbeats

_AWAY = (*CONNECTION_ERRORS, KafkaError, TopicGone, NotAcknowledged)
_BINARY_HEADER_PREFIXES = ("ce_", "ce-")

_log = logger(__name__)


@dataclass(kw_only=True)
class Worker:
    """`run` returns when `stopping` is set; it raises only what neither a retry nor setting aside can mend."""

    consumer: AIOKafkaConsumer
    intake: Intake
    log_identity: LogIdentity
    topic_prefix: str
    release_every_seconds: float
    _released_at: float = field(default=float("-inf"), init=False)

    async def run(self, stopping: asyncio.Event) -> None:
        self._streams = {f"{self.topic_prefix}{stream.name}": stream for stream in STREAMS}
        self.consumer.subscribe(list(self._streams))
        while not stopping.is_set():
            polled = await self.consumer.getmany(timeout_ms=POLL_MAX_MS, max_records=POLL_RECORDS_MAX)
            if polled and await self._taken(polled, stopping):
                await self._commit(polled)
            if time.monotonic() - self._released_at >= self.release_every_seconds:
                await self._release_due()

    async def _taken(self, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]], stopping: asyncio.Event) -> bool:
        """Again and again while a server is away; False if stopped meanwhile."""
        troubles = 0
        while True:
            try:
                await self._take(polled)
            except _AWAY as away:
                troubles += 1
                TROUBLE.labels(type(away).__name__).inc()
                _log.warning("batch_begun_again", reason=str(away) or repr(away), in_a_row=troubles)
                if await _stopped_within(stopping, BACKOFF_SECONDS[min(troubles, len(BACKOFF_SECONDS)) - 1]):
                    return False
            else:
                return True

    async def _take(self, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        now = await self.intake.now()
        items: list[Item] = []
        for tp, records in polled.items():
            stream = self._streams[tp.topic]
            log = await self.log_identity.of(tp.topic)
            for number, record in enumerate(records):
                where = Record(log.log_id, stream.name, record.partition, record.offset)
                items.append(_item(record, where, stream, now))
                if number % JUDGE_AT_ONCE == 0:
                    await asyncio.sleep(0)
        try:
            await self.intake.take(items, now)
        except _AWAY:
            raise
        except Exception as fault:  # noqa: BLE001  a bug of ours: what meets it is set aside, the rest goes on
            _log.exception("batch_taken_apart", reason=repr(fault), records=len(items))
            await self._take_one_by_one(items, now)
        else:
            if any(isinstance(item.judged, Valid) and item.judged.link for item in items):
                await self._release_due()

    async def _take_one_by_one(self, items: Sequence[Item], now: datetime) -> None:
        for item in items:
            try:
                await self.intake.take([item], now)
            except _AWAY:
                raise
            except Exception as fault:  # noqa: BLE001  what cannot even be set aside raises, and ends the process
                await self.intake.take([item._replace(judged=_fault_of_ours(fault))], now)

    async def _release_due(self) -> None:
        """Also what a process left behind that ended between binding an alias and releasing what waited for it."""
        try:
            while await self.intake.release("worker:ingest"):
                pass
        except _AWAY as away:
            TROUBLE.labels(type(away).__name__).inc()
            _log.warning("release_put_off", reason=str(away) or repr(away))
        self._released_at = time.monotonic()

    async def _commit(self, polled: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        """What cannot be committed, such as partitions that moved on, is read again by whoever has them."""
        assigned = self.consumer.assignment()
        offsets = {tp: records[-1].offset + 1 for tp, records in polled.items() if tp in assigned}
        try:
            if offsets:
                await self.consumer.commit(offsets)
        except (KafkaError, IllegalStateError) as refused:
            TROUBLE.labels(type(refused).__name__).inc()
            _log.warning("offsets_not_committed", reason=str(refused) or repr(refused))


def _item(record: ConsumerRecord, where: Record, stream: Topic, now: datetime) -> Item:
    actor = f"topic:{stream.name}"
    raw = bytes(record.value or b"")
    try:
        judged = _judge(record, raw, stream, now)
    except Exception as fault:  # noqa: BLE001  a bug of ours must not stop the other records
        _log.exception("record_not_judged", topic=stream.name, partition=record.partition, offset=record.offset)
        judged = _fault_of_ours(fault)
    return Item(raw, judged, actor, where)


def _judge(record: ConsumerRecord, raw: bytes, stream: Topic, now: datetime) -> Valid | Refused:
    if record.value is None:
        return Refused(reason=Reason.TOMBSTONE, pointer="", expected="a CloudEvent as the record's value")
    if any(name.lower().startswith(_BINARY_HEADER_PREFIXES) for name, _ in record.headers):
        expected = "structured mode: all attributes in the value, content type application/cloudevents+json"
        return Refused(reason=Reason.BINARY_MODE, pointer="", expected=expected)
    return judge(raw, now, stream)


def _fault_of_ours(fault: Exception) -> Refused:
    return Refused(reason=Reason.UNEXPECTED, pointer="", expected=f"no {type(fault).__name__} of ours")


async def _stopped_within(stopping: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
