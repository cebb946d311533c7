"""The smallest service that can lose or double something, on the real loop and real servers.

`python -m tests.adding SPOT` is one of its workers as a process that stops itself (SIGSTOP) at that spot.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.client import AIOKafkaClient

from shared.clock import Clock
from shared.kafka.batch import Batch, Message
from shared.kafka.claim import LogChanged
from shared.kafka.clients import POLL_RECORDS_MAX, SESSION_TIMEOUT_MS, consumer, producer
from shared.kafka.log_id import LogIdentity
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox
from shared.kafka.worker import stop_on_signals
from shared.postgres.pool import Connection, Pool, open_pool
from shared.settings import Shared
from tests.pair import World
from tests.parking import ParkedLoop, ParkedProducer, Parking, Spot, Stopping
from tests.processes import until

SESSION_TIMEOUT_MS_MIN = 6_000  # the broker's own minimum; still above what Postgres lets a transaction idle

AdderLoop = Loop[dict[int, list[int]], dict[int, int]]


@dataclass
class Adder:
    """Adds the numbers it reads into one watermark row per partition, and publishes each partition's running total.

    The total is cached between batches: if a claim ever vouched for a stale cache, the sum would be wrong.
    """

    changes: str
    totals: dict[int, int] = field(default_factory=dict)
    looks: dict[int, list[str]] = field(default_factory=dict)
    put_off_looks: list[Mapping[int, Sequence[str]]] = field(default_factory=list)
    forgotten: int = 0
    slow_above: int = 1_000_000
    cannot_look_at: str = ""
    parking: Parking = field(default_factory=Parking)

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        due, self.looks = self.looks, {}
        return {p: accounts for p, accounts in due.items() if p in partitions}

    async def archive(self, tx: Connection, batch: Batch) -> dict[int, list[int]]:
        if batch.records:
            await self.parking.at(Spot.CLAIMED)
        if sum(map(len, batch.records.values())) > self.slow_above:
            await tx.execute("SET LOCAL statement_timeout = 1")
            await tx.execute("SELECT pg_sleep(1)")
        if any(self.cannot_look_at in looks for looks in batch.looks.values()):
            raise ArithmeticError(f"cannot look at {self.cannot_look_at}")
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

    def source_of(self, record: ConsumerRecord) -> str:
        return (record.key or b"").decode()

    async def put_off(self, tx: Connection, looks: Mapping[int, Sequence[str]], now: datetime) -> None:
        self.put_off_looks.append(looks)

    def forget(self) -> None:
        self.forgotten += 1
        self.totals.clear()


@dataclass
class Worker:
    loop: AdderLoop
    adder: Adder
    task: asyncio.Task[None]
    stopping: asyncio.Event

    @property
    def partitions(self) -> set[int]:
        """What the group has given it."""
        return {tp.partition for tp in self.loop.consumer.assignment()}

    async def stop(self) -> None:
        """Leave the group too, as a process that ends does."""
        self.stopping.set()
        await self.task
        await self.loop.consumer.stop()

    async def die(self) -> None:
        """End where it stands, as a process that is killed; but the group hears of it."""
        self.task.cancel()
        await asyncio.wait([self.task])
        await self.loop.consumer.stop()


def shared_of(world: World) -> Shared:
    return Shared.model_validate({"kafka": world.bootstrap, "postgres": world.dsn, "prefix": world.prefix})


@contextlib.asynccontextmanager
async def working(
    world: World,
    *,
    slow_above: int = 1_000_000,
    records_max: int = POLL_RECORDS_MAX,
    make_outbox: Callable[[AIOKafkaProducer], Outbox] = Outbox,
    parking: Parking | None = None,
    session_timeout_ms: int = SESSION_TIMEOUT_MS,
) -> AsyncIterator[Worker]:
    """A worker in this process, on connections of its own; stopped afterwards."""
    shared = shared_of(world)
    parking = parking or Parking()
    async with contextlib.AsyncExitStack() as stack:
        pool: Pool = await stack.enter_async_context(open_pool(shared, "scoring", connections_max=3))
        client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        reader, writer = consumer(world.bootstrap, shared.group("adder")), producer(world.bootstrap)
        reader._session_timeout_ms = session_timeout_ms  # read when it starts
        for kafka in (writer, reader):
            await kafka.start()
            stack.push_async_callback(kafka.stop)
        adder = Adder(world.topic("health.changes"), slow_above=slow_above, parking=parking)
        loop = ParkedLoop(
            service="scoring",
            topic=world.topic("health.events"),
            pool=pool,
            consumer=reader,
            outbox=make_outbox(ParkedProducer(writer, parking)),
            log_identity=LogIdentity(client),
            clock=Clock(pool),
            work=adder,
            records_max=records_max,
            parking=parking,
        )
        stopping = asyncio.Event()
        worker = Worker(loop, adder, asyncio.create_task(loop.run(stopping)), stopping)
        try:
            yield worker
        finally:
            stopping.set()
            parking.close()
            if not worker.task.cancelled():
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


async def main(spot: Spot) -> None:
    world = World(os.environ["BELLWETHER_POSTGRES"], os.environ["BELLWETHER_KAFKA"], os.environ["BELLWETHER_PREFIX"])
    async with (
        stop_on_signals() as stopping,
        working(world, parking=Stopping(spot), session_timeout_ms=SESSION_TIMEOUT_MS_MIN) as worker,
    ):
        ends = asyncio.create_task(stopping.wait())
        await asyncio.wait([worker.task, ends], return_when=asyncio.FIRST_COMPLETED)


if __name__ == "__main__":
    asyncio.run(main(Spot(sys.argv[1])))
