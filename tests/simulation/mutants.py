"""The product with one thing wrong, made by putting another part in its place: the simulation must tell each."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from aiokafka import TopicPartition

from services.scoring.archive import Archive, Arrived
from services.scoring.worker import Scoring
from shared.kafka.batch import Message
from shared.kafka.outbox import Outbox, Row
from shared.postgres.pool import Connection
from tests.simulation.workers import Product
from tests.twins.kafka import Consumer
from tests.twins.statements import claim
from tests.twins.tables import Found, View


class RemembersForGood(Scoring):
    """Keeps its caches when somebody else has written since."""

    def forget(self) -> None:
        self._looks.forget()


class CountsAgain(Archive):
    """Takes a duplicate for new."""

    async def store(self, tx: Connection, arrived: Sequence[Arrived], now: datetime) -> list[Arrived]:
        await super().store(tx, arrived, now)
        return list(arrived)


class CountsDuplicates(Scoring):
    def __post_init__(self) -> None:
        super().__post_init__()
        self._archive = CountsAgain(self.pool)


class NeverReloads(Outbox):
    """What another worker committed and did not publish stays where it is."""

    async def reload(self, connection: Connection, partitions: Sequence[int]) -> None:
        self._waiting.clear()


class SkipsFailed(Outbox):
    """Takes what the broker refused for said."""

    async def _publish_partition(self, rows: list[Row]) -> list[Row]:
        left = await super()._publish_partition(rows)
        self._acknowledged.extend(number for number, _ in left[:1])
        return left[1:]


class SaysBeforeItCounts(Outbox):
    """Publishes what a transaction has decided that may yet be rolled back."""

    async def store(self, tx: Connection, messages: Sequence[Message]) -> list[Row]:
        rows = await super().store(tx, messages)
        for row in rows:
            self._waiting[row[1].partition].append(row)
        await self.publish()
        return []

    def settled(self, rows: Iterable[Row]) -> None:
        pass


class BelievesKafka(Consumer):
    """Reads from the group's offsets, not from where the store says."""

    def seek(self, tp: TopicPartition, offset: int) -> None:
        pass


def claims_without_seq(at: View, log_id: str, topic: str, *columns: Sequence[int]) -> Found:
    partitions, offsets, _, to = columns
    return claim(at, log_id, topic, partitions, offsets, _now(at, topic, partitions, "seq"), to)


def claims_without_comparing(at: View, log_id: str, topic: str, *columns: Sequence[int]) -> Found:
    partitions, *_, to = columns
    stands = [_now(at, topic, partitions, name) for name in ("next_offset", "seq")]
    return claim(at, log_id, topic, partitions, *stands, to)


def _now(at: View, topic: str, partitions: Sequence[int], name: str) -> list[int]:
    rows = [at.get("position", (topic, partition)) for partition in partitions]
    return [0 if row is None else row[name] for row in rows]


MUTANTS: Mapping[str, Product] = {
    "caches outlive a lost claim": Product().scoring(RemembersForGood),
    "a duplicate counts again": Product().scoring(CountsDuplicates),
    "a successor publishes nothing that is left": Product(outbox=NeverReloads),
    "a refused message is skipped": Product(outbox=SkipsFailed),
    "a message leaves before it counts": Product(outbox=SaysBeforeItCounts),
    "Kafka's offsets are believed": Product(consumer=BelievesKafka),
    "the claim compares no seq": Product(statements={"shared.kafka": {"claim": claims_without_seq}}),
    "the claim compares nothing": Product(statements={"shared.kafka": {"claim": claims_without_comparing}}),
}
