"""How far scoring is behind: what 429 is decided on."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.ingest.metrics import BACKLOG
from services.ingest.positions import Group

CACHE_SECONDS = 1.0  # what arrives within a second changes no decision
ASK_SECONDS_MAX = 1.0  # a request never waits longer for this; the broker's own answer decides then


class Backlog:
    """End offsets against what scoring's group has committed; where it never did, against the log's start."""

    def __init__(self, asker: AIOKafkaConsumer, group: Group, topic: str, partitions: Sequence[int]) -> None:
        self._asker = asker
        self._group = group
        self._partitions = [TopicPartition(topic, partition) for partition in partitions]
        self._known = 0
        self._read_at = -CACHE_SECONDS
        self._asking = asyncio.Lock()

    async def events(self) -> int:
        """Unread events, at most CACHE_SECONDS old; the last known number while the broker does not answer."""
        if time.monotonic() - self._read_at < CACHE_SECONDS or self._asking.locked():
            return self._known
        async with self._asking:
            try:
                async with asyncio.timeout(ASK_SECONDS_MAX):
                    self._known = await self._ask()
            except (KafkaError, TimeoutError):
                pass  # then sending will say it
            self._read_at = time.monotonic()
        BACKLOG.set(self._known)
        return self._known

    async def _ask(self) -> int:
        ends = await self._asker.end_offsets(self._partitions)
        known = await self._group.positions(self._partitions)
        unread_from = {tp: at.next_offset for tp, at in known.items()}
        if len(known) < len(self._partitions):
            unread_from = await self._asker.beginning_offsets(self._partitions) | unread_from
        return sum(max(0, ends[tp] - unread_from[tp]) for tp in self._partitions)
