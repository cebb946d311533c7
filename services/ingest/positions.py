"""Where reading of the raw topics goes on: the group's committed offsets, each with the log it belongs to.

Ingest has no table of positions. Kafka keeps them, and the log's id beside each as its metadata: an offset means
nothing in a topic that was made anew.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from services.ingest.metrics import LOGS_ANEW
from shared.kafka.claim import LogChanged
from shared.telemetry import logger

_log = logger(__name__)


class Position(NamedTuple):
    """`next_offset` in the log `log_id`, which is "" where whoever committed it did not say. As aiokafka commits it."""

    next_offset: int
    log_id: str


class Group:
    """The committed offsets of one consumer group."""

    def __init__(self, admin: AIOKafkaAdminClient, name: str) -> None:
        self._admin = admin
        self.name = name

    async def positions(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Position]:
        """Of those partitions that have one. Raises KafkaError, also while the group's coordinator is still loading.

        The partitions are named, as without them a coordinator that is loading answers with none at all.
        """
        found = await self._admin.list_consumer_group_offsets(self.name, partitions=list(partitions))
        return {tp: Position(at.offset, at.metadata) for tp, at in found.items() if at.offset >= 0}

    async def members(self) -> list[str]:
        """The hosts of its members."""
        (answer,) = await self._admin.describe_consumer_groups([self.name])
        return [str(host) for _, _, host, *_ in answer.groups[0][5]]


async def where_to_begin(
    group: Group, consumer: AIOKafkaConsumer, log_ids: Mapping[TopicPartition, str]
) -> dict[TopicPartition, Position]:
    """Where each partition of `log_ids` is to be read on.

    A log that was made anew, or has lost its end, is read from its start: downstream what is read twice counts once.
    Raises LogChanged where records between the position and the log's start are gone.
    """
    if not log_ids:
        return {}
    known = await group.positions(log_ids.keys())
    starts = await consumer.beginning_offsets(list(log_ids))
    ends = await consumer.end_offsets(list(log_ids))
    begin = {}
    for tp, log_id in log_ids.items():
        at = known.get(tp)
        if at is not None and not _is_anew(at, log_id, ends[tp]):
            begin[tp] = Position(at.next_offset, log_id)
            continue
        begin[tp] = Position(starts[tp], log_id)
        if at is not None:
            LOGS_ANEW.labels(tp.topic).inc()
            _log.warning(
                "log_anew", topic=tp.topic, partition=tp.partition, was=at, log_id=log_id, read_from=starts[tp]
            )
    check_no_gap(begin, starts)
    return begin


def check_no_gap(begin: Mapping[TopicPartition, Position], starts: Mapping[TopicPartition, int]) -> None:
    """Raises LogChanged where a log begins above the position: records between are gone for good."""
    gaps = {tp: starts[tp] - at.next_offset for tp, at in begin.items() if starts[tp] > at.next_offset}
    if not gaps:
        return
    topic, partition = min(gaps)
    at = TopicPartition(topic, partition)
    partitions = sorted(tp.partition for tp in gaps if tp.topic == topic)
    raise LogChanged(
        f"{topic}/{partition}: wants offset {begin[at].next_offset}, the log begins at {starts[at]}: "
        f"{gaps[at]} records are gone, of {len(gaps)} partitions {sum(gaps.values())}. "
        f"To go on without them: bellwether positions accept-gap ingest {topic} {' '.join(map(str, partitions))}"
    )


def _is_anew(at: Position, log_id: str, log_end: int) -> bool:
    return at.log_id not in ("", log_id) or at.next_offset > log_end
