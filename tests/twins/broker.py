"""Kafka's twin, the server's side: logs, and groups that share a topic's partitions out among their members."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalGenerationError, UnknownMemberIdError

from shared.kafka.log_id import Log
from tests.twins.process import Process

SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 2.0

Headers = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A record and how it came: `by` whom, and whether that process had the partition that answers for it then."""

    record: ConsumerRecord
    by: str
    by_owner: bool


@dataclass
class Partition:
    """One log. Records below `start` are gone."""

    start: int = 0
    written: list[Written] = field(default_factory=list)

    @property
    def end(self) -> int:
        return len(self.written)


@dataclass
class Topic:
    id: int
    partitions: list[Partition]


class Member:
    """One consumer in a group. `alarm` is told that the group is being shared out anew."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.partitions: frozenset[int] = frozenset()
        self.joining: asyncio.Future[frozenset[int]] | None = None
        self.expires: asyncio.TimerHandle | None = None


class Group:
    """Eager: everybody gives everything up before it is shared out anew."""

    def __init__(self, partitions: int) -> None:
        self.generation = 0
        self.committed: dict[TopicPartition, int] = {}
        self._partitions = partitions
        self._members: list[Member] = []
        self._is_stable = True

    def owner(self, partition: int) -> Process | None:
        """Who has it as the group sees it."""
        return next((member.process for member in self._members if partition in member.partitions), None)

    async def join(self, member: Member) -> frozenset[int]:
        """The member's share, once all have joined whose session has not ended."""
        if member not in self._members:
            self._members.append(member)
        self._is_stable = False
        self.hear(member)
        joined: asyncio.Future[frozenset[int]] = asyncio.get_running_loop().create_future()
        member.joining = joined
        self._share()
        return await joined

    def leave(self, member: Member) -> None:
        """It is no member any more: it left, or nothing was heard of it for a session."""
        if member.expires is not None:
            member.expires.cancel()
        if member in self._members:
            self._members.remove(member)
            member.partitions = frozenset()
            self._is_stable = False
            self._share()

    def beat(self, member: Member) -> None:
        """Raises UnknownMemberIdError in one that is out, IllegalGenerationError where all are to join again."""
        if member not in self._members:
            raise UnknownMemberIdError
        self.hear(member)
        if not self._is_stable:
            raise IllegalGenerationError

    def commit(self, member: Member, offsets: dict[TopicPartition, int]) -> None:
        self.beat(member)
        self.committed.update(offsets)

    def hear(self, member: Member) -> None:
        if member.expires is not None:
            member.expires.cancel()
        member.expires = asyncio.get_running_loop().call_later(SESSION_SECONDS, self._expire, member)

    def _expire(self, member: Member) -> None:
        if member.joining is None:  # who waits for the others is kept
            self.leave(member)
        else:
            self.hear(member)

    def _share(self) -> None:
        if not self._members or any(member.joining is None for member in self._members):
            return
        self._is_stable = True
        self.generation += 1
        for number, member in enumerate(self._members):
            member.partitions = frozenset(range(number, self._partitions, len(self._members)))
            assert member.joining is not None
            if not member.joining.done():
                member.joining.set_result(member.partitions)
            member.joining = None


class Broker:
    """One broker. `answers_for` names the group whose member a producer of a topic is, if it is one."""

    def __init__(self, partitions: int, answers_for: Callable[[str], str | None]) -> None:
        self.topics: dict[str, Topic] = {}
        self.groups: dict[str, Group] = {}
        self.news = asyncio.Event()  # set whenever a record arrives
        self._is_up = asyncio.Event()
        self._is_up.set()
        self._partitions = partitions
        self._answers_for = answers_for
        self._ids = 0

    @property
    def is_up(self) -> bool:
        return self._is_up.is_set()

    async def up(self) -> None:
        """Clients wait, as theirs do, for a broker that is away."""
        await self._is_up.wait()

    def go_away(self) -> None:
        self._is_up.clear()

    def come_back(self) -> None:
        self._is_up.set()

    def make(self, topic: str) -> None:
        """Make a topic, or make it anew: the same name, another log."""
        self._ids += 1
        self.topics[topic] = Topic(self._ids, [Partition() for _ in range(self._partitions)])

    def log(self, topic: str) -> Log:
        return Log(f"twin/{self.topics[topic].id}", self._partitions, 0)

    def group(self, name: str) -> Group:
        return self.groups.setdefault(name, Group(self._partitions))

    def append(
        self, by: Process | None, topic: str, partition: int, *, key: bytes, value: bytes, headers: Headers
    ) -> int:
        """The record's offset."""
        log = self.topics[topic].partitions[partition]
        offset = log.end
        record = ConsumerRecord(topic, partition, offset, 0, 0, key, value, None, len(key), len(value), headers)
        group = self._answers_for(topic)
        is_owner = group is None or self.group(group).owner(partition) is by
        log.written.append(Written(record, str(by), is_owner))
        news, self.news = self.news, asyncio.Event()
        news.set()
        return offset
