"""A whole Bellwether on this machine: the servers, what lives in them, one worker per service, one API process."""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import httpx
import msgspec

from services.cli import migrate
from services.cli.embedded import kafka, postgres
from services.cli.embedded.box import LOOPBACK, free_port, must_be_free, save
from services.cli.embedded.child import Child
from services.cli.embedded.jars import ROOT
from services.cli.embedded.kept import Kept, kept
from services.cli.embedded.pair import Addresses, Pair, Say, choose_port, silently
from services.cli.embedded.processes import Program, marker
from shared.contracts.topics import PARTITIONS_DEFAULT, PARTITIONS_EMBEDDED
from shared.http.auth import create_key
from shared.settings import Shared

SERVICES = ("ingest", "scoring", "alerts")
API = "api"
READY_SECONDS = 60.0  # six processes start at once, on two cores perhaps
ANSWER_SECONDS = 2.0
FIRST_KEY = "default"


@dataclass(frozen=True, slots=True)
class Ports:
    """Where to listen; 0 = a free port, remembered in the data folder."""

    api: int = 8080
    kafka: int = 9392
    postgres: int = 5544


@dataclass(frozen=True, slots=True)
class Up:
    """What runs now. key: made at the first start and shown once, else None. own: the servers that we run.

    kept: what was found of earlier runs.
    """

    addresses: Addresses
    api: str
    key: str | None
    own: tuple[str, ...]
    kept: Kept | None


class Deployment:
    """Everything of one data folder. A server that the environment names already is used instead of our own."""

    def __init__(self, data: Path, ports: Ports, say: Say = silently, *, durable: bool = True) -> None:
        self._given = {
            kafka.NAME: os.environ.get("BELLWETHER_KAFKA", ""),
            postgres.NAME: os.environ.get("BELLWETHER_POSTGRES", ""),
        }
        self._own = tuple(name for name, address in self._given.items() if not address)
        self._ports = ports
        self._say = say
        partitions = PARTITIONS_EMBEDDED if kafka.NAME in self._own else PARTITIONS_DEFAULT
        self.pair = Pair(
            data,
            kafka_port=ports.kafka,
            postgres_port=ports.postgres,
            partitions=int(os.environ.get("BELLWETHER_PARTITIONS", partitions)),
            durable=durable,
            servers=self._own,
            say=say,
        )

    def start(self) -> Up:
        """Start all; returns when the API is ready. Raises CannotStart, with nothing left running."""
        self._say("starting Kafka and PostgreSQL")
        started = self.pair.start()
        try:
            return self._start_services(self._addresses(started))
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the services, then the servers they need. Within 10 s; the data stays."""
        if self.pair.is_started:
            self.pair.supervisor.stop([*SERVICES, API])
        self.pair.stop()

    def _addresses(self, own: Addresses) -> Addresses:
        return Addresses(self._given[kafka.NAME] or own.kafka, self._given[postgres.NAME] or own.postgres)

    def _start_services(self, addresses: Addresses) -> Up:
        settings = Shared(kafka=addresses.kafka, postgres=addresses.postgres)
        self._say("making topics and tables")
        migrate.migrate(settings, self.pair.partitions, int(os.environ.get("BELLWETHER_REPLICATION", "1")))
        found = asyncio.run(kept(settings))
        api_port = self._api_port()
        api = f"http://{LOOPBACK}:{api_port}"
        self._say("starting the services")
        self.pair.supervisor.start(self._children(settings, api_port))
        key = asyncio.run(first_key(settings))  # last, so that a start that fails makes none that nobody has seen
        return Up(addresses, api, key, self._own, found)

    def _api_port(self) -> int:
        box = self.pair.box
        port = choose_port(self._ports.api, box.api_port, box, API)
        save(self.pair.folder, msgspec.structs.replace(box, api_port=port))
        return port

    def _children(self, settings: Shared, api_port: int) -> list[Child]:
        probes = {service: free_port() for service in SERVICES}
        environment = {
            **os.environ,
            "BELLWETHER_KAFKA": settings.kafka,
            "BELLWETHER_POSTGRES": settings.dsn,
            "ORIGIN_SCRAPE": ",".join(f"{service}={LOOPBACK}:{port}" for service, port in probes.items()),
            **{f"{service.upper()}_PROBE_PORT": str(port) for service, port in probes.items()},
        }
        commands = {service: [f"services.{service}.main", "worker"] for service in SERVICES}
        commands[API] = ["services.cli.origin", "--host", LOOPBACK, "--port", str(api_port)]
        ports = {**probes, API: api_port}
        return [self._child(name, ports[name], environment, command) for name, command in commands.items()]

    def _child(self, name: str, port: int, environment: Mapping[str, str], command: Sequence[str]) -> Child:
        # The marker is an option that Python keeps and nobody reads: it is there to be seen in the command line.
        argv = [sys.executable, "-X", marker(self.pair.box.id, name), "-m", *command]
        program = Program(argv=argv, env=environment, cwd=ROOT, log=self.pair.folder.log(name))
        return Child(
            name=name,
            program=lambda: program,
            prepare=lambda: must_be_free(port, "--port"),
            is_ready=lambda: answers_ready(port),
            ready_seconds=READY_SECONDS,
        )


def answers_ready(port: int) -> bool:
    """Whether the process behind this loopback port says that it can work."""
    try:
        return httpx.get(f"http://{LOOPBACK}:{port}/readyz", timeout=ANSWER_SECONDS).is_success
    except httpx.HTTPError:
        return False


async def first_key(settings: Shared) -> str | None:
    """A key with all scopes if there has never been one; shown once, kept as a hash."""
    connection = await asyncpg.connect(settings.dsn, server_settings={"search_path": settings.search_path("access")})
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE credential IN SHARE ROW EXCLUSIVE MODE")
            if await connection.fetchval("SELECT EXISTS (SELECT FROM credential)"):
                return None
            return await create_key(connection, FIRST_KEY)
    finally:
        await connection.close()
