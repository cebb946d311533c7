"""What the watchdog is told: behind is who lets records lie, and nobody else."""

import asyncio
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from services.ingest.behind import opened
from shared.kafka.watchdog import Behind
from shared.postgres.pool import CONNECTION_ERRORS, open_pool
from tests.integration.ingest.composed import Around, shared_of, working
from tests.integration.ingest.deployment import Deployment, event
from tests.integration.ingest.logs import committed, has_committed, raw_partitions
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

TOPIC = "product.usage"


async def asked_twice(behind: Behind) -> bool:
    """Standing still takes two looks."""
    await behind()
    return await behind()


async def test_while_postgres_is_away_nobody_is_called_behind(world: World) -> None:
    async with (
        open_pool(shared_of(world), "ingest", connections_max=1) as pool,
        opened(shared_of(world), pool, frozenset) as behind,
    ):
        await pool.close()
        with pytest.raises(CONNECTION_ERRORS):
            await behind()


async def has_taken_over(world: World) -> bool:
    return len(await committed(world)) == len(raw_partitions(world))


async def test_a_worker_that_takes_nothing_is_behind_and_one_that_does_is_not(world: World) -> None:
    deployment = Deployment(world, "", "")
    stuck, has_come, free = asyncio.Event(), asyncio.Event(), asyncio.Event()

    class Stuck(Around):
        async def getmany(self, **how: Any) -> Any:
            if stuck.is_set():
                has_come.set()
                await free.wait()
            return await self.within.getmany(**how)

    async with (
        working(shared_of(world), partitions=world.partitions, around_consumer=Stuck) as at_work,
        opened(shared_of(world), at_work.worker.intake.pool, at_work.worker.consumer.assignment) as behind,
    ):
        await deployment.produce(TOPIC, [event()])
        await until(lambda: has_committed(world, TOPIC, 1), "committed")
        assert not await asked_twice(behind)
        stuck.set()
        await has_come.wait()
        before = at_work.worker.progressed_at
        await deployment.produce(TOPIC, [event()])
        await until(behind, "behind")
        assert at_work.worker.progressed_at == before
        free.set()
        await until(lambda: has_committed(world, TOPIC, 2), "committed")
        assert at_work.worker.progressed_at > before
        assert not await asked_twice(behind)


async def test_what_a_transaction_leaves_at_a_logs_end_is_no_record(world: World) -> None:
    deployment = Deployment(world, "", "")
    sent = event()
    async with (
        working(shared_of(world), partitions=world.partitions) as at_work,
        opened(shared_of(world), at_work.worker.intake.pool, at_work.worker.consumer.assignment) as behind,
    ):
        await until(lambda: has_taken_over(world), "the worker's partitions taken over")
        other = AIOKafkaProducer(bootstrap_servers=world.bootstrap, transactional_id=f"{world.prefix}other")
        await other.start()
        try:
            async with other.transaction():
                await other.send_and_wait(world.topic(TOPIC), str(sent).encode(), b"any key", partition=0)
            await other.begin_transaction()
            await other.send_and_wait(world.topic(TOPIC), b"never", b"any key", partition=0)
            await other.abort_transaction()
        finally:
            await other.stop()
        await until(lambda: has_committed(world, TOPIC, 1), "committed")
        assert not await asked_twice(behind)
    assert len(await deployment.rows("SELECT 1 FROM aside")) == 1
