"""What the loop hands to a service, and what it gets back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from aiokafka import ConsumerRecord

from shared.postgres.pool import Connection

N = TypeVar("N")  # what archive found new
R = TypeVar("R")  # what was read


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

    def forget(self) -> None:
        """Somebody else may have written since: drop every cache."""
        ...
