"""What a person decides about the group's offsets: past records that are gone, or back in time after a restore.

Kafka takes offsets from outside only while the group has no members, so nothing moves under a worker's feet.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import CommitFailedError, UnknownMemberIdError

from services.ingest.positions import Group, Position
from shared.contracts.topics import STREAMS
from shared.kafka.clients import consumer
from shared.kafka.log_id import LogIdentity
from shared.settings import Shared

Moves = Mapping[TopicPartition, tuple[int, int]]  # partition -> offset before, offset afterwards


class NotMoved(Exception):
    """Nothing was moved; the message says why and what to do."""


class Mover:
    """Moves the offsets of the group that `settings` names. Open it with `moving`."""

    def __init__(self, settings: Shared, group: Group, reader: AIOKafkaConsumer, identity: LogIdentity) -> None:
        self._settings = settings
        self._group = group
        self._reader = reader
        self._identity = identity

    async def accept_gap(self, topic: str, partitions: Sequence[int]) -> Moves:
        """Go on at the start of the log; what was before it is lost. Raises NotMoved, also where there is no gap."""
        asked = [TopicPartition(topic, partition) for partition in partitions]
        known = await self._group.positions(asked)
        starts = await self._reader.beginning_offsets(asked)
        for tp in asked:
            if tp not in known or known[tp].next_offset >= starts[tp]:
                before = known[tp].next_offset if tp in known else None
                raise NotMoved(f"{topic}/{tp.partition} has no gap: position {before}, log starts at {starts[tp]}")
        return await self._move(known, starts)

    async def rewind(self, since: datetime) -> Moves:
        """Back to the first record of each partition whose timestamp is `since` or later; never forward.

        Where there is no such record, or no position, nothing moves. Raises NotMoved.
        """
        topics = [self._settings.topic(stream.name) for stream in STREAMS]
        partitions = [
            TopicPartition(topic, p) for topic in topics for p in range((await self._identity.of(topic)).partitions)
        ]
        since_ms = int(since.timestamp() * 1_000)
        found = await self._reader.offsets_for_times(dict.fromkeys(partitions, since_ms))
        known = await self._group.positions(partitions)
        back = {tp: at.offset for tp, at in found.items() if at and tp in known and at.offset < known[tp].next_offset}
        return await self._move({tp: known[tp] for tp in back}, back)

    async def _move(self, known: Mapping[TopicPartition, Position], to: Mapping[TopicPartition, int]) -> Moves:
        """The log's id stays as it was committed: a log made anew meanwhile is read from its start all the same."""
        if not to:
            return {}
        if hosts := await self._group.members():
            raise NotMoved(_members(self._group.name, f"{len(hosts)} members, on {', '.join(sorted(set(hosts)))}"))
        try:
            self._reader.assign(list(to))
            await self._reader.commit({tp: Position(to[tp], known[tp].log_id) for tp in to})
        except (CommitFailedError, UnknownMemberIdError) as error:
            raise NotMoved(_members(self._group.name, "a member since just now")) from error
        return {tp: (known[tp].next_offset, to[tp]) for tp in sorted(to)}


@contextlib.asynccontextmanager
async def moving(settings: Shared) -> AsyncIterator[Mover]:
    """Raises KafkaConnectionError where no broker answers."""
    reader = consumer(settings.kafka, settings.group("ingest"))
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(reader.stop)
        await reader.start()
        stack.push_async_callback(admin.close)
        await admin.start()
        client = AIOKafkaClient(bootstrap_servers=settings.kafka)
        stack.push_async_callback(client.close)
        await client.bootstrap()
        yield Mover(settings, Group(admin, settings.group("ingest")), reader, LogIdentity(client))


def _members(group: str, who: str) -> str:
    return (
        f"group {group} has {who}: stop every worker of ingest first; one that was killed counts for ten more seconds"
    )
