"""The embedded pair: a real Kafka and a real PostgreSQL under one data folder, for `up`, the demo and the tests."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from services.cli.embedded import jars, kafka, postgres
from services.cli.embedded.box import Box, Lock, becomes_free, free_port, open_box, save
from services.cli.embedded.folder import Folder, open_folder
from services.cli.embedded.processes import end_orphans, find
from services.cli.embedded.supervisor import Supervisor

Say = Callable[[str], None]


def silently(_: str) -> None:
    """For callers that have nobody to tell."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the pair answers. kafka: host:port. postgres: a postgresql:// address with user, password and database."""

    kafka: str
    postgres: str


class Pair:
    """Kafka and Postgres of one data folder, started together, each started again when it ends, stopped together.

    A port of 0 means a free one, remembered in the folder. partitions: how many those who make topics here are to
    make. durable=False gives up surviving a power cut (a kill -9 still loses nothing), for tests. servers: leave one
    out where a server of the user's own takes its place.
    """

    def __init__(
        self,
        data: Path,
        *,
        kafka_port: int = 0,
        postgres_port: int = 0,
        partitions: int = 16,
        durable: bool = True,
        servers: Sequence[str] = (kafka.NAME, postgres.NAME),
        say: Say = silently,
    ) -> None:
        self.data = data
        self.partitions = partitions
        self._wanted = {kafka.NAME: kafka_port, postgres.NAME: postgres_port}
        self._servers = servers
        self._durable = durable
        self._say = say
        self._lock: Lock | None = None
        self._supervisor: Supervisor | None = None
        self._box: Box | None = None

    def start(self) -> Addresses:
        """Start or adopt both; returns when both answer. Raises CannotStart, with nothing left running."""
        folder = open_folder(self.data)
        self._lock = Lock(folder)
        try:
            return self._start(folder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop everything and let go of the folder. Within 10 s; harmless when nothing runs."""
        if self._supervisor is not None:
            self._supervisor.stop()
            self._supervisor = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    @property
    def is_started(self) -> bool:
        return self._supervisor is not None

    @property
    def supervisor(self) -> Supervisor:
        """For more children beside the two servers. Only between `start` and `stop`."""
        assert self._supervisor is not None, "the pair is not started"
        return self._supervisor

    @property
    def folder(self) -> Folder:
        return open_folder(self.data)

    @property
    def box(self) -> Box:
        """What the folder remembers. Only after `start`."""
        assert self._box is not None, "the pair is not started"
        return self._box

    def _start(self, folder: Folder) -> Addresses:
        box = self._box = self._with_ports(folder, open_box(folder))
        cache = jars.default_cache().absolute()
        the_kafka = kafka.Kafka(folder, box, box.kafka_port, box.controller_port, cache)
        the_postgres = postgres.Postgres(folder, box, box.postgres_port, self._durable)
        if kafka.NAME in self._servers:
            jars.ensure(jars.read_lock(), cache, self._say)
        self._supervisor = Supervisor(folder, box.id, self._say)
        children = [the_kafka.child(), the_postgres.child()]
        for unwanted in (child for child in children if child.name not in self._servers):
            end_orphans(folder, box.id, unwanted.name, unwanted.stop_signal, unwanted.stop_seconds)
        self._supervisor.start([child for child in children if child.name in self._servers])
        if postgres.NAME in self._servers:
            the_postgres.make_database()
        return Addresses(the_kafka.bootstrap, the_postgres.dsn)

    def _with_ports(self, folder: Folder, box: Box) -> Box:
        chosen = msgspec.structs.replace(
            box,
            kafka_port=choose_port(self._wanted[kafka.NAME], box.kafka_port, box, kafka.NAME),
            controller_port=choose_port(0, box.controller_port, box, kafka.NAME),
            postgres_port=choose_port(self._wanted[postgres.NAME], box.postgres_port, box, postgres.NAME),
        )
        if chosen != box:
            save(folder, chosen)
        return chosen


def choose_port(wanted: int, remembered: int, box: Box, name: str) -> int:
    """The wanted port; else the remembered one unless a stranger has it; else a free one."""
    if wanted:
        return wanted
    if remembered and (find(box.id, name) or becomes_free(remembered)):
        return remembered
    return free_port()
