"""What a deployment at rest must have said, read by a plain client, beside what it knows."""

from collections.abc import Mapping
from typing import TypeAlias

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.health import Snapshot, decode_change, decode_snapshot
from tests import alert_invariants
from tests.pair import World
from tests.reading import everything

Sql: TypeAlias = asyncpg.Connection | asyncpg.Pool


async def have_read(world: World, sql: Mapping[str, Sql], reader: AIOKafkaConsumer) -> bool:
    """Scoring and alerts have read their topics to the end, as far as it reaches now."""
    return await _has_read(world, sql["scoring"], reader, "health.events") and await _has_read(
        world, sql["alerts"], reader, "health.changes"
    )


async def _has_read(world: World, connection: Sql, reader: AIOKafkaConsumer, topic: str) -> bool:
    name = world.topic(topic)
    rows = await connection.fetch("SELECT partition, next_offset FROM position WHERE topic = $1", name)
    ends = await reader.end_offsets([TopicPartition(name, partition) for partition in range(world.partitions)])
    return bool({TopicPartition(name, row["partition"]): row["next_offset"] for row in rows} == ends)


async def changes_agree(world: World, scoring: Sql) -> None:
    """The greatest version of each account on health.changes is what is published; repeats are identical."""
    newest: dict[str, Snapshot] = {}
    said: dict[tuple[str, int], bytes] = {}
    async for record in everything(world.bootstrap, world.topic("health.changes")):
        one = decode_change(record.value)
        assert said.setdefault((one.account, one.version), record.value) == record.value
        if one.account not in newest or one.version > newest[one.account].version:
            newest[one.account] = one
    rows = await scoring.fetch("SELECT account, snapshot FROM published")
    assert newest == {row["account"]: decode_snapshot(row["snapshot"]) for row in rows}
    history = await scoring.fetch("SELECT account, version FROM history")
    assert said.keys() == {(row["account"], row["version"]) for row in history}
    await _nothing_waits(world, scoring, "health.changes")


async def outreach_agrees(world: World, alerts: Sql) -> None:
    """Alerts are chains without holes; outreach says what was decided, once by id, repeats being identical."""
    rows, changes = await alerts.fetch("SELECT * FROM alert"), await alerts.fetch("SELECT * FROM change")
    topic = everything(world.bootstrap, world.topic("outreach.events"))
    messages = [msgspec.json.decode(record.value) async for record in topic]
    assert messages, "traffic that moves nobody to act shows nothing"
    assert alert_invariants.of_rows(rows, changes) == []
    assert alert_invariants.of_messages(messages) == []
    assert alert_invariants.of_both(changes, messages) == []
    await _nothing_waits(world, alerts, "outreach.events")


async def _nothing_waits(world: World, connection: Sql, topic: str) -> None:
    """Rows stay in the outbox until the batch after the broker's word; none of them is unsent."""
    sent = {record.value async for record in everything(world.bootstrap, world.topic(topic))}
    assert [row["n"] for row in await connection.fetch("SELECT n, value FROM outbox") if row["value"] not in sent] == []
