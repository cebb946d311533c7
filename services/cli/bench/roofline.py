"""The best this machine could do: one process that fetches records, decodes them and copies them into a table."""

import time
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.cli.bench.figures import Throughput
from services.cli.bench.traffic import SOURCE, usage
from shared.contracts.envelope import HealthEvent, decode, encode
from shared.contracts.topics import partition_of
from shared.kafka.clients import POLL_RECORDS_MAX, producer
from shared.settings import Shared

TOPIC = "bench.roofline"
SCHEMA = "bench"
RECORDS = 40_000  # read again and again until the time is over
POLL_MS = 500


async def measure(settings: Shared, partitions: int, seconds: float) -> Throughput:
    """Runs for `seconds`; its topic and its table are gone afterwards."""
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    connection = await asyncpg.connect(settings.dsn)
    try:
        await admin.create_topics([NewTopic(TOPIC, partitions, 1)])
        await connection.execute(f"CREATE SCHEMA {SCHEMA}")
        await connection.execute(
            f"CREATE TABLE {SCHEMA}.copied (account text, time timestamptz, log_offset bigint, body bytea)"
        )
        await _fill(settings, partitions)
        return await _copy(settings, partitions, connection, seconds)
    finally:
        await connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        await connection.close()
        await admin.delete_topics([TOPIC])
        await admin.close()


async def _fill(settings: Shared, partitions: int) -> None:
    to_broker: AIOKafkaProducer = producer(settings.kafka)
    await to_broker.start()
    try:
        now = datetime.now(UTC)
        for number in range(RECORDS):
            draft = usage(number, "roofline", now)
            event = HealthEvent(
                id=draft.id,
                source=SOURCE,
                type=draft.type,
                subject=draft.subject,
                time=draft.time,
                account=draft.subject,
                receivedat=now,
                actor="user:bench",
                data=draft.data,
            )
            partition = partition_of(event.account, partitions)
            await to_broker.send(TOPIC, encode(event), event.account.encode(), partition)
        await to_broker.flush()
    finally:
        await to_broker.stop()


async def _copy(settings: Shared, partitions: int, connection: asyncpg.Connection, seconds: float) -> Throughput:
    """One transaction for each poll, as the loop has it."""
    reader = AIOKafkaConsumer(bootstrap_servers=settings.kafka, max_partition_fetch_bytes=262_144)
    await reader.start()
    try:
        assigned = [TopicPartition(TOPIC, partition) for partition in range(partitions)]
        reader.assign(assigned)
        await reader.seek_to_beginning(*assigned)
        events, in_round, began = 0, 0, time.monotonic()
        while time.monotonic() - began < seconds:
            polled = await reader.getmany(timeout_ms=POLL_MS, max_records=POLL_RECORDS_MAX)
            records = [record for some in polled.values() for record in some]
            decoded = [(decode(record.value), record) for record in records]
            rows = [(event.account, event.time, record.offset, record.value) for event, record in decoded]
            async with connection.transaction():
                await connection.copy_records_to_table("copied", records=rows, schema_name=SCHEMA)
            events += len(rows)
            in_round += len(rows)
            if in_round >= RECORDS:
                in_round = 0
                await reader.seek_to_beginning(*assigned)
        return Throughput(events, time.monotonic() - began)
    finally:
        await reader.stop()
