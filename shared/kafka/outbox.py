"""What a batch says leaves through here: stored with it, published after it, deleted once acknowledged."""

import asyncio
import contextlib
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import RecordMetadata

from shared.contracts.envelope import HEADERS
from shared.kafka.batch import Message
from shared.kafka.claim import SQL
from shared.kafka.clients import MESSAGE_BYTES_MAX
from shared.postgres.pool import Connection

LEFTOVERS_MAX = 10_000  # rows held in memory at a take-over; what is more leaves page by page

Row = tuple[int, Message]


class MessageTooLarge(Exception):
    """No broker would take this message, and its partition would wait behind it for ever."""

    def __init__(self, message: Message, size: int) -> None:
        self.topic, self.key, self.size, self.limit = message.topic, message.key, size, MESSAGE_BYTES_MAX
        super().__init__(f"message of {message.key!r} to {message.topic}: {size} bytes, at most {self.limit} can leave")


class Outbox:
    """Order is kept per partition: at its first failure a partition stops, and goes on from there."""

    def __init__(self, producer: AIOKafkaProducer, leftovers_max: int = LEFTOVERS_MAX) -> None:
        self._producer = producer
        self._leftovers_max = leftovers_max
        self._waiting: dict[int, list[Row]] = defaultdict(list)
        self._acknowledged: list[int] = []

    @property
    def size(self) -> int:
        """Messages that are committed and not yet acknowledged."""
        return sum(map(len, self._waiting.values()))

    def forget(self) -> None:
        """Rows' numbers count for one database: after a failover or a restore the same ones are given again."""
        self._acknowledged.clear()

    async def reload(self, connection: Connection, partitions: Sequence[int]) -> None:
        """Forget what waits and take what the table has; others may have stored rows since.

        More rows than may wait leave at once, or newer ones would overtake those that were not loaded.
        connection: in no transaction. Raises KafkaError where the broker does not take them.
        """
        while await self._load(connection, partitions) == self._leftovers_max:
            await self.publish()
            await connection.execute(SQL["outbox_delete"], self._acknowledged)
            self._acknowledged.clear()

    async def _load(self, connection: Connection, partitions: Sequence[int]) -> int:
        rows = await connection.fetch(
            SQL["outbox_leftovers"], list(partitions), self._acknowledged, self._leftovers_max
        )
        self._waiting.clear()
        for row in rows:
            message = Message(row["partition"], row["topic"], row["target"], row["key"], row["value"])
            self._waiting[row["partition"]].append((row["n"], message))
        return len(rows)

    async def store(self, tx: Connection, messages: Sequence[Message]) -> list[Row]:
        """Write the batch's messages, delete what was acknowledged before it. `settled` makes both count.

        Raises MessageTooLarge.
        """
        for message in messages:
            _check_size(message)
        if self._acknowledged:
            await tx.execute(SQL["outbox_delete"], self._acknowledged)
        if not messages:
            return []
        numbers = await tx.fetch(
            SQL["outbox_store"],
            [m.partition for m in messages],
            [m.topic for m in messages],
            [m.target for m in messages],
            [m.key for m in messages],
            [m.value for m in messages],
        )
        return [(row["n"], message) for row, message in zip(numbers, messages, strict=True)]

    def settled(self, rows: Iterable[Row]) -> None:
        """The transaction that stored `rows` is committed."""
        self._acknowledged.clear()
        for row in rows:
            self._waiting[row[1].partition].append(row)

    async def publish(self) -> None:
        """Send what waits and keep what the broker did not acknowledge. Raises the first KafkaError met."""
        waiting, self._waiting = self._waiting, defaultdict(list)
        outcomes = await asyncio.gather(*map(self._publish_partition, waiting.values()))
        for left in outcomes:
            if left:
                self._waiting[left[0][1].partition] = left
        if self._waiting:
            raise KafkaError(f"{self.size} messages wait for the broker")

    async def _publish_partition(self, rows: list[Row]) -> list[Row]:
        """The rows that are left. Idempotence keeps those in flight in order, so none overtakes a failed one."""
        sent: list[Awaitable[RecordMetadata]] = []
        with contextlib.suppress(KafkaError):  # what was sent before the failure may still be acknowledged
            for _, m in rows:
                sent.append(await self._producer.send(m.topic, m.value, m.key, m.target, headers=HEADERS))
        outcomes = await asyncio.gather(*sent, return_exceptions=True)
        done = next((at for at, outcome in enumerate(outcomes) if isinstance(outcome, BaseException)), len(outcomes))
        self._acknowledged.extend(number for number, _ in rows[:done])
        return rows[done:]


def _check_size(message: Message) -> None:
    size = DefaultRecordBatchBuilder.estimate_size_in_bytes(message.key, message.value, HEADERS)
    if size > MESSAGE_BYTES_MAX:
        raise MessageTooLarge(message, size)
