"""What runs in a data folder, seen from outside its supervisor, and how to end it from there."""

import contextlib
import fcntl
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from services.cli.embedded.box import Box, Holder, Lock, holder
from services.cli.embedded.folder import Folder
from services.cli.embedded.kafka import Kafka
from services.cli.embedded.postgres import Postgres
from services.cli.embedded.processes import START_TOLERANCE_SECONDS, end_orphans, find

# In the order in which they are ended: nobody loses a server it still needs.
NAMES = ("ingest", "scoring", "alerts", "api", "kafka", "postgres")
SUPERVISOR_SECONDS = 15.0  # it promises 10
ORPHAN_SECONDS = 5.0
SIGNALS = {"postgres": signal.SIGINT}


@dataclass(frozen=True, slots=True)
class Seen:
    """One process that is there, or not."""

    name: str
    pid: int | None
    resident_bytes: int = 0
    started_at: float = 0.0


def existing(path: Path) -> Folder | None:
    """The data folder at this path, where there is one; nothing is created."""
    folder = Folder(path.resolve())
    return folder if (folder.root / "box.json").exists() else None


def box_of(folder: Folder) -> Box:
    return msgspec.json.decode((folder.root / "box.json").read_bytes(), type=Box)


def environment_of(path: Path) -> dict[str, str]:
    """The BELLWETHER_ addresses of the servers of this data folder, or nothing where there is none."""
    folder = existing(path)
    if folder is None:
        return {}
    box = box_of(folder)
    kafka = Kafka(folder, box, box.kafka_port, box.controller_port, folder.root)
    postgres = Postgres(folder, box, box.postgres_port, durable=True)
    return {"BELLWETHER_KAFKA": kafka.bootstrap, "BELLWETHER_POSTGRES": postgres.dsn}


def supervisor_of(folder: Folder) -> psutil.Process | None:
    """The process that holds the folder's lock now."""
    if not _is_locked(folder):
        return None
    who = holder(folder)
    return None if who is None else _process(who)


def seen(folder: Folder) -> list[Seen]:
    """All processes of this folder, the supervisor first."""
    box = box_of(folder)
    supervisor = supervisor_of(folder)
    rows = [_look("supervisor", [supervisor] if supervisor else [])]
    return rows + [_look(name, find(box.id, name)) for name in NAMES]


def end(folder: Folder) -> int:
    """End everything of this folder; how many processes there were. Raises InUse if the supervisor cannot be ended."""
    ended = 0
    supervisor = supervisor_of(folder)
    if supervisor is not None:
        ended = sum(1 for row in seen(folder) if row.pid is not None)
        with contextlib.suppress(psutil.Error):
            supervisor.send_signal(signal.SIGTERM)
            supervisor.wait(SUPERVISOR_SECONDS)
        with contextlib.suppress(psutil.Error):
            supervisor.kill()
            supervisor.wait(ORPHAN_SECONDS)
    lock = Lock(folder)
    try:
        box = box_of(folder)
        orphans = [
            end_orphans(folder, box.id, name, SIGNALS.get(name, signal.SIGTERM), ORPHAN_SECONDS) for name in NAMES
        ]
    finally:
        lock.release()
    return ended or sum(orphans)


def _is_locked(folder: Folder) -> bool:
    try:
        descriptor = os.open(folder.run / "lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _process(who: Holder) -> psutil.Process | None:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(who.pid)
        if abs(process.create_time() - who.start) < START_TOLERANCE_SECONDS:
            return process
    return None


def _look(name: str, processes: list[psutil.Process]) -> Seen:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            return Seen(name, process.pid, process.memory_info().rss, process.create_time())
    return Seen(name, None)
