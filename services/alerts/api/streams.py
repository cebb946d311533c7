"""outreach.events for those who listen over HTTP: one consumer each, from wherever they left off."""

import asyncio
import contextlib
import re
import signal
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from types import FrameType
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from shared.http.problem import Unavailable, Unprocessable
from shared.kafka.clients import asking_consumer

POLL_MS = 500  # how long an idle stream may take to see that the process stops
RECORDS_MAX = 200  # per poll: a slow listener holds no more in memory
START_SECONDS_MAX = 5.0  # a broker that does not answer by then is not there
EARLIEST = "earliest"

_POSITION = re.compile(r"\d{1,5}:\d{1,18}(,\d{1,5}:\d{1,18})*")


class LastEventIdInvalid(Unprocessable):
    """Last-Event-ID is `earliest` or the id of an event of this stream."""

    reason = "last_event_id_invalid"


def parse_position(last_event_id: str) -> dict[int, int]:
    """`0:13,1:9` -> partition: next offset. Raises LastEventIdInvalid."""
    if not _POSITION.fullmatch(last_event_id):
        raise LastEventIdInvalid(f"Last-Event-ID {last_event_id[:80]!r} is no id of an event of this stream")
    pairs = (pair.split(":") for pair in last_event_id.split(","))
    return {int(partition): int(offset) for partition, offset in pairs}


def position_of(next_offsets: Mapping[int, int]) -> str:
    """The id of an event: what has been sent, it included."""
    return ",".join(f"{partition}:{offset}" for partition, offset in sorted(next_offsets.items()))


class Listening:
    """One open stream: where it stands, and what follows."""

    def __init__(self, consumer: AIOKafkaConsumer, next_offsets: dict[int, int], stopping: asyncio.Event) -> None:
        self._consumer = consumer
        self._next = next_offsets
        self._stopping = stopping

    @property
    def position(self) -> str:
        """Where a listener that leaves now would go on."""
        return position_of(self._next)

    async def records(self) -> AsyncIterator[ConsumerRecord | None]:
        """Each record as it comes, and None after POLL_MS without one.

        Ends when the process stops, or when the broker does not answer any more.
        """
        while not self._stopping.is_set():
            try:
                polled = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            except KafkaError:
                return  # the listener comes back with the position it has
            for partition, records in polled.items():
                for record in records:
                    self._next[partition.partition] = record.offset + 1
                    yield record
            if not polled:
                yield None


class Streams:
    """All open streams of a process."""

    def __init__(self, bootstrap: str, topic: str, partitions: int, streams_max: int) -> None:
        self._bootstrap = bootstrap
        self._assigned = [TopicPartition(topic, partition) for partition in range(partitions)]
        self._streams_max = streams_max
        self._open = 0
        self._stopping = asyncio.Event()

    @contextlib.asynccontextmanager
    async def listen(self, last_event_id: str | None) -> AsyncIterator[Listening]:
        """A stream from `last_event_id` on, else from now on.

        Raises LastEventIdInvalid, and Unavailable where all streams are taken or the broker does not answer.
        """
        wanted = {} if last_event_id in (None, "", EARLIEST) else parse_position(str(last_event_id))
        if self._open >= self._streams_max:
            raise Unavailable(f"all {self._streams_max} streams of this process are taken", retry_after_seconds=10)
        self._open += 1
        consumer = asking_consumer(self._bootstrap)
        try:
            next_offsets = await self._begin(consumer, wanted, from_start=last_event_id == EARLIEST)
            yield Listening(consumer, next_offsets, self._stopping)
        finally:
            self._open -= 1
            await consumer.stop()

    @contextlib.contextmanager
    def ended_by_signals(self) -> Iterator[None]:
        """End all streams at SIGTERM and SIGINT: a server waits for open answers before it tells the app to stop.

        The handlers that were there go on being called. Outside the main thread there are no signals to see.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        before: dict[int, Any] = {}

        def stop(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self._stopping.set)
            if callable(before[number]):
                before[number](number, frame)

        for asked in (signal.SIGTERM, signal.SIGINT):
            before[asked] = signal.getsignal(asked)
            signal.signal(asked, stop)
        try:
            yield
        finally:
            for number, handler in before.items():
                if signal.getsignal(number) is stop:
                    signal.signal(number, handler)

    def end(self) -> None:
        """End all streams within POLL_MS."""
        self._stopping.set()

    async def _begin(
        self, consumer: AIOKafkaConsumer, wanted: Mapping[int, int], *, from_start: bool
    ) -> dict[int, int]:
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                await consumer.start()
                consumer.assign(self._assigned)
                ask = consumer.beginning_offsets if from_start else consumer.end_offsets
                known = {tp.partition: offset for tp, offset in (await ask(self._assigned)).items()}
        except (KafkaError, TimeoutError, OSError) as error:
            raise Unavailable(f"the broker does not answer: {type(error).__name__}") from error
        if unknown := wanted.keys() - known.keys():
            raise LastEventIdInvalid(f"Last-Event-ID names partitions that are not there: {sorted(unknown)}")
        next_offsets = known | dict(wanted)
        for tp in self._assigned:
            consumer.seek(tp, next_offsets[tp.partition])
        return next_offsets
