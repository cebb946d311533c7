"""Into health.events: nothing counts as accepted before the broker has acknowledged it."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, RecordListTooLargeError
from aiokafka.structs import RecordMetadata

from services.ingest.domain.routing import Outgoing
from services.ingest.metrics import ACK_SECONDS
from shared.contracts.envelope import HEADERS
from shared.kafka.clients import producer

STOP_SECONDS_MAX = 5.0  # a producer waits for its records for ever, also where no broker is left
# From here on ready-made batches win over single sends, which in turn share batches between small requests.
_BATCH_FROM = 64
# The topic allows less than our batches may be, or less than one of our records is.
_TOO_LARGE = (MessageSizeTooLargeError, RecordListTooLargeError)


class NotAcknowledged(Exception):
    """The broker has not said that it has all records. Some may be in the log all the same."""


class Sent(NamedTuple):
    """next_offsets: partition -> where it stands after these records. refused: which of them the broker never takes.

    A duplicate of our own retry is acknowledged without an offset; such a partition is left out.
    """

    next_offsets: dict[int, int]
    refused: frozenset[int]


class Forwarder:
    """One idempotent producer on one topic. After an error that it cannot get over it is made anew."""

    def __init__(self, bootstrap: str, topic: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self.partitions = partitions
        self._producer = producer(bootstrap)
        self._renewing = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Raises KafkaConnectionError where no broker answers."""
        await self._producer.start()

    async def stop(self) -> None:
        await asyncio.gather(_stop(self._producer), *self._ending)

    async def send(self, records: Sequence[Outgoing], *, seconds_max: float) -> Sent:
        """Once the broker has acknowledged every one, but those that it refuses for what they are.

        Raises NotAcknowledged: the caller says "outcome unknown" or sends again; downstream the event's identity makes
        it count once.
        """
        started = time.monotonic()
        try:
            async with asyncio.timeout(seconds_max):
                sent = await self._send(records)
        except TimeoutError as error:
            raise NotAcknowledged(f"no acknowledgement within {seconds_max:g} s") from error
        except KafkaError as error:
            raise NotAcknowledged(f"the broker did not take them: {error!r}") from error
        ACK_SECONDS.observe(time.monotonic() - started)
        return sent

    async def _send(self, records: Sequence[Outgoing], first: int = 0) -> Sent:
        """`first` is the number of the first. A batch with one that is too large is halved until that one is alone."""
        current = self._producer
        try:
            futures = await self._hand_over(current, records)
            results = await asyncio.gather(*(future for future, _ in futures))
        except KafkaError as error:
            if not error.retriable:
                await self._renew(current)
            if not isinstance(error, _TOO_LARGE):
                raise
        else:
            return Sent(_next_offsets(results, [count for _, count in futures]), frozenset())
        if len(records) == 1:
            return Sent({}, frozenset({first}))
        half = len(records) // 2
        one = await self._send(records[:half], first)
        other = await self._send(records[half:], first + half)
        return Sent(one.next_offsets | other.next_offsets, one.refused | other.refused)

    async def _hand_over(
        self, to: AIOKafkaProducer, records: Sequence[Outgoing]
    ) -> list[tuple[asyncio.Future[RecordMetadata], int]]:
        """(acknowledgement, how many records it covers), each."""
        if len(records) < _BATCH_FROM:
            return [(await to.send(self._topic, r.value, r.key, r.partition, headers=HEADERS), 1) for r in records]
        by_partition: dict[int, list[Outgoing]] = defaultdict(list)
        for record in records:
            by_partition[record.partition].append(record)
        return [
            handed for partition, some in by_partition.items() for handed in await self._batches(to, partition, some)
        ]

    async def _batches(
        self, to: AIOKafkaProducer, partition: int, records: Sequence[Outgoing]
    ) -> list[tuple[asyncio.Future[RecordMetadata], int]]:
        handed = []
        batch = to.create_batch()
        for record in records:
            if batch.append(timestamp=None, key=record.key, value=record.value, headers=HEADERS) is None:
                count = batch.record_count()
                handed.append((await to.send_batch(batch, self._topic, partition=partition), count))
                batch = to.create_batch()
                batch.append(timestamp=None, key=record.key, value=record.value, headers=HEADERS)
        batch.close()
        count = batch.record_count()
        handed.append((await to.send_batch(batch, self._topic, partition=partition), count))
        return handed

    async def _renew(self, broken: AIOKafkaProducer) -> None:
        """The broken one ends by itself: what it has in flight may take as long as its records wait."""
        async with self._renewing:
            if self._producer is not broken:
                return  # another request has done it meanwhile
            fresh = producer(self._bootstrap)
            await fresh.start()
            self._producer = fresh
        ending = asyncio.create_task(_stop(broken))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)


async def _stop(stopping: AIOKafkaProducer) -> None:
    try:
        async with asyncio.timeout(STOP_SECONDS_MAX):
            await stopping.stop()
    except (TimeoutError, KafkaError):
        return  # nobody was told that what is lost here was accepted


def _next_offsets(results: Sequence[RecordMetadata], counts: Sequence[int]) -> dict[int, int]:
    ends: dict[int, int] = {}
    for result, count in zip(results, counts, strict=True):
        if result.offset >= 0:  # -1: a duplicate of our own retry
            ends[result.partition] = max(ends.get(result.partition, 0), result.offset + count)
    return ends


def position_of(next_offsets: Mapping[int, int]) -> str:
    """Opaque to users: "partition:next_offset,...", every partition of a request."""
    return ",".join(f"{partition}:{next_offsets[partition]}" for partition in sorted(next_offsets))
