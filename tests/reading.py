"""A topic as any consumer reads it: a plain client that knows nothing of ours."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition


async def everything(bootstrap: str, topic: str) -> AsyncIterator[Any]:
    """Every record of a topic from its start to the end it has now."""
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=None, enable_auto_commit=False)
    await reader.start()
    try:
        partitions = [TopicPartition(topic, number) for number in await _partitions(reader, topic)]
        reader.assign(partitions)
        ends = await reader.end_offsets(partitions)
        for tp in partitions:
            reader.seek(tp, 0)  # seek_to_beginning races with the reset to the end that `assign` begins
        while any([await reader.position(tp) < end for tp, end in ends.items()]):
            for records in (await reader.getmany(timeout_ms=200)).values():
                for record in records:
                    yield record
    finally:
        await reader.stop()


async def _partitions(reader: AIOKafkaConsumer, topic: str) -> list[int]:
    await reader._client._wait_on_metadata(topic)  # the public call knows only topics it has heard of
    return sorted(reader.partitions_for_topic(topic) or ())
