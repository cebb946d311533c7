"""What is committed leaves: in order, nothing skipped, whatever the broker refuses and whoever stored it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, MessageSizeTooLargeError
from aiokafka.protocol.produce import ProduceRequest

from shared.kafka.batch import Message
from shared.kafka.clients import MESSAGE_BYTES_MAX, producer
from shared.kafka.outbox import MessageTooLarge, Outbox, Row
from tests.adding import execute, send, total_is, working
from tests.pair import World
from tests.processes import until
from tests.reading import everything

pytestmark = pytest.mark.slow


@pytest.fixture
async def sql(world: World) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect("scoring")
    yield connection
    await connection.close()


@pytest.fixture
async def writer(world: World) -> AsyncIterator[AIOKafkaProducer]:
    made = producer(world.bootstrap)
    await made.start()
    yield made
    await made.stop()


class Refusing:
    """A producer that refuses one value as long as it is told to."""

    def __init__(self, writer: AIOKafkaProducer, refused: bytes) -> None:
        self._writer, self.refused = writer, refused

    async def send(self, topic: str, value: bytes, *args: Any, **kwargs: Any) -> Any:
        if value == self.refused:
            raise MessageSizeTooLargeError
        return await self._writer.send(topic, value, *args, **kwargs)


def messages(world: World, values: Mapping[int, Sequence[bytes]]) -> list[Message]:
    topic = world.topic("health.changes")
    return [Message(p, topic, p, b"k", value) for p, some in values.items() for value in some]


async def stored(sql: asyncpg.Connection, outbox: Outbox, batch: Sequence[Message]) -> None:
    async with sql.transaction():
        rows = await outbox.store(sql, batch)
    outbox.settled(rows)


async def told(world: World) -> dict[int, list[bytes]]:
    found: dict[int, list[bytes]] = {}
    async for record in everything(world.bootstrap, world.topic("health.changes")):
        found.setdefault(record.partition, []).append(record.value)
    return found


async def has_told(world: World, wanted: dict[int, list[bytes]]) -> bool:
    """Everything, in this order; what comes in another one fails at once."""
    found = await told(world)
    assert all(values == wanted[p][: len(values)] for p, values in found.items()), f"{found} instead of {wanted}"
    return found == wanted


async def left_behind(sql: asyncpg.Connection, world: World, totals: Sequence[int]) -> None:
    """Rows of partition 0, committed by somebody who did not live to publish them."""
    for total in totals:
        await sql.execute(
            "INSERT INTO outbox (partition, topic, target, key, value) VALUES (0, $1, 0, 'total', $2)",
            world.topic("health.changes"),
            str(total).encode(),
        )


async def test_a_partition_stops_at_what_is_refused_and_the_others_go_on(
    world: World, sql: asyncpg.Connection, writer: AIOKafkaProducer
) -> None:
    refusing = Refusing(writer, b"b")
    outbox = Outbox(refusing)
    await stored(sql, outbox, messages(world, {0: [b"a", b"b", b"c"], 1: [b"x", b"y"]}))
    with pytest.raises(KafkaError, match="2 messages wait"):
        await outbox.publish()
    assert await told(world) == {0: [b"a"], 1: [b"x", b"y"]}
    await stored(sql, outbox, messages(world, {0: [b"d"]}))
    refusing.refused = b""
    await outbox.publish()
    assert await told(world) == {0: [b"a", b"b", b"c", b"d"], 1: [b"x", b"y"]}
    await stored(sql, outbox, [])
    assert await sql.fetchval("SELECT count(*) FROM outbox") == 0


async def test_an_acknowledgement_lost_on_its_way_doubles_nothing(
    world: World, sql: asyncpg.Connection, writer: AIOKafkaProducer
) -> None:
    answer, lost = writer.client.send, list[Any]()

    async def loses_the_first(node: int, request: Any, **kwargs: Any) -> Any:
        answered = await answer(node, request, **kwargs)
        if isinstance(request, ProduceRequest) and not lost:
            lost.append(answered)
            raise KafkaConnectionError("the connection broke before the answer came")
        return answered

    writer.client.send = loses_the_first
    outbox = Outbox(writer)
    await stored(sql, outbox, messages(world, {0: [b"a"]}))
    await stored(sql, outbox, messages(world, {0: [b"b"]}))
    await outbox.publish()
    assert len(lost) == 1
    assert await told(world) == {0: [b"a", b"b"]}


async def test_the_largest_message_leaves_and_a_larger_one_is_refused_before_the_commit(
    world: World, sql: asyncpg.Connection, writer: AIOKafkaProducer
) -> None:
    outbox = Outbox(writer)
    (too_large,) = messages(world, {0: [b"v" * MESSAGE_BYTES_MAX]})
    with pytest.raises(MessageTooLarge) as refused:
        await stored(sql, outbox, [too_large])
    assert (refused.value.topic, refused.value.key) == (too_large.topic, b"k")
    assert await sql.fetchval("SELECT count(*) FROM outbox") == 0
    excess = refused.value.size - refused.value.limit
    (largest,) = messages(world, {0: [b"v" * (MESSAGE_BYTES_MAX - excess)]})
    await stored(sql, outbox, [largest])
    await outbox.publish()
    assert await told(world) == {0: [largest.value]}


class Inflating(Outbox):
    """Makes one message larger than any broker takes."""

    async def store(self, tx: asyncpg.Connection, messages: Sequence[Message]) -> list[Row]:
        too_large = b"v" * MESSAGE_BYTES_MAX
        return await super().store(tx, [replace(m, value=too_large) if m.value == b"13" else m for m in messages])


async def test_what_would_say_more_than_a_broker_takes_is_set_aside_and_its_partition_goes_on(
    world: World, sql: asyncpg.Connection
) -> None:
    await send(world, {0: [13, 1]})
    async with working(world, make_outbox=Inflating, records_max=1):
        await total_is(world, 1)
        await until(lambda: has_told(world, {0: [b"1"]}), "1 told")
    (aside,) = await sql.fetch("SELECT record_offset, reason FROM set_aside")
    assert aside["record_offset"] == 0
    assert "MessageTooLarge" in aside["reason"]
    assert f"at most {MESSAGE_BYTES_MAX}" in aside["reason"]


async def test_rows_that_were_not_loaded_at_a_take_over_are_not_overtaken(
    world: World, sql: asyncpg.Connection
) -> None:
    await left_behind(sql, world, range(1, 9))
    await send(world, {0: [100]})
    async with working(world, make_outbox=partial(Outbox, leftovers_max=3)):
        await total_is(world, 100)
        in_order = [str(total).encode() for total in (*range(1, 9), 100)]
        await until(lambda: has_told(world, {0: in_order}), "all of them in order")


async def test_rows_left_behind_by_somebody_elses_look_leave_with_the_next_one(
    world: World, sql: asyncpg.Connection
) -> None:
    async with working(world) as worker:
        await send(world, {0: [7]})
        await total_is(world, 7)
        await left_behind(sql, world, [8])
        await execute(world, "UPDATE position SET seq = seq + 1 WHERE partition = 0")
        worker.adder.looks = {0: ["somebody"]}
        await until(lambda: has_told(world, {0: [b"7", b"8"]}), "8 told after 7")


async def test_rows_left_behind_where_nothing_comes_any_more_leave_with_the_periodic_reload(
    world: World, sql: asyncpg.Connection
) -> None:
    async with working(world) as worker:
        await send(world, {0: [7]})
        await total_is(world, 7)
        await left_behind(sql, world, [8])
        worker.loop._reloaded_at = float("-inf")  # as if OUTBOX_RELOAD_SECONDS had passed
        await until(lambda: has_told(world, {0: [b"7", b"8"]}), "8 told after 7")


async def test_a_worker_whose_broker_refuses_for_a_while_tells_everything_in_order(world: World) -> None:
    refusing: list[Refusing] = []

    def made(writer: AIOKafkaProducer) -> Outbox:
        refusing.append(Refusing(writer, b"3"))
        return Outbox(refusing[0])

    async with working(world, make_outbox=made) as worker:
        await send(world, {0: [1]})
        await total_is(world, 1)
        await send(world, {0: [2]})
        await until(lambda: has_waited(worker.loop.outbox), "the second message waits")
        await send(world, {0: [4]})
        refusing[0].refused = b""
        await until(lambda: has_told(world, {0: [b"1", b"3", b"7"]}), "all in order")


async def has_waited(outbox: Outbox) -> bool:
    return outbox.size > 0


async def test_a_number_acknowledged_before_a_failover_hides_no_row_after_it(
    world: World, sql: asyncpg.Connection, writer: AIOKafkaProducer
) -> None:
    topic = world.topic("health.changes")
    outbox = Outbox(writer)
    async with sql.transaction():
        stored = await outbox.store(sql, [Message(0, topic, 0, b"k", b"before")])
    outbox.settled(stored)
    await outbox.publish()
    # A replica that has not seen that commit: the next row gets the same number, and the answer to its COMMIT is lost.
    await sql.execute("DELETE FROM outbox")
    await sql.execute("ALTER TABLE outbox ALTER COLUMN n RESTART")
    async with sql.transaction():
        await outbox.store(sql, [Message(0, topic, 0, b"k", b"after")])
    outbox.forget()
    await outbox.reload(sql, [0])
    await outbox.publish()
    assert [record.value async for record in everything(world.bootstrap, topic)] == [b"before", b"after"]
