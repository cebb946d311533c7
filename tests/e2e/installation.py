"""A whole Bellwether as a user runs it: `bellwether up` on a folder of its own, killed and started again at will."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import msgspec

from tests.pair import ROOT
from tests.processes import until

UP_SECONDS_MAX = 90.0
DOWN_SECONDS_MAX = 20.0
SERVICES = ("ingest", "scoring", "alerts", "api")


@dataclass
class Installation:
    """`data` is its folder; `key` is what its first screen showed."""

    data: Path
    key: str = ""
    _process: Process | None = field(default=None)

    async def up(self) -> None:
        """Start it, and wait until it says that it is ready."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_")}
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", "from services.cli.main import main; main()", "up", "--data", str(self.data),
            "--port", "0", "--kafka-port", "0", "--postgres-port", "0",
            cwd=ROOT, env=environment, stdout=PIPE, stderr=DEVNULL,
        )  # fmt: skip
        await asyncio.wait_for(self._until_shown(), UP_SECONDS_MAX)

    async def _until_shown(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for raw in self._process.stdout:
            line = raw.decode()
            if " key " in line:
                self.key = line.split()[1]
            if "no authentication" in line:
                return
        raise AssertionError("bellwether up ended before it was ready")

    async def down(self) -> None:
        """Ctrl-C; everything must be gone in time."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(self._process.wait(), DOWN_SECONDS_MAX) == 0
        self._process = None

    async def kill_supervisor(self) -> None:
        """kill -9 of `up` itself; what it started lives on."""
        assert self._process is not None
        self._process.kill()
        await self._process.wait()

    def kill(self, name: str) -> int:
        """kill -9 of one process by the pid that was noted for it."""
        pid: int = self._read(f"run/{name}.json")["pid"]
        os.kill(pid, signal.SIGKILL)
        return pid

    async def killed_is_back(self, name: str, pid: int) -> None:
        """The supervisor has started it again."""

        async def is_back() -> bool:
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                return bool(self._read(f"run/{name}.json")["pid"] != pid)
            return False

        await until(is_back, f"{name} again")

    @property
    def bootstrap(self) -> str:
        """Where Kafka is."""
        return f"127.0.0.1:{self._read('box.json')['kafka_port']}"

    @property
    def url(self) -> str:
        """Where the API is."""
        return f"http://127.0.0.1:{self._read('box.json')['api_port']}"

    def client(self) -> httpx.AsyncClient:
        """An HTTP client that carries the key."""
        return httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {self.key}"}, timeout=15)

    async def connect(self, service: str) -> asyncpg.Connection:
        """A connection that sees what the service sees."""
        box = self._read("box.json")
        return await asyncpg.connect(
            host="127.0.0.1",
            port=box["postgres_port"],
            user="bellwether",
            password=box["password"],
            database="bellwether",
            server_settings={"search_path": f"{service}, access"},
        )

    def _read(self, name: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = msgspec.json.decode((self.data / name).read_bytes())
        return found


@contextlib.asynccontextmanager
async def installed(data: Path) -> AsyncIterator[Installation]:
    """An installation that is up; stopped afterwards whatever happened to it."""
    installation = Installation(data)
    await installation.up()
    try:
        yield installation
    finally:
        if installation._process is None or installation._process.returncode is not None:
            await installation.up()
        await installation.down()
