"""Make the topics of one deployment, as the topic table says, and wait until they can be used."""

import asyncio
import time

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from shared.contracts.topics import TOPICS
from shared.kafka.log_id import LogIdentity, TopicGone

READY_SECONDS_MAX = 60.0  # electing leaders of 448 partitions on one small broker takes a few seconds
_LOOK_AGAIN_SECONDS = 0.1


async def create(bootstrap: str, prefix: str, partitions: int, *, replication: int = 1) -> None:
    """Create what is missing, leave what exists, return when every partition has a leader.

    Raises KafkaError naming the topic the broker refused, TimeoutError when leaders stay away.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        wanted = [
            NewTopic(
                f"{prefix}{topic.name}",
                partitions,
                replication,
                topic_configs={"retention.ms": str(topic.retention_ms), "cleanup.policy": "delete"},
            )
            for topic in TOPICS
        ]
        answer = await admin.create_topics(wanted)
    finally:
        await admin.close()
    for name, code, *_ in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise error(f"topic {name} could not be made")
    await _wait_for_leaders(bootstrap, [f"{prefix}{topic.name}" for topic in TOPICS])


async def _wait_for_leaders(bootstrap: str, names: list[str]) -> None:
    client = AIOKafkaClient(bootstrap_servers=bootstrap)
    await client.bootstrap()
    identity = LogIdentity(client)
    deadline = time.monotonic() + READY_SECONDS_MAX
    try:
        for name in names:
            while not await _has_leaders(identity, name):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"topic {name} has partitions without a leader after {READY_SECONDS_MAX} s")
                await asyncio.sleep(_LOOK_AGAIN_SECONDS)
    finally:
        await client.close()


async def _has_leaders(identity: LogIdentity, name: str) -> bool:
    try:
        return (await identity.of(name)).leaders_missing == 0
    except (TopicGone, KafkaError):
        return False
