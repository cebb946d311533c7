"""A box: one data folder, its lock, and what it remembers between starts (id, passwords, ports)."""

import fcntl
import os
import secrets
import socket
import time
import uuid
from base64 import urlsafe_b64encode

import msgspec
import psutil

from services.cli.embedded.folder import PRIVATE_FILE, CannotStart, Folder, InUse, write_durably

LOOPBACK = "127.0.0.1"
PORT_MIN, PORT_MAX = 15_000, 30_000
CLOSING_SECONDS = 2.0
CLOSING_LOOK_SECONDS = 0.05


class Box(msgspec.Struct, frozen=True):
    """What a data folder remembers. cluster: Kafka's cluster id. admin_password: of PostgreSQL's superuser."""

    id: str
    cluster: str
    admin_password: str
    password: str
    kafka_port: int = 0
    controller_port: int = 0
    postgres_port: int = 0
    api_port: int = 0


class Holder(msgspec.Struct, frozen=True):
    """Who holds the lock of a data folder."""

    pid: int
    start: float


class Lock:
    """The one right to run the servers of a data folder, held until `release` or the end of this process.

    The file is never removed: a lock on a removed file would bind nobody.
    """

    def __init__(self, folder: Folder) -> None:
        """Raises InUse naming the holder where there is one."""
        self._descriptor = os.open(folder.run / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE_FILE)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise InUse(f"{folder.root} is in use by {describe(holder(folder))}") from None
        me = Holder(os.getpid(), psutil.Process().create_time())
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, msgspec.json.encode(me), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def holder(folder: Folder) -> Holder | None:
    """Who wrote the lock file last: the holder, as long as the lock is held."""
    try:
        return msgspec.json.decode((folder.run / "lock").read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def describe(who: Holder | None) -> str:
    """A sentence's part that names a process, its command line included, as far as it can be seen."""
    if who is None:
        return "a process that has not said its name yet"
    try:
        command = " ".join(psutil.Process(who.pid).cmdline())
    except psutil.Error:
        return f"process {who.pid}"
    return f"process {who.pid} ({command[:120]})"


def open_box(folder: Folder) -> Box:
    """The folder's box, made on the first call. Call it under the lock."""
    path = folder.root / "box.json"
    if path.exists():
        return msgspec.json.decode(path.read_bytes(), type=Box)
    made = Box(
        id=uuid.uuid4().hex[:12],
        cluster=urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode(),
        admin_password=secrets.token_urlsafe(24),
        password=secrets.token_urlsafe(24),
    )
    save(folder, made)
    return made


def save(folder: Folder, box: Box) -> None:
    write_durably(folder.root / "box.json", msgspec.json.format(msgspec.json.encode(box), indent=1))


def is_free(port: int) -> bool:
    """Whether a server could listen on this loopback port now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def becomes_free(port: int) -> bool:
    """As `is_free`, with patience for a server that was just killed: the kernel is still closing its sockets."""
    deadline = time.monotonic() + CLOSING_SECONDS
    while not is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(CLOSING_LOOK_SECONDS)
    return True


def must_be_free(port: int, option: str) -> None:
    """Raises CannotStart where somebody listens on the port already."""
    if not becomes_free(port):
        raise CannotStart(f"port {port} is taken by another programme: choose one with {option} (0 = any free one)")


def free_port() -> int:
    """A loopback port nobody listens on, below the range from which the kernel gives clients theirs.

    A client that reconnects to a port of that range while its server is down can be given the very same port, connect
    to itself, and keep the server from coming back.
    """
    while not is_free(port := PORT_MIN + secrets.randbelow(PORT_MAX - PORT_MIN)):
        pass
    return port
