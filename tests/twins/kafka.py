"""Kafka's twin, the clients' side: what the loop and the outbox use of aiokafka, with its habits and its traps."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError, KafkaConnectionError, KafkaError, KafkaTimeoutError
from aiokafka.structs import RecordMetadata

from shared.kafka.log_id import Log, TopicGone
from tests.twins.broker import HEARTBEAT_SECONDS, Broker, Group, Member
from tests.twins.process import Process

RECORDS_OF_A_FETCH = (1, 2, 5, 500)  # what one fetch brings of a partition at most
IDLE_POLL_SECONDS = 1.0  # a poll that brings nothing takes at least as long: fewer steps, the same order of things


class LogIdentity:
    """Asks for a topic's identity."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker, self._process = broker, process

    async def of(self, topic: str) -> Log:
        await self._process.step()
        if not self._broker.is_up:
            raise KafkaConnectionError("no broker answers")
        if topic not in self._broker.topics:
            raise TopicGone(topic)
        return self._broker.log(topic)


class Consumer:
    """A member of a group. Its heartbeat is a task of its own; fetching asks nobody whether it still may."""

    def __init__(self, broker: Broker, group: str, process: Process) -> None:
        self._broker, self._process = broker, process
        self._group: Group = broker.group(group)
        self._member = Member(process)
        self._topic = ""
        self._listener: ConsumerRebalanceListener | None = None
        self._assigned: frozenset[int] = frozenset()
        self._positions: dict[int, int] = {}
        self._highs: dict[int, int] = {}

    def subscribe(self, topics: Iterable[str], listener: ConsumerRebalanceListener) -> None:
        (self._topic,) = topics
        self._listener = listener
        self._process.begin(self._belong())

    def assign(self, tps: Iterable[TopicPartition]) -> None:
        """Read these, as a consumer of no group does."""
        tps = list(tps)
        (self._topic,) = {tp.topic for tp in tps}
        self._assigned = frozenset(tp.partition for tp in tps)
        self._positions = dict.fromkeys(self._assigned, 0)

    def pause(self, *tps: TopicPartition) -> None:
        """Nothing of these is fetched before they are assigned again; nobody asks a paused twin."""
        assert set(tps) <= self.assignment(), "No current assignment for partition"

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(TopicPartition(self._topic, p) for p in self._assigned)

    def highwater(self, tp: TopicPartition) -> int | None:
        assert tp in self.assignment(), "Partition is not assigned"
        return self._highs.get(tp.partition)

    def seek(self, tp: TopicPartition, offset: int) -> None:
        if tp not in self.assignment():
            raise IllegalStateError(f"No current assignment for partition {tp}")
        self._positions[tp.partition] = offset

    async def beginning_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._process.step()
        await self._broker.up()
        logs = self._broker.topics[self._topic].partitions
        return {tp: logs[tp.partition].start for tp in tps}

    async def end_offsets(self, tps: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        await self._process.step()
        await self._broker.up()
        return {tp: self._broker.topics[tp.topic].partitions[tp.partition].end for tp in tps}

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        await self._process.step()
        await self._broker.up()
        self._group.commit(self._member, dict(offsets))

    async def getmany(
        self, *, timeout_ms: int, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """What has arrived, of partitions in any order; nothing after a while."""
        found = await self._fetch(max_records or 500)
        if not found:
            news = asyncio.create_task(self._broker.news.wait())
            await asyncio.wait([news], timeout=max(timeout_ms / 1000, IDLE_POLL_SECONDS))
            news.cancel()
            found = await self._fetch(max_records or 500)
        return found

    def leave(self) -> None:
        """As a clean stop tells the group; of a killed process it hears when the session ends."""
        self._group.leave(self._member)

    async def _fetch(self, records_max: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        await self._process.step()
        found: dict[TopicPartition, list[ConsumerRecord]] = {}
        if not self._broker.is_up or self._topic not in self._broker.topics:
            return found
        order = sorted(self._positions)
        self._process.random.shuffle(order)
        for partition in order:
            records = self._read(partition, min(records_max, self._process.random.choice(RECORDS_OF_A_FETCH)))
            records_max -= len(records)
            if records:
                found[TopicPartition(self._topic, partition)] = records
            if records_max <= 0:
                break
        return found

    def _read(self, partition: int, count: int) -> list[ConsumerRecord]:
        log = self._broker.topics[self._topic].partitions[partition]
        at = self._positions[partition]
        if not log.start <= at <= log.end:
            at = log.start  # auto_offset_reset="earliest"
        found = [written.record for written in log.written[at : at + count]]
        self._positions[partition] = at + len(found)
        self._highs[partition] = log.end
        return found

    async def _belong(self) -> None:
        await self._rejoin()
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            await self._process.step()
            await self._broker.up()
            try:
                self._group.beat(self._member)
            except KafkaError:
                await self._rejoin()

    async def _rejoin(self) -> None:
        await self._process.step()
        assert self._listener is not None
        await self._listener.on_partitions_revoked(self.assignment())
        await self._broker.up()
        assigned = await self._group.join(self._member)
        await self._process.step()
        self._assigned, self._positions, self._highs = assigned, {}, {}
        await self._process.step()  # the assignment can be seen before the listener hears of it
        await self._listener.on_partitions_assigned(self.assignment())
        await self._process.step()  # nothing is fetched before the group's offsets are known
        for partition in assigned:
            self._positions.setdefault(partition, self._group.committed.get(TopicPartition(self._topic, partition), 0))


class Producer:
    """Sends in order, and no record overtakes one that failed. `cut` says how the next ones fail."""

    def __init__(self, broker: Broker, process: Process) -> None:
        self._broker, self._process = broker, process
        self._ways: dict[tuple[str, int], asyncio.Queue[tuple[asyncio.Future[RecordMetadata], dict[str, Any]]]] = {}
        self.cut: list[bool] = []  # of each failure to come: is the record in the log, and only its ack is lost

    async def send(
        self, topic: str, value: bytes, key: bytes, partition: int, *, headers: Sequence[tuple[str, bytes]]
    ) -> asyncio.Future[RecordMetadata]:
        """The future of its acknowledgement."""
        await self._process.step()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[RecordMetadata] = loop.create_future()
        way = self._ways.get((topic, partition))
        if way is None:
            way = self._ways[topic, partition] = asyncio.Queue()
            self._process.begin(self._deliver(topic, partition, way))
        way.put_nowait((future, {"key": key, "value": value, "headers": tuple(headers)}))
        return future

    async def _deliver(self, topic: str, partition: int, way: "asyncio.Queue[Any]") -> None:
        while True:
            future, record = await way.get()
            await self._process.step()
            await self._broker.up()
            if self.cut and self._fail(topic, partition, future, record, way):
                continue
            offset = self._broker.append(self._process, topic, partition, **record)
            await self._process.step()
            if not future.done():
                tp = TopicPartition(topic, partition)
                future.set_result(RecordMetadata(topic, partition, tp, offset, 0, 0, 0))

    def _fail(self, topic: str, partition: int, future: Any, record: Any, way: "asyncio.Queue[Any]") -> bool:
        if self.cut.pop():
            self._broker.append(self._process, topic, partition, **record)
        failed = [future]
        while not way.empty():
            failed.append(way.get_nowait()[0])
        for one in failed:
            if not one.done():
                one.set_exception(KafkaTimeoutError("nobody acknowledged it"))
        return True
