"""How many records of an account's partition wait to be read."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

CACHE_SECONDS = 0.5
ASK_SECONDS_MAX = 1.0  # the client's own limit is 40 s: an answer that Postgres has does not wait for Kafka


class LogEnds:
    """End offsets of one topic, asked at most every CACHE_SECONDS."""

    def __init__(self, consumer: AIOKafkaConsumer, topic: str, partitions: Sequence[int]) -> None:
        self._consumer = consumer
        self._partitions = [TopicPartition(topic, partition) for partition in partitions]
        self._ends: dict[int, int] = {}
        self._read_at = -CACHE_SECONDS

    async def of(self, partition: int) -> int | None:
        """The offset after the last record, or None while no broker answers."""
        if time.monotonic() - self._read_at >= CACHE_SECONDS:
            self._read_at = time.monotonic()
            try:
                async with asyncio.timeout(ASK_SECONDS_MAX):
                    ends = await self._consumer.end_offsets(self._partitions)
                self._ends = {tp.partition: end for tp, end in ends.items()}
            except (KafkaError, TimeoutError):
                self._ends = {}
        return self._ends.get(partition)
