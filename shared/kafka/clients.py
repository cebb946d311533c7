"""Consumers and producers with the settings that were tried, each with its reason."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.client import AIOKafkaClient

SESSION_TIMEOUT_MS = 10_000  # how long a dead worker keeps its partitions
WIRE_TIMEOUT_MS = 15_000  # a wire that has died without a word; above the session, which whoever joins may wait for
WRITE_TIMEOUT_MS = 40_000  # at 10 s an outage of 40 s failed records that were safe
ASK_TIMEOUT_MS = 3_000  # a question about a topic; below a transaction's idle time, in which it is asked
MESSAGE_BYTES_MAX = 1_048_576  # what our producers let through; a broker's default is 12 bytes above
POLL_RECORDS_MAX = 5_000  # without a limit one poll gave over 50,000 records


def consumer(bootstrap: str, group: str) -> AIOKafkaConsumer:
    """A consumer that never commits by itself; subscribe before starting it."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        session_timeout_ms=SESSION_TIMEOUT_MS,
        heartbeat_interval_ms=2_000,  # a fifth of the session, so that four may be lost
        max_poll_interval_ms=300_000,  # Postgres may be away for minutes without a rebalance
        max_partition_fetch_bytes=262_144,  # more partitions a poll; the fastest size tried
        fetch_max_wait_ms=100,
        metadata_max_age_ms=5_000,  # at five minutes a topic made anew stalls silently
        request_timeout_ms=WIRE_TIMEOUT_MS,
        isolation_level="read_committed",
    )


def producer(bootstrap: str) -> AIOKafkaProducer:
    """A producer that acknowledges what every replica has, and never reorders within a partition."""
    made = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=262_144,
        max_request_size=MESSAGE_BYTES_MAX,
        linger_ms=0,  # lingering adds its milliseconds to every event and wins nothing
        compression_type=None,  # gzip ran at a ninth of the speed
        request_timeout_ms=WRITE_TIMEOUT_MS,
        metadata_max_age_ms=5_000,
    )
    made.client._request_timeout_ms = WIRE_TIMEOUT_MS  # noqa: SLF001 - records may wait for longer than a wire
    return made


def asking_consumer(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer of no group that asks for offsets, and reads only what it is told to."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        metadata_max_age_ms=5_000,
        request_timeout_ms=ASK_TIMEOUT_MS,
        isolation_level="read_committed",
    )


def asking_client(bootstrap: str) -> AIOKafkaClient:
    """A client that asks what a topic is; bootstrap it before use."""
    return AIOKafkaClient(bootstrap_servers=bootstrap, request_timeout_ms=ASK_TIMEOUT_MS)


def asking_admin(bootstrap: str) -> AIOKafkaAdminClient:
    """An admin client that asks what a group has committed."""
    return AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=ASK_TIMEOUT_MS)
