"""Whether raw records wait that nobody takes: what the watchdog asks, by clients of its own."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

from services.ingest.positions import Group, Position
from shared.contracts.topics import STREAMS
from shared.kafka.clients import consumer
from shared.kafka.log_id import LogIdentity
from shared.postgres.pool import Pool
from shared.settings import Shared

READ_MAX_MS = 1_000  # how long one waits for a record that may be none
_START = Position(0, "")

Assigned = Callable[[], frozenset[TopicPartition]]


class Behind:
    """Asked again, whether the group's offsets have stood still since though a record follows them.

    assigned: the partitions that this worker has. One that has none answers for all, as none might be because of it.
    The record is really read: what transactions leave at a log's end looks like records, and is none.
    """

    def __init__(
        self,
        group: Group,
        *,
        reader: AIOKafkaConsumer,
        identity: LogIdentity,
        pool: Pool,
        topics: Iterable[str],
        assigned: Assigned,
    ) -> None:
        self._group = group
        self._reader = reader
        self._identity = identity
        self._pool = pool
        self._topics = list(topics)
        self._assigned = assigned
        self._before: Mapping[TopicPartition, Position] = {}

    async def is_behind(self) -> bool:
        """Raises KafkaError, TopicGone or one of CONNECTION_ERRORS while a server is away: then waiting is right."""
        await self._pool.fetchval("SELECT 1")
        partitions = self._assigned() or [
            TopicPartition(topic, p)
            for topic in self._topics
            for p in range((await self._identity.of(topic)).partitions)
        ]
        known = dict.fromkeys(partitions, _START) | await self._group.positions(partitions)
        ends = await self._reader.end_offsets(list(partitions))
        before, self._before = self._before, known
        still = [tp for tp, at in known.items() if at.next_offset < ends[tp] and before.get(tp) == at]
        return bool(still) and await self._has_a_record({tp: known[tp] for tp in still})

    async def _has_a_record(self, after: Mapping[TopicPartition, Position]) -> bool:
        self._reader.assign(list(after))
        for tp, at in after.items():
            self._reader.seek(tp, at.next_offset)
        return any((await self._reader.getmany(timeout_ms=READ_MAX_MS, max_records=1)).values())


@contextlib.asynccontextmanager
async def opened(shared: Shared, pool: Pool, assigned: Assigned) -> AsyncIterator[Behind]:
    """Raises KafkaConnectionError where no broker answers."""
    group = shared.group("ingest")
    client = AIOKafkaClient(bootstrap_servers=shared.kafka)
    admin = AIOKafkaAdminClient(bootstrap_servers=shared.kafka)
    reader = consumer(shared.kafka, f"{group}-watchdog")  # of a group that nobody joins
    async with contextlib.AsyncExitStack() as stack:
        for start, stop in (
            (client.bootstrap, client.close),
            (admin.start, admin.close),
            (reader.start, reader.stop),
        ):
            stack.push_async_callback(stop)
            await start()
        topics = [shared.topic(stream.name) for stream in STREAMS]
        yield Behind(
            Group(admin, group),
            reader=reader,
            identity=LogIdentity(client),
            pool=pool,
            topics=topics,
            assigned=assigned,
        )
