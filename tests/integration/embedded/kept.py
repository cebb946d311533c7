"""What these tests put into a pair, to see it again after something was killed."""

import asyncio
import time

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.structs import TopicPartition

from services.cli.embedded import kafka
from services.cli.embedded.pair import Addresses

BACK_SECONDS = 30.0
LOOK_AGAIN_SECONDS = 0.1
TOPIC = "kept"


async def put(addresses: Addresses, word: str) -> None:
    """Have both servers acknowledge `word`."""
    connection = await asyncpg.connect(addresses.postgres)
    try:
        await connection.execute("create table if not exists kept (word text)")
        await connection.execute("insert into kept values ($1)", word)
    finally:
        await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(TOPIC, 1, 1)])
    finally:
        await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=addresses.kafka, acks="all")
    await producer.start()
    try:
        await producer.send_and_wait(TOPIC, word.encode(), partition=0)
    finally:
        await producer.stop()


async def kept(addresses: Addresses) -> tuple[list[str], list[str]]:
    """All words that Postgres and Kafka hold, in order."""
    connection = await asyncpg.connect(addresses.postgres)
    try:
        rows = [row["word"] for row in await connection.fetch("select word from kept")]
    finally:
        await connection.close()
    consumer = AIOKafkaConsumer(bootstrap_servers=addresses.kafka)
    await consumer.start()
    try:
        partition = TopicPartition(TOPIC, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        end = (await consumer.end_offsets([partition]))[partition]
        records: list[str] = []
        while len(records) < end:
            record = await consumer.getone()
            records.append(record.value.decode())
    finally:
        await consumer.stop()
    return rows, records


async def answering(addresses: Addresses) -> None:
    """Returns when both servers answer again, and fails after BACK_SECONDS."""
    deadline = time.monotonic() + BACK_SECONDS
    host, port = addresses.kafka.split(":")
    while not (kafka.answers(host, int(port)) and await _postgres_answers(addresses)):
        assert time.monotonic() < deadline, f"not both back after {BACK_SECONDS} s"
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


async def _postgres_answers(addresses: Addresses) -> bool:
    try:
        connection = await asyncpg.connect(addresses.postgres)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
