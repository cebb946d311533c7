"""The pid protocol: how a process is started, recorded, found again after a crash, and ended.

`run/NAME.json` = {pid, start, conf} is written right after a process is spawned. Its command line carries
`bellwether.box=ID.NAME`: a process is ours if it has that marker, and it is the recorded one if pid and create time
agree too. So a pid that the kernel gave to somebody else is never signalled.
"""

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psutil

from services.cli.embedded.folder import PRIVATE_FILE, Folder, write_durably

# psutil counts create times from the boot time, which moves when the clock is set; the marker excludes strangers.
START_TOLERANCE_SECONDS = 2.0
LOG_TAIL_LINES = 6


class Record(msgspec.Struct, frozen=True):
    """A process as it was started. `conf` is the hash of its command line and settings."""

    pid: int
    start: float
    conf: str


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. `settings` is whatever else decides its behaviour (files it reads): it only counts in `conf`."""

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path
    log: Path
    settings: str = ""

    @property
    def conf(self) -> str:
        parts = (*self.argv, *(f"{k}={v}" for k, v in sorted(self.env.items())), str(self.cwd), self.settings)
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


class Running:
    """A process of ours: a child of this one, or one adopted from a supervisor that died."""

    def __init__(self, process: psutil.Process, child: subprocess.Popen[bytes] | None = None) -> None:
        self.pid = process.pid
        self._process = process
        self._child = child

    def wait(self, timeout_seconds: float | None = None) -> bool:
        """Whether it has ended within the time."""
        try:
            if self._child is not None:
                self._child.wait(timeout_seconds)
            else:
                self._process.wait(timeout_seconds)
        except (subprocess.TimeoutExpired, psutil.TimeoutExpired):
            return False
        return True

    @property
    def exit(self) -> str:
        """How it ended, in words; meaningful after `wait` said so."""
        code = None if self._child is None else self._child.returncode
        if code is None:
            return "ended"
        return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"exited with code {code}"

    def send(self, sig: signal.Signals) -> None:
        # psutil compares create times first: it never signals a reused pid.
        with contextlib.suppress(psutil.NoSuchProcess):
            self._process.send_signal(sig)

    def end(self, sig: signal.Signals, seconds: float) -> None:
        """Ask with `sig`, and after `seconds` do not ask any more."""
        self.send(sig)
        if not self.wait(seconds):
            self.send(signal.SIGKILL)
            self.wait()


def bare_environment() -> dict[str, str]:
    """What a server of ours gets to see: nothing with which a terminal or another installation could steer it."""
    kept = {name: os.environ[name] for name in ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH") if name in os.environ}
    return kept | {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def marker(box_id: str, name: str) -> str:
    return f"bellwether.box={box_id}.{name}"


def spawn(program: Program, record: Path) -> Running:
    """Start a program in a session of its own, its output appended to its log, and record it."""
    descriptor = os.open(program.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, PRIVATE_FILE)
    with os.fdopen(descriptor, "ab") as log:
        child = subprocess.Popen(  # noqa: S603 - argv is ours, no shell
            program.argv,
            env=dict(program.env),
            cwd=program.cwd,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            umask=0o077,
        )
    process = psutil.Process(child.pid)
    write_durably(record, msgspec.json.encode(Record(child.pid, process.create_time(), program.conf)))
    return Running(process, child)


def read_record(path: Path) -> Record | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except (OSError, msgspec.DecodeError):
        return None


def find(box_id: str, name: str) -> list[psutil.Process]:
    """All live processes that carry this marker."""
    wanted = {marker(box_id, name), f"-D{marker(box_id, name)}"}
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if wanted.intersection(process.cmdline()):
                found.append(process)
    return found


def recorded(processes: list[psutil.Process], record: Record | None) -> psutil.Process | None:
    """The one of these that the record speaks of."""
    if record is None:
        return None
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.pid == record.pid and abs(process.create_time() - record.start) < START_TOLERANCE_SECONDS:
                return process
    return None


def end_orphans(folder: Folder, box_id: str, name: str, sig: signal.Signals, seconds: float) -> int:
    """End every process with this marker, and forget its record. Returns how many there were."""
    orphans = [Running(process) for process in find(box_id, name)]
    for orphan in orphans:
        orphan.send(sig)
    deadline = time.monotonic() + seconds
    for orphan in orphans:
        if not orphan.wait(max(0.0, deadline - time.monotonic())):
            orphan.end(signal.SIGKILL, seconds)
    folder.record(name).unlink(missing_ok=True)
    return len(orphans)


def log_tail(log: Path) -> str:
    """The last lines a process wrote, for an error message."""
    try:
        lines = log.read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return "it wrote nothing"
    return "\n".join(lines[-LOG_TAIL_LINES:]) or "it wrote nothing"
