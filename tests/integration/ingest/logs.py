"""What operators and accidents do to the raw topics and to the group's offsets."""

import contextlib
from collections.abc import AsyncIterator

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import GroupCoordinatorNotAvailableError, NodeNotReadyError
from aiokafka.protocol.admin import DeleteGroupsRequest_v1
from aiokafka.protocol.api import Request

from shared.contracts.topics import STREAMS
from shared.kafka.log_id import LogIdentity, TopicGone
from tests.pair import World
from tests.processes import until


class _DeleteGroups(Request[DeleteGroupsRequest_v1]):  # type: ignore[misc]
    API_KEY = 42

    def __init__(self, groups: list[str]) -> None:
        self._groups = groups

    def build(self, request_struct_class: type[DeleteGroupsRequest_v1]) -> DeleteGroupsRequest_v1:
        return request_struct_class(self._groups)


@contextlib.asynccontextmanager
async def admin_of(world: World) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def delete_topic(world: World, topic: str) -> None:
    async with admin_of(world) as admin:
        await admin.delete_topics([world.topic(topic)])


async def make_topic(world: World, topic: str, partitions: int) -> None:
    """Returns when the broker tells clients about it."""
    name = world.topic(topic)
    async with admin_of(world) as admin:

        async def made() -> bool:
            answer = await admin.create_topics([NewTopic(name, partitions, 1)])
            return bool(answer.topic_errors[0][1] == 0)

        await until(made, f"{topic} made")
    client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
    await client.bootstrap()

    async def is_known() -> bool:
        try:
            log = await LogIdentity(client).of(name)
        except TopicGone:
            return False
        return log.partitions == partitions and log.leaders_missing == 0

    try:
        await until(is_known, f"{topic} known")
    finally:
        await client.close()


async def make_anew(world: World, topic: str, partitions: int | None = None) -> None:
    """Delete the topic and make it again, as a careless operator does."""
    await delete_topic(world, topic)
    await make_topic(world, topic, partitions or world.partitions)


async def lose_records(world: World, topic: str, partition: int, before: int) -> None:
    """What retention does."""
    async with admin_of(world) as admin:
        tp = TopicPartition(world.topic(topic), partition)
        await admin.delete_records({tp: RecordsToDelete(before_offset=before)})


async def forget_group(world: World) -> None:
    """What Kafka does a week after the last member has left; it refuses while there is one."""
    async with admin_of(world) as admin:
        coordinator = await admin.find_coordinator(f"{world.prefix}ingest")
        answer = await admin._send_request(_DeleteGroups([f"{world.prefix}ingest"]), coordinator)
        assert [code for _, code in answer.results] == [0]


async def committed(world: World) -> dict[TopicPartition, tuple[int, str]]:
    """What the group has committed: offset and metadata. Nothing on a broker that has had no group, or just thaws."""
    async with admin_of(world) as admin:
        try:
            found = await admin.list_consumer_group_offsets(f"{world.prefix}ingest")
        except (GroupCoordinatorNotAvailableError, NodeNotReadyError):
            return {}
        return {tp: (at.offset, at.metadata) for tp, at in found.items()}


async def has_committed(world: World, topic: str, records: int) -> bool:
    found = await committed(world)
    return sum(offset for tp, (offset, _) in found.items() if tp.topic == world.topic(topic)) == records


async def commit(world: World, positions: dict[TopicPartition, tuple[int, str]]) -> None:
    """Put the group's offsets elsewhere; it has no members."""
    reader = AIOKafkaConsumer(
        bootstrap_servers=world.bootstrap, group_id=f"{world.prefix}ingest", enable_auto_commit=False
    )
    await reader.start()
    try:
        reader.assign(list(positions))
        await reader.commit(positions)
    finally:
        await reader.stop()


def raw_partitions(world: World) -> list[TopicPartition]:
    return [TopicPartition(world.topic(stream.name), p) for stream in STREAMS for p in range(world.partitions)]
