"""What people and brokers do to a topic behind the back of those who read it."""

import contextlib
from collections.abc import AsyncIterator, Mapping

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.protocol.admin import DeleteGroupsRequest

from tests.pair import World
from tests.processes import until


@contextlib.asynccontextmanager
async def admin_of(world: World) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def made_anew(world: World, topic: str, partitions: int | None = None) -> None:
    """The topic deleted and made again, with as many partitions as before unless told."""
    async with admin_of(world) as admin:
        await admin.delete_topics([topic])

        async def made() -> bool:
            answer = await admin.create_topics([NewTopic(topic, partitions or world.partitions, 1)])
            return bool(answer.topic_errors[0][1] == 0)

        await until(made, f"{topic} made anew")


async def begins_at(world: World, topic: str, log_starts: Mapping[int, int]) -> None:
    """As retention does: the records before these offsets are gone."""
    starts = {TopicPartition(topic, p): RecordsToDelete(before_offset=start) for p, start in log_starts.items()}
    async with admin_of(world) as admin:
        await admin.delete_records(starts)


async def has_partitions(world: World, topic: str, partitions: int) -> None:
    """As an administrator does who wants more workers to share."""
    async with admin_of(world) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=partitions)})


async def group_stands_at(world: World, group: str, topic: str, offsets: Mapping[int, int]) -> None:
    """Committed by hand, while the group has no member."""
    by_hand = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, group_id=group, enable_auto_commit=False)
    await by_hand.start()
    try:
        at = {TopicPartition(topic, partition): offset for partition, offset in offsets.items()}
        by_hand.assign(list(at))
        await by_hand.commit(at)
    finally:
        await by_hand.stop()


async def group_is_gone(world: World, group: str) -> None:
    """The group and its committed offsets deleted, while it has no member."""
    async with admin_of(world) as admin:
        client: AIOKafkaClient = admin._client
        coordinator = await admin.find_coordinator(group)

        async def deleted() -> bool:
            answer = await client.send(coordinator, DeleteGroupsRequest([group]))
            return bool(answer.results[0][1] == 0)

        await until(deleted, f"group {group} deleted")
