"""Kafka and Postgres of one test alone: killed, held down, started again, which a session's shared pair must not be."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from services.cli import migrate
from services.cli.embedded import jars, kafka, postgres
from services.cli.embedded.child import Child
from services.cli.embedded.pair import Pair
from shared.settings import Shared
from tests.pair import World
from tests.processes import until

BACK_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class OwnPair:
    """A started pair; `world` is the deployment on it."""

    pair: Pair
    world: World

    async def kill(self, name: str) -> None:
        """kill -9, and wait until the pair's supervisor has it answering again."""
        killed = self._kill(name)
        child = self._child(name)

        async def is_back() -> bool:
            running = self.pair.supervisor.running(name)
            return running is not None and running.pid != killed and await asyncio.to_thread(child.is_ready)

        await until(is_back, f"{name} answers again", BACK_SECONDS_MAX)

    @contextlib.asynccontextmanager
    async def down(self, name: str) -> AsyncIterator[None]:
        """Killed with -9, not there while the body runs, answering again afterwards."""
        self._kill(name)
        # Within the supervisor's backoff, so that there is no start in between.
        await asyncio.to_thread(self.pair.supervisor.stop, [name])
        try:
            yield
        finally:
            await asyncio.to_thread(self.pair.supervisor.start, [self._child(name)])

    def _kill(self, name: str) -> int:
        running = self.pair.supervisor.running(name)
        assert running is not None
        running.send(signal.SIGKILL)
        return running.pid

    def _child(self, name: str) -> Child:
        folder, box = self.pair.folder, self.pair.box
        if name == postgres.NAME:
            return postgres.Postgres(folder, box, box.postgres_port, durable=False).child()
        cache = jars.default_cache().absolute()
        return kafka.Kafka(folder, box, box.kafka_port, box.controller_port, cache).child()


@contextlib.asynccontextmanager
async def own_pair(data: Path, partitions: int) -> AsyncIterator[OwnPair]:
    """Both servers on a folder of their own, with the topics and tables of one deployment; stopped afterwards."""
    pair = Pair(data, partitions=partitions, durable=False)
    addresses = await asyncio.to_thread(pair.start)
    try:
        world = World(addresses.postgres, addresses.kafka, "", partitions)
        await asyncio.to_thread(migrate.migrate, Shared(kafka=world.bootstrap, postgres=world.dsn), partitions)
        yield OwnPair(pair, world)
    finally:
        await asyncio.to_thread(pair.stop)
