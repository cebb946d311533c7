"""A deployment with an alerts worker: snapshots in, what outreach.events carries out."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.client import AIOKafkaClient
from msgspec.structs import replace

from services.alerts.definitions import Catalogue, load
from services.alerts.worker import AlertsWork, Novel, Reading
from shared.clock import Clock
from shared.contracts.health import Snapshot, changed, decode_change
from shared.contracts.topics import partition_of
from shared.kafka.clients import POLL_RECORDS_MAX, consumer, producer
from shared.kafka.log_id import LogIdentity
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox
from shared.postgres.pool import open_pool
from shared.settings import Shared
from tests.alert_invariants import Fold, of_both, of_messages, of_reasons, of_rows
from tests.pair import World
from tests.processes import until
from tests.reading import everything

SECONDS_MAX = 20.0


@dataclass
class Deployed:
    """What a test sees: it writes health.changes, reads outreach.events with a plain consumer, and looks at rows."""

    world: World
    sql: asyncpg.Connection
    writer: AIOKafkaProducer
    reader: AIOKafkaConsumer
    heard: list[dict[str, Any]] = field(default_factory=list)

    async def say(self, *snapshots: Snapshot) -> None:
        """Publish snapshots as scoring does, and wait until every one is in a committed batch."""
        for one in snapshots:
            await self.send(one)
        await self.caught_up()

    async def send(self, snapshot: Snapshot) -> None:
        snapshot = replace(snapshot, partition=partition_of(snapshot.account, self.world.partitions))
        await self.writer.send_and_wait(
            self.world.topic("health.changes"),
            msgspec.json.encode(changed(snapshot)),
            snapshot.account.encode(),
            snapshot.partition,
        )

    def account_in(self, partition: int, name: str) -> str:
        """An account of this name, or nearly, whose partition it is."""
        names = (f"{name}{number or ''}" for number in itertools.count())
        return next(one for one in names if partition_of(one, self.world.partitions) == partition)

    async def caught_up(self) -> None:
        """Every record is applied, no look is due, nothing waits in the outbox."""
        topic = self.world.topic("health.changes")
        ends = await self.reader.end_offsets([TopicPartition(topic, p) for p in range(self.world.partitions)])

        async def is_so() -> bool:
            rows = await self.sql.fetch("SELECT partition, next_offset FROM position WHERE topic = $1", topic)
            applied = {row["partition"]: row["next_offset"] for row in rows}
            if any(applied.get(tp.partition, 0) < end for tp, end in ends.items()):
                return False
            return not await self.sql.fetchval(DUE) and not await self.sql.fetchval(UNTOLD)

        await until(is_so, "the worker has read and looked at everything")

    async def messages(self, account: str | None, count: int) -> list[dict[str, Any]]:
        """Exactly `count` messages about an account, or about all: waits for them, then sees that no more came."""

        def about() -> list[dict[str, Any]]:
            return [message for message in self.heard if account in (None, message["subject"])]

        deadline = time.monotonic() + SECONDS_MAX
        while len(about()) < count:
            assert time.monotonic() < deadline, f"{len(about())} of {count} messages: {short(about())}"
            await self._hear(200)
        await self.caught_up()
        await self._hear(100)
        assert len(about()) == count, f"{len(about())} instead of {count}: {short(about())}"
        return about()

    async def told(self, account: str, *rules: str) -> list[dict[str, Any]]:
        """The first message of each of these rules about an account, whatever else is told."""
        deadline = time.monotonic() + SECONDS_MAX
        while True:
            found = {m["data"]["rule"]: m for m in reversed(self.heard) if m["subject"] == account}
            if found.keys() >= set(rules):
                return [found[rule] for rule in rules]
            assert time.monotonic() < deadline, f"{rules} of {short(self.heard)}"
            await self._hear(200)

    async def _hear(self, timeout_ms: int) -> None:
        """At least once on the wire, exactly once by id: a repeated one says the very same."""
        for records in (await self.reader.getmany(timeout_ms=timeout_ms)).values():
            for record in records:
                message = {"key": record.key, **msgspec.json.decode(record.value)}
                known = [one for one in self.heard if one["id"] == message["id"]]
                assert known in ([], [message])
                if not known:
                    self.heard.append(message)

    async def move_clock_to(self, offset: timedelta) -> None:
        """All processes add this to the wall's time."""
        await self.sql.execute("UPDATE clock SET offset_by = $1", offset)

    async def alerts(self) -> list[asyncpg.Record]:
        rows: list[asyncpg.Record] = await self.sql.fetch("SELECT * FROM alert ORDER BY opened_at, account, key")
        return rows

    async def violations(self, moved_by: timedelta) -> list[str]:
        """What is not as it must be, of rows, messages and reasons. moved_by: the farthest move of the clock."""
        changes = await self.sql.fetch("SELECT * FROM change")
        alerts, rules, known = await self.alerts(), load().rules, load().known
        records = [r async for r in everything(self.world.bootstrap, self.world.topic("health.changes"))]
        fold = Fold(rules, known.streams, [decode_change(record.value) for record in records], moved_by)
        return [
            *of_rows(alerts, changes),
            *of_messages(self.heard),
            *of_both(changes, self.heard),
            *of_reasons(rules, alerts, changes, fold.known),
        ]

    async def all_rows(self) -> dict[str, list[asyncpg.Record]]:
        """Everything that a batch decides, for comparing before and after."""
        names = ("view", "alert", "change", "work_case", "step", "fired", "look", "stream_freshness")
        return {name: await self.sql.fetch(f"SELECT * FROM {name} ORDER BY 1, 2, 3") for name in names}


