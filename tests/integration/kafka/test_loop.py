"""The claimed batch on real servers, with the smallest service that can lose or double something."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.client import AIOKafkaClient

from shared.clock import Clock
from shared.kafka.batch import Batch, Message
from shared.kafka.claim import LogChanged
from shared.kafka.clients import POLL_RECORDS_MAX, consumer, producer
from shared.kafka.log_id import LogIdentity
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox
from shared.postgres.pool import Connection, Pool, open_pool
from shared.settings import Shared
from tests.pair import World
from tests.processes import until

SECONDS_MAX = 30.0


@dataclass
class Adder:
    """Adds the numbers it reads into one watermark row per partition, and publishes each partition's running total.

    The total is cached between batches: if a claim ever vouched for a stale cache, the sum would be wrong.
    """

    changes: str
    totals: dict[int, int] = field(default_factory=dict)
    looks: dict[int, list[str]] = field(default_factory=dict)
    forgotten: int = 0
    slow_above: int = 1_000_000

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        due, self.looks = self.looks, {}
        return {p: accounts for p, accounts in due.items() if p in partitions}

    async def archive(self, tx: Connection, batch: Batch) -> dict[int, list[int]]:
        if sum(map(len, batch.records.values())) > self.slow_above:
            await tx.execute("SET LOCAL statement_timeout = 1")
            await tx.execute("SELECT pg_sleep(1)")
        return {p: [int(record.value or 0) for record in records] for p, records in batch.records.items()}

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: dict[int, list[int]]) -> dict[int, int]:
        for partition in novel.keys() - self.totals.keys():
            stored = await tx.fetchval("SELECT events FROM watermark WHERE partition = $1", partition)
            self.totals[partition] = stored or 0
        for partition, numbers in novel.items():
            self.totals[partition] += sum(numbers)
        return {partition: self.totals[partition] for partition in novel}

    async def decide(self, tx: Connection, batch: Batch, reading: dict[int, int]) -> Sequence[Message]:
        for partition, total in reading.items():
            await tx.execute(
                "INSERT INTO watermark VALUES ($1, 'sum', $2, $3) "
                "ON CONFLICT (partition, stream) DO UPDATE SET events = $3",
                partition,
                batch.now,
                total,
            )
        return [Message(p, self.changes, p, b"total", str(total).encode()) for p, total in reading.items()]

    def forget(self) -> None:
        self.forgotten += 1
        self.totals.clear()


@dataclass
class Worker:
    loop: Loop[dict[int, list[int]], dict[int, int]]
    adder: Adder
    task: asyncio.Task[None]
    stopping: asyncio.Event

    async def stop(self) -> None:
        """Leave the group too, as a process that ends does."""
        self.stopping.set()
        await self.task
        await self.loop.consumer.stop()


def shared_of(world: World) -> Shared:
    return Shared.model_validate({"kafka": world.bootstrap, "postgres": world.dsn, "prefix": world.prefix})


@contextlib.asynccontextmanager
async def working(
    world: World, *, slow_above: int = 1_000_000, records_max: int = POLL_RECORDS_MAX
) -> AsyncIterator[Worker]:
    shared = shared_of(world)
    async with contextlib.AsyncExitStack() as stack:
        pool: Pool = await stack.enter_async_context(open_pool(shared, "scoring", connections_max=3))
        client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        reader, writer = consumer(world.bootstrap, shared.group("adder")), producer(world.bootstrap)
        for kafka in (writer, reader):
            await kafka.start()
            stack.push_async_callback(kafka.stop)
        adder = Adder(world.topic("health.changes"), slow_above=slow_above)
        loop = Loop(
            service="scoring",
            topic=world.topic("health.events"),
            pool=pool,
            consumer=reader,
            outbox=Outbox(writer),
            log_identity=LogIdentity(client),
            clock=Clock(pool),
            work=adder,
            records_max=records_max,
        )
        stopping = asyncio.Event()
        worker = Worker(loop, adder, asyncio.create_task(loop.run(stopping)), stopping)
        try:
            yield worker
        finally:
            stopping.set()
            with contextlib.suppress(LogChanged):
                await worker.task


async def send(world: World, numbers: Mapping[int, Sequence[int]]) -> None:
    writer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all")
    await writer.start()
    try:
        for partition, values in numbers.items():
            for value in values:
                await writer.send_and_wait(world.topic("health.events"), str(value).encode(), b"k", partition)
    finally:
        await writer.stop()


async def total_is(world: World, wanted: int) -> None:
    connection = await world.connect("scoring")

    async def reached() -> bool:
        found = await connection.fetchval("SELECT coalesce(sum(events), 0)::bigint FROM watermark")
        assert found <= wanted, f"{found} where {wanted} were sent: something counted twice"
        return bool(found == wanted)

    try:
        await until(reached, f"a total of {wanted}")
    finally:
        await connection.close()


async def execute(world: World, sql: str) -> None:
    connection = await world.connect("scoring")
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


async def test_each_record_counts_once_whoever_reads_it(world: World) -> None:
    await send(world, {0: [1, 2], 1: [3]})
    async with working(world), working(world) as second:
        await total_is(world, 6)
        await second.stop()
        await send(world, {0: [10], 1: [20], 2: [30], 3: [40]})
        await total_is(world, 106)


async def test_a_position_moved_without_a_rebalance_drops_the_cache(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world) as worker:
        await total_is(world, 1)
        forgotten = worker.adder.forgotten
        # Another worker's batch: it added 100 and left the offset where it is, as a look does.
        await execute(world, "UPDATE position SET seq = seq + 1 WHERE partition = 0")
        await execute(world, "UPDATE watermark SET events = events + 100 WHERE partition = 0")
        await send(world, {0: [5]})
        await total_is(world, 106)
        assert worker.adder.forgotten > forgotten


async def test_a_rewound_position_is_read_again_from_where_postgres_says(world: World) -> None:
    await send(world, {0: [1, 2]})
    async with working(world) as worker:
        await total_is(world, 3)
        await worker.stop()
        # As after the restore of an older backup: Kafka's committed offset is ahead and must not be believed.
        await execute(world, "UPDATE position SET next_offset = 1, seq = seq + 1 WHERE partition = 0")
        await execute(world, "UPDATE watermark SET events = 1 WHERE partition = 0")
    async with working(world):
        await send(world, {0: [4]})
        await total_is(world, 7)


async def test_what_was_committed_and_never_published_leaves_first(world: World) -> None:
    await execute(
        world,
        "INSERT INTO outbox (partition, topic, target, key, value) "
        f"VALUES (0, '{world.topic('health.changes')}', 0, 'total', '0')",
    )
    await send(world, {0: [7]})
    async with working(world):
        await total_is(world, 7)
        reader = consumer(world.bootstrap, f"{world.prefix}reading")
        reader.subscribe([world.topic("health.changes")])
        await reader.start()
        try:
            read: list[bytes | None] = []
            while len(read) < 2:
                read.append((await asyncio.wait_for(reader.getone(), SECONDS_MAX)).value)
        finally:
            await reader.stop()
    assert read == [b"0", b"7"]


async def test_a_look_claims_though_it_moves_no_offset(world: World) -> None:
    await send(world, {0: [1]})
    async with working(world) as worker:
        await total_is(world, 1)
        connection = await world.connect("scoring")
        before = await connection.fetchrow("SELECT next_offset, seq FROM position WHERE partition = 0")
        worker.adder.looks = {0: ["somebody"]}

        async def looked() -> bool:
            return bool(before["seq"] < await connection.fetchval("SELECT seq FROM position WHERE partition = 0"))

        await until(looked, "a claim without a record")
        after = await connection.fetchval("SELECT next_offset FROM position WHERE partition = 0")
        await connection.close()
        assert after == before["next_offset"]


async def test_a_topic_made_anew_stops_the_worker_by_name(world: World) -> None:
    topic = world.topic("health.events")
    await send(world, {0: [1]})
    async with working(world):
        await total_is(world, 1)
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        await admin.delete_topics([topic])
        client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
        await client.bootstrap()

        async def made() -> bool:
            answer = await admin.create_topics([NewTopic(topic, world.partitions, 1)])
            return bool(answer.topic_errors[0][1] == 0)

        await until(made, "the topic made anew")
        await client.close()
    finally:
        await admin.close()
    async with working(world) as worker:
        with pytest.raises(LogChanged, match="bellwether positions adopt scoring"):
            await asyncio.wait_for(worker.task, SECONDS_MAX)


async def test_a_log_that_begins_above_the_position_stops_the_worker_by_name(world: World) -> None:
    await send(world, {0: [1, 2, 3]})
    async with working(world):
        await total_is(world, 6)
    await execute(world, "UPDATE position SET next_offset = 0, seq = seq + 1 WHERE partition = 0")
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(world.topic("health.events"), 0): RecordsToDelete(before_offset=2)})
    finally:
        await admin.close()
    async with working(world) as worker:
        with pytest.raises(LogChanged, match=r"wants offset 0, the log begins at 2: 2 records are gone.*accept-gap"):
            await asyncio.wait_for(worker.task, SECONDS_MAX)


async def test_a_batch_that_is_too_slow_is_read_again_in_smaller_ones(world: World) -> None:
    await send(world, {0: [1] * 60})
    async with working(world, slow_above=25, records_max=100) as worker:
        await total_is(world, 60)
        assert worker.adder.forgotten >= 2
