"""What tests get from the embedded pair: real servers, and a world of their own on them.

A session's servers live in the first free slot under .local/test, so that two sessions at once do not meet. A slot
whose session was killed is cleared at the next start: its servers are ended, its data removed.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from migrations.schemas import SERVICES
from services.cli import migrate
from services.cli.embedded import kafka, postgres
from services.cli.embedded.box import Lock, open_box
from services.cli.embedded.folder import CannotStart, InUse, open_folder
from services.cli.embedded.pair import Addresses, Pair
from services.cli.embedded.processes import end_orphans
from shared.contracts.topics import TOPICS
from shared.settings import Shared

ROOT = Path(__file__).resolve().parents[1]
SLOTS = ROOT / ".local" / "test"
SLOTS_MAX = 16  # sessions at once on one machine; more means that something does not stop
PARTITIONS = 4  # enough to see two workers share, few enough to make for every test
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class World:
    """One deployment on the session's servers: schemas and topics under a prefix of its own, empty."""

    dsn: str
    bootstrap: str
    prefix: str
    partitions: int = PARTITIONS

    def env(self, **more: str) -> dict[str, str]:
        """The environment for a process of this deployment, `more` laid over it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_")}
        return kept | {
            "BELLWETHER_KAFKA": self.bootstrap,
            "BELLWETHER_POSTGRES": self.dsn,
            "BELLWETHER_PREFIX": self.prefix,
            "BELLWETHER_PARTITIONS": str(self.partitions),
            **more,
        }

    def topic(self, name: str) -> str:
        """The topic's name on this deployment's broker."""
        return f"{self.prefix}{name}"

    def search_path(self, service: str) -> str:
        """What a connection of this service sets."""
        return f"{self.prefix}{service}, {self.prefix}access"

    async def connect(self, service: str) -> asyncpg.Connection:
        """A connection that sees what the service's own connections see. The caller closes it."""
        return await asyncpg.connect(self.dsn, server_settings={"search_path": self.search_path(service)})


@contextlib.contextmanager
def running_pair() -> Iterator[Addresses]:
    """The servers of one test session."""
    pair, addresses = _start_in_a_free_slot()
    try:
        yield addresses
    finally:
        pair.stop()


def _start_in_a_free_slot() -> tuple[Pair, Addresses]:
    for number in range(SLOTS_MAX):
        slot = SLOTS / str(number)
        pair = Pair(slot, partitions=PARTITIONS, durable=False)
        with contextlib.suppress(InUse):
            _clear(slot)
            return pair, pair.start()
    raise CannotStart(f"all {SLOTS_MAX} slots under {SLOTS} are in use")


def _clear(slot: Path) -> None:
    """End what a killed session left here and remove its data.

    The lock file stays: a lock on a removed one binds nobody.
    """
    folder = open_folder(slot)
    lock = Lock(folder)
    try:
        box = open_box(folder)
        for name in (kafka.NAME, postgres.NAME):
            end_orphans(folder, box.id, name, signal.SIGKILL, END_SECONDS)
        (slot / "box.json").unlink()
        for inside in (folder.pg, folder.kafka, folder.logs, folder.conf, folder.tmp):
            shutil.rmtree(inside, ignore_errors=True)
        for marker in folder.run.glob("*.unfinished"):
            marker.unlink()
    finally:
        lock.release()


@contextlib.asynccontextmanager
async def new_world(addresses: Addresses, prefix: str) -> AsyncIterator[World]:
    """A deployment as `bellwether migrate` makes it: topics, tables, the packaged catalogue. Gone afterwards."""
    async with empty_world(addresses, prefix) as world:
        settings = Shared(kafka=world.bootstrap, postgres=world.dsn, prefix=prefix)
        await asyncio.to_thread(migrate.migrate, settings, world.partitions)  # it runs an event loop of its own
        yield world


@contextlib.asynccontextmanager
async def empty_world(addresses: Addresses, prefix: str) -> AsyncIterator[World]:
    """A deployment of which nothing has been made yet; what was made is gone afterwards."""
    world = World(addresses.postgres, addresses.kafka, prefix)
    try:
        yield world
    finally:
        await _remove(world)


async def _remove(world: World) -> None:
    """Give the servers back what the world took. A broker that a test has just killed keeps its topics."""
    connection = await asyncpg.connect(world.dsn)
    try:
        for service in SERVICES:
            await connection.execute(f'DROP SCHEMA IF EXISTS "{world.prefix}{service}" CASCADE')
        await connection.execute(f'DROP TABLE IF EXISTS public."{world.prefix}migration"')
    finally:
        await connection.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    with contextlib.suppress(KafkaError):
        await admin.start()
        await admin.delete_topics([world.topic(topic.name) for topic in TOPICS])
    await admin.close()
