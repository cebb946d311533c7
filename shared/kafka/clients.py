"""Consumers and producers with the settings that were tried, each with its reason."""

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

SESSION_TIMEOUT_MS = 10_000  # how long a dead worker keeps its partitions
REQUEST_TIMEOUT_MS = 40_000  # at 10 s an outage of 40 s failed records that were safe
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
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        isolation_level="read_committed",
    )


def producer(bootstrap: str) -> AIOKafkaProducer:
    """A producer that acknowledges what every replica has, and never reorders within a partition."""
    return AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=True,
        max_batch_size=262_144,
        max_request_size=MESSAGE_BYTES_MAX,
        linger_ms=0,  # lingering adds its milliseconds to every event and wins nothing
        compression_type=None,  # gzip ran at a ninth of the speed
        request_timeout_ms=REQUEST_TIMEOUT_MS,
        metadata_max_age_ms=5_000,
    )


def asking_consumer(bootstrap: str) -> AIOKafkaConsumer:
    """A consumer of no group that asks for offsets, and reads only what it is told to."""
    return AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        enable_auto_commit=False,
        metadata_max_age_ms=5_000,
        isolation_level="read_committed",
    )
