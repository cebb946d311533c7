"""After a restart: is every accepted event still there? Postgres's positions against Kafka's log."""

from dataclasses import dataclass

import asyncpg
from aiokafka import TopicPartition

from shared.contracts.topics import HEALTH_EVENTS
from shared.kafka.clients import asking_consumer
from shared.settings import Shared


@dataclass(frozen=True, slots=True)
class Kept:
    """Records of health.events. applied: scoring has them. waiting: the log has them, scoring not yet.

    lost: scoring had read on to them, or would have, and the log has them no more.
    """

    applied: int
    waiting: int
    lost: int


async def kept(settings: Shared) -> Kept | None:
    """What the log and the positions say, or None where nothing has been read yet. Both must be at rest."""
    positions = await _positions(settings)
    if not positions:
        return None
    asker = asking_consumer(settings.kafka)
    await asker.start()
    try:
        partitions = [TopicPartition(settings.topic(HEALTH_EVENTS.name), partition) for partition in positions]
        starts = await asker.beginning_offsets(partitions)
        ends = await asker.end_offsets(partitions)
    finally:
        await asker.stop()
    applied, waiting, lost = 0, 0, 0
    for at in partitions:
        position = positions[at.partition]
        applied += position
        waiting += max(0, ends[at] - max(position, starts[at]))
        lost += max(0, position - ends[at]) + max(0, starts[at] - position)
    return Kept(applied, waiting, lost)


async def _positions(settings: Shared) -> dict[int, int]:
    connection = await asyncpg.connect(settings.dsn, server_settings={"search_path": settings.search_path("scoring")})
    try:
        rows = await connection.fetch(
            "SELECT partition, next_offset FROM position WHERE topic = $1", settings.topic(HEALTH_EVENTS.name)
        )
    finally:
        await connection.close()
    return {row["partition"]: row["next_offset"] for row in rows}
