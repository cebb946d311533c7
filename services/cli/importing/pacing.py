"""How fast may be sent: never so fast that a live event would wait behind the import."""

import asyncio
import time
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

UNREAD_MAX = 2_000  # about a second of scoring's work on two small cores
POLL_SECONDS = 0.05  # shorter costs requests, longer lets the reader run dry
STALLED_SECONDS = 60.0  # no worker needs that long for 2,000 records, a restart included


class Stalled(Exception):
    """The reader of the topic does not read; the message says what to do."""


class Pace:
    """Watches what a consumer group has not read of a topic. Enter it to connect."""

    def __init__(self, bootstrap: str, topic: str, group: str) -> None:
        self.topic = topic
        self._group = group
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._partitions: list[TopicPartition] = []

    async def __aenter__(self) -> Self:
        try:
            await self._consumer.start()
            await self._admin.start()
            self._partitions = [TopicPartition(self.topic, number) for number in await self._numbers()]
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def _numbers(self) -> list[int]:
        described = await self._admin.describe_topics([self.topic])
        numbers = sorted(part["partition"] for topic in described for part in topic["partitions"])
        if not numbers:
            raise UnknownTopicOrPartitionError(f"topic {self.topic} is not there: run `bellwether migrate`")
        return numbers

    @property
    def partitions(self) -> int:
        """How many the topic has; fixed for life."""
        return len(self._partitions)

    async def unread(self) -> int:
        """Records that the group has not committed, all partitions together."""
        return (await self.counted())[0]

    async def wait_for_room(self, records: int, unread_max: int = UNREAD_MAX) -> None:
        """Return once `records` more would stay within `unread_max`. Raises Stalled when nothing is read for long."""
        read_before, since = -1, time.monotonic()
        while True:
            unread, read = await self.counted()
            if unread + records <= unread_max:
                return
            if read > read_before:
                read_before, since = read, time.monotonic()
            if time.monotonic() - since > STALLED_SECONDS:
                raise Stalled(
                    f"{self._group} has read nothing of {self.topic} for {STALLED_SECONDS:.0f} s: does its worker run? "
                    "What was sent stays; the same command goes on where it stopped"
                )
            await asyncio.sleep(POLL_SECONDS)

    async def wait_until_read(self) -> None:
        """Return once the group has read everything. Raises Stalled as above."""
        await self.wait_for_room(0, unread_max=0)

    async def counted(self) -> tuple[int, int]:
        """(records unread, records read), once the broker can tell: a group's first coordinator takes it a moment."""
        deadline = time.monotonic() + STALLED_SECONDS
        while True:
            try:
                return await self._count()
            except KafkaError as error:
                if not error.retriable or time.monotonic() > deadline:
                    raise
            await asyncio.sleep(POLL_SECONDS)

    async def _count(self) -> tuple[int, int]:
        """Of what the log still holds."""
        committed = await self._admin.list_consumer_group_offsets(self._group, partitions=self._partitions)
        begins = await self._consumer.beginning_offsets(self._partitions)
        ends = await self._consumer.end_offsets(self._partitions)
        read = {
            part: max(committed[part].offset if part in committed else 0, begins[part]) for part in self._partitions
        }
        return sum(ends[part] - read[part] for part in self._partitions), sum(read.values())
