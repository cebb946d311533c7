"""What tests of scoring send and read."""

from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import HEADERS, HealthEvent, encode
from shared.contracts.health import Snapshot, decode_snapshot
from shared.contracts.topics import partition_of
from tests.pair import World

NOW = datetime.now(UTC).replace(microsecond=0)


def event(account: str, number: int, at: datetime, *, kind: str = "usage.feature_used", **data: object) -> HealthEvent:
    """A distinct event per account and number."""
    return HealthEvent(
        id=f"{account}-{number}",
        source="//test",
        type=kind,
        subject=account,
        time=at,
        account=account,
        receivedat=at,
        actor="key:test",
        data=data or {"feature": f"f{number % 3}", "user": f"u{number % 5}"},
    )


async def send(world: World, events: Sequence[HealthEvent]) -> None:
    """Produce as ingest does."""
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        for one in events:
            partition = partition_of(one.account, world.partitions)
            await producer.send(
                world.topic("health.events"), encode(one), one.account.encode(), partition, headers=HEADERS
            )
        await producer.flush()
    finally:
        await producer.stop()


async def archived(connection: asyncpg.Connection) -> int:
    """Events that are kept."""
    count: int = await connection.fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
    return count


async def snapshot_of(connection: asyncpg.Connection, account: str) -> Snapshot | None:
    """What was said last."""
    body = await connection.fetchval("SELECT snapshot FROM published WHERE account = $1", account)
    return None if body is None else decode_snapshot(body)
