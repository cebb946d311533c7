"""Worker processes under fire: killed and started again at once. Whoever ends in any other way is a finding."""

import asyncio
import contextlib
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from services.cli.embedded.box import LOOPBACK, free_port
from services.cli.embedded.processes import log_tail
from tests import processes
from tests.pair import ROOT, World

STOP_SECONDS_MAX = 20.0
READY_SECONDS_MAX = 60.0
SAMPLE_SECONDS = 1.0
PROBE_SECONDS_MAX = 5.0  # a check of theirs ends after 2 s
MEBIBYTE = 1_048_576


@dataclass
class Member:
    """One process. `command` is what follows `python -m`; `port` is where it answers /readyz.

    clean_exit: its code after SIGTERM. uvicorn sends itself the same signal again once it has stopped.
    """

    name: str
    command: Sequence[str]
    env: Mapping[str, str]
    port: int
    log: Path
    clean_exit: int = 0
    resident_bytes_max: int = 0
    is_being_killed: bool = False
    _process: Process | None = None

    async def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self.command, cwd=ROOT, env=dict(self.env), stdout=log, stderr=log
            )

    async def end(self, sig: signal.Signals) -> int:
        """Send a signal, wait, and answer with the exit code."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(sig)
        return await asyncio.wait_for(self._process.wait(), STOP_SECONDS_MAX)

    def ended_with(self) -> int | None:
        return None if self._process is None else self._process.returncode

    def look_at_memory(self) -> None:
        if self._process is not None:
            with contextlib.suppress(psutil.Error):
                resident = psutil.Process(self._process.pid).memory_info().rss
                self.resident_bytes_max = max(self.resident_bytes_max, resident)

    async def readiness(self, client: httpx.AsyncClient) -> tuple[int, dict[str, str]]:
        """Status and missing things of /readyz; (0, {}) while nobody answers, or it has not opened everything yet."""
        try:
            answer = await client.get(f"http://{LOOPBACK}:{self.port}/readyz")
        except httpx.TransportError:
            return 0, {}
        said = answer.json()
        return (answer.status_code, said["missing"]) if said["checks"] else (0, {})


@dataclass
class Fleet:
    """Processes of one deployment. Every one of them runs at any time, but between a kill and its start."""

    world: World
    logs: Path
    client: httpx.AsyncClient
    members: dict[str, Member] = field(default_factory=dict)

    async def add(self, name: str, *command: str, env: Mapping[str, str] | None = None, clean_exit: int = 0) -> None:
        """Start `python -m command`. `{port}` in command or environment is where it answers /readyz."""
        port = free_port()
        filled = {key: value.format(port=port) for key, value in (env or {}).items()}
        argv = [part.format(port=port) for part in command]
        member = Member(name, argv, self.world.env(**filled), port, self.logs / f"{name}.log", clean_exit)
        await member.start()
        self.members[name] = member

    async def workers(self, service: str, count: int, module: str = "") -> None:
        """`count` workers of a service: "scoring-0", "scoring-1", ..."""
        for number in range(count):
            env = {f"{service.upper()}_PROBE_PORT": "{port}"}
            await self.add(f"{service}-{number}", module or f"services.{service}.main", "worker", env=env)

    async def kill(self, name: str) -> float:
        """kill -9 and start again at once; when it was dead, on the monotonic clock."""
        member = self.members[name]
        self.check()
        member.is_being_killed = True
        code = await member.end(signal.SIGKILL)
        dead_at = time.monotonic()
        assert code == -signal.SIGKILL, _last_words(member)
        await member.start()
        member.is_being_killed = False
        return dead_at

    def check(self) -> None:
        """Nobody has ended whom we did not end."""
        alive = [member for member in self.members.values() if not member.is_being_killed]
        ended = [member for member in alive if member.ended_with() is not None]
        assert not ended, "\n".join(map(_last_words, ended))

    async def until(
        self, is_so: Callable[[], Awaitable[bool]], what: str, seconds_max: float = processes.SECONDS_MAX
    ) -> None:
        """Wait for a condition, and give up at once if a process has ended by itself."""

        async def checked() -> bool:
            self.check()
            return await is_so()

        await processes.until(checked, what, seconds_max)

    async def readiness(self) -> dict[str, tuple[int, dict[str, str]]]:
        """What each process says of itself."""
        said = await asyncio.gather(*(member.readiness(self.client) for member in self.members.values()))
        return dict(zip(self.members, said, strict=True))

    async def all_ready(self) -> None:
        async def are_ready() -> bool:
            return all(status == httpx.codes.OK for status, _ in (await self.readiness()).values())

        await self.until(are_ready, "every process says that it is ready", READY_SECONDS_MAX)

    async def stop(self) -> None:
        """SIGTERM to all. Each must stop by itself, cleanly and in time."""
        self.check()
        await asyncio.gather(*(member.end(signal.SIGTERM) for member in self.members.values()))
        unclean = [member for member in self.members.values() if member.ended_with() != member.clean_exit]
        assert not unclean, "\n".join(map(_last_words, unclean))
        self.members.clear()

    async def watch_memory(self) -> None:
        """Until cancelled."""
        while True:
            for member in self.members.values():
                member.look_at_memory()
            await asyncio.sleep(SAMPLE_SECONDS)


@contextlib.asynccontextmanager
async def fleet_of(world: World, logs: Path) -> AsyncIterator[Fleet]:
    """An empty fleet; whoever is left of it afterwards is killed."""
    async with httpx.AsyncClient(timeout=PROBE_SECONDS_MAX, verify=False) as client:  # noqa: S501 - plain HTTP
        fleet = Fleet(world, logs, client)
        watching = asyncio.create_task(fleet.watch_memory())
        try:
            yield fleet
        finally:
            watching.cancel()
            for member in fleet.members.values():
                await member.end(signal.SIGKILL)


def _last_words(member: Member) -> str:
    return f"{member.name} ended with {member.ended_with()}:\n{log_tail(member.log)}"
