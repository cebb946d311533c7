"""The broker's twin and a real Kafka: each habit that the loop and the outbox rely on or guard against."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import pytest
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import IllegalStateError, KafkaError

from shared.contracts.envelope import HEADERS
from shared.kafka.clients import consumer, producer
from shared.kafka.log_id import Log, LogIdentity, TopicGone
from tests.pair import World
from tests.processes import until
from tests.twins import kafka
from tests.twins.broker import Broker
from tests.twins.process import Process
from tests.twins.virtual_time import run

pytestmark = pytest.mark.slow

TOPIC = "log"
PARTITIONS = 2


class Heard(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the listener was told, in order."""

    def __init__(self) -> None:
        self.words: list[str] = []

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.words.append("revoked")

    async def on_partitions_assigned(self, assigned: Any) -> None:
        self.words.append("assigned")


class Logs:
    """One topic, and clients of it, wherever it lives."""

    topic = TOPIC

    async def consumer(self) -> tuple[Any, Heard]:
        raise NotImplementedError

    async def producer(self) -> Any:
        raise NotImplementedError

    def identity(self) -> Any:
        raise NotImplementedError

    async def make_anew(self) -> None:
        raise NotImplementedError

    async def forget_below(self, offset: int) -> None:
        """Of partition 0."""
        raise NotImplementedError

    async def leave(self, member: Any) -> None:
        raise NotImplementedError

    def tp(self, partition: int) -> TopicPartition:
        return TopicPartition(self.topic, partition)

    async def send(self, *values: int, partition: int = 0) -> list[int]:
        """The offsets."""
        writer = await self.producer()
        sent = [
            await writer.send(self.topic, str(value).encode(), b"key", partition, headers=HEADERS) for value in values
        ]
        return [(await one).offset for one in sent]

    async def assigned(self, *members: Any) -> None:
        """Until all partitions are shared out among exactly these."""

        async def are() -> bool:
            shares = [member.assignment() for member in members]
            return all(shares) and sum(map(len, shares)) == PARTITIONS

        await until(are, "everybody has a share")

    async def heard(self, listener: Heard, rebalances: int) -> None:
        """Until the listener was told so often; the assignment may be known some moments before."""

        async def has() -> bool:
            return listener.words == ["revoked", "assigned"] * rebalances

        await until(has, f"{rebalances} rebalances")

    async def read(self, reader: Any, count: int) -> list[tuple[int, int]]:
        """(offset, value) of partition 0, of at least so many records; a batch is cut wherever the broker likes."""
        found: list[tuple[int, int]] = []

        async def enough() -> bool:
            polled = await reader.getmany(timeout_ms=100, max_records=500)
            found.extend((one.offset, int(one.value)) for one in polled.get(self.tp(0), ()))
            return len(found) >= count

        await until(enough, f"{count} records")
        return found


Case = Callable[[Logs], Awaitable[None]]
CASES: list[Case] = []


def case(body: Case) -> Case:
    CASES.append(body)
    return body


@case
async def records_have_offsets_from_zero_and_come_in_their_order(logs: Logs) -> None:
    assert await logs.send(7, 8, 9) == [0, 1, 2]
    reader, heard = await logs.consumer()
    assert await logs.read(reader, 3) == [(0, 7), (1, 8), (2, 9)]
    assert reader.highwater(logs.tp(0)) == 3
    await logs.heard(heard, 1)


@case
async def reading_begins_at_the_groups_offset_unless_somebody_seeks(logs: Logs) -> None:
    await logs.send(7, 8, 9)
    first, _ = await logs.consumer()
    await logs.read(first, 3)
    await first.commit({logs.tp(0): 2})
    await logs.leave(first)
    second, _ = await logs.consumer()
    assert await logs.read(second, 1) == [(2, 9)]
    second.seek(logs.tp(0), 1)
    assert await logs.read(second, 2) == [(1, 8), (2, 9)]


@case
async def a_second_member_takes_its_share_after_both_gave_up_everything(logs: Logs) -> None:
    one, heard = await logs.consumer()
    await logs.assigned(one)
    other, _ = await logs.consumer()
    await logs.assigned(one, other)
    assert not one.assignment() & other.assignment()
    await logs.heard(heard, 2)
    await logs.leave(other)
    await logs.assigned(one)
    await logs.heard(heard, 3)


@case
async def what_is_not_assigned_cannot_be_sought_or_asked_for_its_end(logs: Logs) -> None:
    one, _ = await logs.consumer()
    other, _ = await logs.consumer()
    await logs.assigned(one, other)
    (lost,) = other.assignment()
    with pytest.raises(IllegalStateError):
        one.seek(lost, 0)
    with pytest.raises(AssertionError):
        one.highwater(lost)
    with contextlib.suppress(KafkaError):  # one refuses, the other takes it: nothing relies on either
        await one.commit({lost: 0})


