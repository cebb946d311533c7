"""What may happen in a run, as data: Hypothesis draws a list of these and takes away what a failure does not need."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

from tests.simulation.events import ACCOUNTS, KINDS, Told, end_of_import
from tests.simulation.workers import PARTITIONS, READS, Worker
from tests.simulation.world import World
from tests.twins.broker import SESSION_SECONDS

SERVICES = tuple(READS)
HAND_OVER_SECONDS = 4.0  # two heartbeats, until everybody has joined again
WORKERS_MAX = 3  # of a service: one more than there are partitions


@dataclass(frozen=True)
class Send:
    told: tuple[Told, ...]

    async def happen(self, world: World) -> None:
        for told in self.told:
            world.send(told.event(len(world.sent) + 1, world.now))


@dataclass(frozen=True)
class SendAgain:
    which: int

    async def happen(self, world: World) -> None:
        if world.sent:
            world.send(world.sent[self.which % len(world.sent)])


@dataclass(frozen=True)
class EndImport:
    account: int

    async def happen(self, world: World) -> None:
        world.send(end_of_import(self.account, len(world.sent) + 1, world.now))


@dataclass(frozen=True)
class SendUnreadable:
    partition: int

    async def happen(self, world: World) -> None:
        world.send_unreadable(self.partition)


@dataclass(frozen=True)
class Pass:
    """Time goes by."""

    seconds: float

    async def happen(self, world: World) -> None:
        await asyncio.sleep(self.seconds)


@dataclass(frozen=True)
class MoveClock:
    hours: int

    async def happen(self, world: World) -> None:
        world.move_clock(timedelta(hours=self.hours))


@dataclass(frozen=True)
class Start:
    service: str

    async def happen(self, world: World) -> None:
        if len(_workers(world, self.service)) < WORKERS_MAX:
            world.start(self.service)


@dataclass(frozen=True)
class Kill:
    service: str
    which: int

    async def happen(self, world: World) -> None:
        for worker in _chosen(world, self.service, self.which):
            world.kill(worker)


@dataclass(frozen=True)
class Leave:
    service: str
    which: int

    async def happen(self, world: World) -> None:
        for worker in _chosen(world, self.service, self.which):
            if not worker.process.is_stopped and world.broker.is_up and world.database.is_up:
                await world.leave(worker)


@dataclass(frozen=True)
class Stop:
    """SIGSTOP until `GoOn`."""

    service: str
    which: int

    async def happen(self, world: World) -> None:
        for worker in _chosen(world, self.service, self.which):
            worker.process.stop()


@dataclass(frozen=True)
class GoOn:
    async def happen(self, world: World) -> None:
        for worker in world.workers:
            worker.process.go_on()


@dataclass(frozen=True)
class Zombie:
    """Stopped until its partitions are another's, who looks at everybody; then it alone wakes up, to news."""

    service: str
    which: int
    hours: int
    news: Send

    async def happen(self, world: World) -> None:
        if len(_workers(world, self.service)) == 1:
            world.start(self.service)
            await asyncio.sleep(HAND_OVER_SECONDS)
        for zombie in _chosen(world, self.service, self.which):
            zombie.process.stop()
            await asyncio.sleep(SESSION_SECONDS + HAND_OVER_SECONDS)
            world.move_clock(timedelta(hours=self.hours))
            await asyncio.sleep(HAND_OVER_SECONDS)
            for other in _workers(world, self.service):
                other.process.stop()
            await self.news.happen(world)
            zombie.process.go_on()
            await asyncio.sleep(HAND_OVER_SECONDS)
            for other in _workers(world, self.service):
                other.process.go_on()


@dataclass(frozen=True)
class CutAcks:
    """The next records that a worker sends fail; `kept`: those that are in the log nevertheless."""

    service: str
    which: int
    kept: tuple[bool, ...]

    async def happen(self, world: World) -> None:
        for worker in _chosen(world, self.service, self.which):
            worker.producer.cut = list(self.kept)


@dataclass(frozen=True)
class StoreAway:
    seconds: float

    async def happen(self, world: World) -> None:
        world.database.go_away()
        await asyncio.sleep(self.seconds)
        world.database.come_back()


@dataclass(frozen=True)
class BrokerAway:
    seconds: float

    async def happen(self, world: World) -> None:
        world.broker.go_away()
        await asyncio.sleep(self.seconds)
        world.broker.come_back()


@dataclass(frozen=True)
class BackUp:
    async def happen(self, world: World) -> None:
        world.back_up()


@dataclass(frozen=True)
class Restore:
    async def happen(self, world: World) -> None:
        world.restore()


Action = (
    Send
    | SendAgain
    | EndImport
    | SendUnreadable
    | Pass
    | MoveClock
    | Start
    | Kill
    | Leave
    | Stop
    | GoOn
    | Zombie
    | CutAcks
    | StoreAway
    | BrokerAway
    | BackUp
    | Restore
)


def _workers(world: World, service: str) -> list[Worker]:
    return [worker for worker in world.workers if worker.service == service]


def _chosen(world: World, service: str, which: int) -> list[Worker]:
    """One worker, or none where the service has none."""
    workers = _workers(world, service)
    return workers and [workers[which % len(workers)]]


_service = st.sampled_from(SERVICES)
_which = st.integers(0, WORKERS_MAX - 1)
_account = st.integers(0, len(ACCOUNTS) - 1)
_told = st.builds(
    Told,
    _account,
    st.integers(0, len(KINDS) - 1),
    st.sampled_from([0, 0, 1, 30, 200, 900]),
    st.sampled_from([False] * 7 + [True]),
)

# What happens often stands there more than once.
_send = st.lists(_told, min_size=1, max_size=4).map(tuple).map(Send)
_SENDS: st.SearchStrategy[Action | None] = st.one_of(
    st.none(),
    *[_send] * 3,
    st.integers(0, 20).map(SendAgain),
)
_zombie = st.builds(Zombie, _service, _which, st.sampled_from([0, 20, 400]), _send)
_TROUBLES: st.SearchStrategy[Action | None] = st.one_of(
    st.none(),
    *[st.builds(Start, _service)] * 2,
    *[st.builds(Stop, _service, _which)] * 2,
    *[st.just(GoOn())] * 2,
    _zombie,
    st.builds(Leave, _service, _which),
    st.builds(Kill, _service, _which),
    st.builds(CutAcks, _service, _which, st.lists(st.booleans(), min_size=1, max_size=3).map(tuple)),
    st.sampled_from([0.1, 2.0, 8.0]).map(StoreAway),
    st.sampled_from([0.1, 2.0, 15.0]).map(BrokerAway),
    st.just(BackUp()),
    st.just(Restore()),
    st.sampled_from([1, 20, 80, 400]).map(MoveClock),
    _account.map(EndImport),
    st.integers(0, PARTITIONS - 1).map(SendUnreadable),
)
_PASSES: st.SearchStrategy[Action | None] = st.none() | st.sampled_from([0.01, 0.1, 0.3, 1.0, 3.0, 6.0, 12.0]).map(Pass)


def _in_a_row(parts: Sequence[Sequence[tuple[Action | None, ...]]]) -> list[Action]:
    return [action for part in parts for one in part for action in one if action is not None]


# Lists of lists, as Hypothesis draws long lists seldom.
ZOMBIES = st.lists(st.tuples(_send, _zombie, _PASSES), min_size=1, max_size=5).map(lambda rounds: _in_a_row([rounds]))
PLANS = st.lists(st.lists(st.tuples(_SENDS, _TROUBLES, _PASSES), max_size=8), max_size=4).map(_in_a_row)
