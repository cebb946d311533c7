"""The three workers behind two wires that can be spoilt, kept alive as a supervisor keeps them."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import asyncpg
import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from services.cli.embedded.box import LOOPBACK, free_port
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.servers import port_of
from tests.pair import ROOT, World
from tests.processes import until

SERVICES = ("ingest", "scoring", "alerts")
STOP_SECONDS_MAX = 20.0
RESTART_SECONDS = 0.5  # as the embedded supervisor does


@dataclass
class KeptWorker:
    """One worker process, started again whenever it ends.

    `ends` says how each life ended that nobody had asked to: (exit code, last line). `stopped_with` is the exit code
    when it was asked to; a worker that does not stop in time is killed.
    """

    world: World
    service: str
    log: Path
    probe_port: int = field(default_factory=free_port)
    ends: list[tuple[int, str]] = field(default_factory=list)
    stopped_with: int | None = None

    async def live(self) -> None:
        """Until cancelled; then it is asked to stop."""
        env = self.world.env(**{f"{self.service.upper()}_PROBE_PORT": str(self.probe_port)})
        command = [sys.executable, "-m", f"services.{self.service}.main", "worker"]
        while True:
            with self.log.open("ab") as log:
                process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=env, stderr=log)
            try:
                code = await process.wait()
            except asyncio.CancelledError:
                self.stopped_with = await _stopped(process)
                raise
            self.ends.append((code, self.log.read_text().rstrip().rpartition("\n")[2]))
            await asyncio.sleep(RESTART_SECONDS)

    async def missing(self) -> dict[str, str] | None:
        """What /readyz says is missing; None while the process does not serve it, or has not opened everything."""
        try:
            async with httpx.AsyncClient(timeout=5) as client:
                answer = await client.get(f"http://{LOOPBACK}:{self.probe_port}/readyz")
        except httpx.TransportError:
            return None
        said = answer.json()
        assert (answer.status_code == 503) == bool(said["missing"])
        return said["missing"] if said["checks"] else None

    async def is_ready(self) -> bool:
        return await self.missing() == {}


@dataclass
class Deployment:
    """`world` is the direct way to the servers, for the test itself; the workers have the wires."""

    world: World
    kafka: Proxy
    postgres: Proxy
    workers: dict[str, KeptWorker]
    sql: dict[str, asyncpg.Pool]
    producer: AIOKafkaProducer
    reader: AIOKafkaConsumer

    def ends(self) -> list[tuple[str, int, str]]:
        """How workers ended that nobody had asked to."""
        return [(name, *end) for name, worker in self.workers.items() for end in worker.ends]


@contextlib.asynccontextmanager
async def deployed(world: World, seed: int, logs: Path) -> AsyncIterator[Deployment]:
    """All three workers, ready. Their logs stand in `logs`, one file each."""
    async with contextlib.AsyncExitStack() as stack:
        kafka = await stack.enter_async_context(proxy_to(port_of(world.bootstrap), seed, is_kafka=True))
        postgres = await stack.enter_async_context(proxy_to(port_of(world.dsn), seed))
        through = replace(
            world,
            bootstrap=f"{LOOPBACK}:{kafka.port}",
            dsn=world.dsn.replace(f":{postgres.server_port}/", f":{postgres.port}/"),
        )
        workers = {name: KeptWorker(through, name, logs / f"{name}.log") for name in SERVICES}
        sql = {name: await stack.enter_async_context(_pool(world, name)) for name in SERVICES}
        reader = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, enable_auto_commit=False)
        producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all", enable_idempotence=True)
        for client in (reader, producer):
            await client.start()
            stack.push_async_callback(client.stop)
        lives = [asyncio.create_task(worker.live()) for worker in workers.values()]
        stack.push_async_callback(_all_stop, lives, workers)
        for worker in workers.values():
            await until(worker.is_ready, f"{worker.service} is ready")
        yield Deployment(world, kafka, postgres, workers, sql, producer, reader)


def _pool(world: World, service: str) -> asyncpg.Pool:
    """What a connection that sees the service's schema answers, also after the server was away."""
    return asyncpg.create_pool(
        world.dsn, min_size=0, max_size=1, server_settings={"search_path": world.search_path(service)}
    )


async def _all_stop(lives: list[asyncio.Task[None]], workers: dict[str, KeptWorker]) -> None:
    for life in lives:
        life.cancel()
    await asyncio.gather(*lives, return_exceptions=True)
    assert {name: worker.stopped_with for name, worker in workers.items()} == dict.fromkeys(workers, 0)


async def _stopped(process: Process) -> int:
    process.terminate()
    try:
        return await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
    except TimeoutError:
        process.kill()
        return await process.wait()