@case
async def a_position_below_the_logs_start_is_read_from_the_start(logs: Logs) -> None:
    await logs.send(7, 8, 9)
    reader, _ = await logs.consumer()
    await logs.read(reader, 3)
    await logs.forget_below(2)
    assert await reader.beginning_offsets([logs.tp(0)]) == {logs.tp(0): 2}
    assert await reader.end_offsets([logs.tp(0)]) == {logs.tp(0): 3}
    reader.seek(logs.tp(0), 0)
    assert await logs.read(reader, 1) == [(2, 9)]


@case
async def a_topic_made_anew_is_another_log(logs: Logs) -> None:
    identity = logs.identity()
    before = await identity.of(logs.topic)
    assert before == await identity.of(logs.topic)
    assert (before.partitions, before.leaders_missing) == (PARTITIONS, 0)
    await logs.make_anew()
    assert (await identity.of(logs.topic)).log_id != before.log_id
    with pytest.raises(TopicGone):
        await identity.of(f"no-{logs.topic}")


@dataclass
class Twin(Logs):
    broker: Broker = field(default_factory=lambda: Broker(PARTITIONS, lambda topic: None))
    process: Process = field(default_factory=lambda: Process("test", Random(1)))

    async def consumer(self) -> tuple[Any, Heard]:
        heard = Heard()
        # A process of its own, as members that stop do not stop one another.
        member = kafka.Consumer(self.broker, "group", Process("member", Random(2)))
        member.subscribe([self.topic], heard)
        return member, heard

    async def producer(self) -> Any:
        return kafka.Producer(self.broker, self.process)

    def identity(self) -> Any:
        return kafka.LogIdentity(self.broker, self.process)

    async def make_anew(self) -> None:
        self.broker.make(self.topic)

    async def forget_below(self, offset: int) -> None:
        self.broker.topics[self.topic].partitions[0].start = offset

    async def leave(self, member: Any) -> None:
        member._process.kill()
        member.leave()


@dataclass
class Real(Logs):
    world: World
    stack: contextlib.AsyncExitStack
    client: AIOKafkaClient
    admin: AIOKafkaAdminClient

    @property
    def topic(self) -> str:  # type: ignore[override]
        return self.world.topic(TOPIC)

    async def consumer(self) -> tuple[Any, Heard]:
        heard = Heard()
        member = consumer(self.world.bootstrap, f"{self.world.prefix}group")
        member.subscribe([self.topic], listener=heard)
        await member.start()
        self.stack.push_async_callback(member.stop)
        return member, heard

    async def producer(self) -> Any:
        writer = producer(self.world.bootstrap)
        await writer.start()
        self.stack.push_async_callback(writer.stop)
        return writer

    def identity(self) -> Any:
        return LogIdentity(self.client)

    async def make_anew(self) -> None:
        await self.admin.delete_topics([self.topic])

        async def made() -> bool:
            answer = await self.admin.create_topics([NewTopic(self.topic, PARTITIONS, 1)])
            return bool(answer.topic_errors[0][1] == 0)

        async def is_known() -> bool:
            with contextlib.suppress(TopicGone):
                found: Log = await self.identity().of(self.topic)
                return found.leaders_missing == 0
            return False

        await until(made, "the topic made anew")
        await until(is_known, "the new topic can be used")

    async def forget_below(self, offset: int) -> None:
        await self.admin.delete_records({self.tp(0): RecordsToDelete(before_offset=offset)})

    async def leave(self, member: Any) -> None:
        await member.stop()


@contextlib.asynccontextmanager
async def real(world: World) -> AsyncIterator[Real]:
    async with contextlib.AsyncExitStack() as stack:
        client = AIOKafkaClient(bootstrap_servers=world.bootstrap)
        admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        await admin.start()
        stack.push_async_callback(admin.close)
        await admin.create_topics([NewTopic(world.topic(TOPIC), PARTITIONS, 1)])
        stack.push_async_callback(admin.delete_topics, [world.topic(TOPIC)])
        yield Real(world, stack, client, admin)


@pytest.mark.parametrize("body", CASES, ids=lambda body: body.__name__)
def test_on_the_twin(body: Case) -> None:
    async def main() -> None:
        twin = Twin()
        twin.broker.make(TOPIC)
        await body(twin)

    run(main())


@pytest.mark.parametrize("body", CASES, ids=lambda body: body.__name__)
async def test_on_kafka(body: Case, bare_world: World) -> None:
    async with real(bare_world) as logs:
        await body(logs)
