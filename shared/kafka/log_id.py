"""Which log is this? Cluster id and topic id, which change when a topic is made anew behind the same name.

aiokafka speaks Metadata up to version 5, which has no topic id; version 12 has, built here on aiokafka's own classes.
"""

from dataclasses import dataclass
from io import BytesIO
from typing import Any, ClassVar
from uuid import UUID

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    AbstractType,
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

_UNKNOWN_TOPIC = 3
_NO_SIDE_EFFECTS = (False, False)  # make no topic, list no rights


class TopicGone(Exception):
    """The topic does not exist on this broker."""


class _Uuid(AbstractType[UUID]):
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


class _MetadataResponse(Response):
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("topic", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _MetadataRequestStruct(RequestStruct):
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _MetadataResponse
    FLEXIBLE_VERSION: ClassVar[bool] = True
    SCHEMA = Schema(
        (
            "topics",
            CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields)),
        ),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _MetadataRequest(Request[_MetadataRequestStruct]):
    API_KEY = 3

    def __init__(self, topic: str) -> None:
        self._topic = topic

    def build(self, request_struct_class: type[_MetadataRequestStruct]) -> _MetadataRequestStruct:
        no_id = UUID(int=0)
        return request_struct_class([(no_id, self._topic, {})], *_NO_SIDE_EFFECTS, {})


@dataclass(frozen=True, slots=True)
class Log:
    """A topic as the broker knows it now. `leaders_missing` is above 0 while partitions have no leader yet."""

    log_id: str
    partitions: int
    leaders_missing: int = 0

    @property
    def cluster(self) -> str:
        """The id of the cluster that has it."""
        return self.log_id.partition("/")[0]


class LogIdentity:
    """Asks one broker for a topic's identity; half a millisecond a call."""

    def __init__(self, client: AIOKafkaClient) -> None:
        self._client = client

    async def of(self, topic: str) -> Log:
        """Raises TopicGone where there is none, KafkaError when no broker answers."""
        node = self._client.get_random_node()
        if node is None:
            await self._client.force_metadata_update()
            node = self._client.get_random_node()
        answer: Any = await self._client.send(node, _MetadataRequest(topic))
        error, _, topic_id, _, partitions, _, _ = answer.topics[0]
        if error == _UNKNOWN_TOPIC:
            raise TopicGone(f"topic {topic} does not exist on this broker: `bellwether migrate` makes it")
        if error:
            raise KafkaError(f"metadata of {topic}: error code {error}")
        missing = sum(1 for partition in partitions if partition[2] < 0)
        return Log(f"{answer.cluster_id}/{topic_id}", len(partitions), missing)
