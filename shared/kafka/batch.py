"""What the loop hands to a service, and what it gets back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from aiokafka import ConsumerRecord

from shared.postgres.pool import Connection

N = TypeVar("N")  # what archive found new
R = TypeVar("R")  # what was read
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portion:
    """What is to be settled in one transaction: records in offset order and accounts to look at, per partition."""

    records: Mapping[int, Sequence[ConsumerRecord]]
    looks: Mapping[int, Sequence[str]]

    @property
    def size(self) -> int:
        """Records and looks together."""
        return sum(map(len, self.records.values())) + sum(map(len, self.looks.values()))

    @property
    def names(self) -> list[str]:
        """Every record by topic, partition and offset, every look by partition and account."""
        records = [f"{r.topic}/{r.partition}@{r.offset}" for found in self.records.values() for r in found]
        return records + [f"look {p}/{account}" for p, accounts in self.looks.items() for account in accounts]

    def halves(self) -> tuple["Portion", "Portion"]:
        """The first half and the rest, in an order in which each partition's records can be settled."""
        records = [(p, record) for p, found in self.records.items() for record in found]
        looks = [(p, account) for p, accounts in self.looks.items() for account in accounts]
        at = self.size // 2
        looks_at = max(0, at - len(records))
        return (
            Portion(_by_partition(records[:at]), _by_partition(looks[:looks_at])),
            Portion(_by_partition(records[at:]), _by_partition(looks[looks_at:])),
        )


def _by_partition(ones: Iterable[tuple[int, T]]) -> dict[int, list[T]]:
    grouped: dict[int, list[T]] = {}
    for partition, one in ones:
        grouped.setdefault(partition, []).append(one)
    return grouped


@dataclass(frozen=True, slots=True)
class Batch:
    """Records and looks of the partitions that this transaction has claimed.

    records: partition -> records in offset order; looks: partition -> accounts to look at though nothing came;
    caught_up: partitions that this batch reads to the log's end; next_offsets: where each will stand afterwards.
    """

    now: datetime
    records: Mapping[int, Sequence[ConsumerRecord]]
    looks: Mapping[int, Sequence[str]]
    next_offsets: Mapping[int, int]
    caught_up: frozenset[int]

    @property
    def partitions(self) -> list[int]:
        """Every partition the batch touches, in the order in which they are locked."""
        return sorted(self.next_offsets)


@dataclass(frozen=True, slots=True)
class Message:
    """One record to publish once the batch is committed; `partition` is the claimed one that answers for it."""

    partition: int
    topic: str
    target: int
    key: bytes
    value: bytes


class Work(Protocol[N, R]):
    """A service's part of a batch. Nothing in here commits, and nothing may be remembered past a call of `forget`."""

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        """Accounts whose look is due, at most as many as one batch should carry."""
        ...

    async def archive(self, tx: Connection, batch: Batch) -> N:
        """Store what arrived; answer with what is new."""
        ...

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: N) -> R:
        """What we now know, and what it means."""
        ...

    async def decide(self, tx: Connection, batch: Batch, reading: R) -> Sequence[Message]:
        """What we say about it."""
        ...

    def source_of(self, record: ConsumerRecord) -> str:
        """Who is held responsible for a record; "" where nobody can be. Raises what reading it raises."""
        ...

    async def put_off(self, tx: Connection, looks: Mapping[int, Sequence[str]], now: datetime) -> None:
        """These accounts cannot be looked at: they are not due again before a quarter of an hour is over."""
        ...

    def forget(self) -> None:
        """Somebody else may have written since: drop every cache."""
        ...