# A look is due when its clock has passed it: the wall's, or its stream's in its partition if that is behind.
DUE = """
SELECT count(*) FROM look l CROSS JOIN clock c
LEFT JOIN stream_freshness f ON f.partition = l.partition AND f.stream = l.clock
WHERE l.at <= now() + c.offset_by AND (l.clock = '' OR l.at <= f.newest)
"""
UNTOLD = "SELECT count(*) FROM change WHERE tells IS NOT NULL AND told_at IS NULL"


def short(messages: Sequence[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """(type, rule, key) of each message."""
    return [(m["type"].removeprefix("outreach."), m["data"]["rule"], m["data"]["key"]) for m in messages]


def shared_of(world: World) -> Shared:
    return Shared.model_validate({"kafka": world.bootstrap, "postgres": world.dsn, "prefix": world.prefix})


@contextlib.asynccontextmanager
async def deployed(world: World) -> AsyncIterator[Deployed]:
    sql = await world.connect("alerts")
    writer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all")
    reader = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        await writer.start()
        await reader.start()
        reader.assign([TopicPartition(world.topic("outreach.events"), p) for p in range(world.partitions)])
        yield Deployed(world, sql, writer, reader)
    finally:
        await reader.stop()
        await writer.stop()
        await sql.close()


@contextlib.asynccontextmanager
async def worker(
    world: World, catalogue: Catalogue | None = None, records_max: int = POLL_RECORDS_MAX
) -> AsyncIterator[Loop[Novel, Reading]]:
    """An alerts worker in this process, on connections of its own."""
    shared = shared_of(world)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(shared, "alerts", connections_max=3))
        client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        reads, writes = consumer(world.bootstrap, shared.group("alerts")), producer(world.bootstrap)
        for kafka in (writes, reads):
            await kafka.start()
            stack.push_async_callback(kafka.stop)
        loop = Loop(
            service="alerts",
            topic=world.topic("health.changes"),
            pool=pool,
            consumer=reads,
            outbox=Outbox(writes),
            log_identity=LogIdentity(client),
            clock=Clock(pool),
            work=AlertsWork(catalogue or load(), world.topic("outreach.events"), 1_000),
            records_max=records_max,
        )
        stopping = asyncio.Event()
        task = asyncio.create_task(loop.run(stopping))
        try:
            yield loop
        finally:
            stopping.set()
            await task
