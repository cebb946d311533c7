"""The compose file, without a container engine: its shape, what it shares with our tables, and its very commands."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import pytest
import yaml

from services.cli.embedded.box import LOOPBACK, free_port
from shared.contracts.topics import PARTITIONS_DEFAULT
from tests.pair import ROOT, World

COMPOSE = ROOT / "docker-compose.yml"
ROLES = ("api", "worker")
PROCESSES = tuple(f"{service}-{role}" for service in ("ingest", "scoring", "alerts") for role in ROLES)
SERVERS = ("kafka", "postgres")
EVERYWHERE = ".".join("0000")  # the address on which a container listens
HEALTHY_SECONDS = 90.0  # six interpreters start at once
STOP_SECONDS = 10.0  # as stop_grace_period
LOOK_AGAIN_SECONDS = 1.0  # each look starts a Python, as the file says


def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
    return found


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def test_the_file_has_the_shape_that_the_compose_specification_asks_for() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout


def test_it_names_both_servers_the_migration_and_six_processes() -> None:
    assert set(services()) == {*SERVERS, "migrate", *PROCESSES}


def test_everything_that_stays_has_a_health_check_and_starts_after_what_it_needs() -> None:
    for name in (*SERVERS, *PROCESSES):
        assert services()[name]["healthcheck"]["test"], name
    for name in PROCESSES:
        assert services()[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert services()["migrate"]["depends_on"] == {name: {"condition": "service_healthy"} for name in SERVERS}


def test_every_port_is_published_on_loopback_and_only_once() -> None:
    published = [port for service in services().values() for port in service.get("ports", [])]
    assert {port.split(":")[0] for port in published} == {LOOPBACK}
    assert len({port.split(":")[1] for port in published}) == len(published) == 5


def test_our_processes_share_one_environment_that_agrees_with_the_topic_table() -> None:
    shared = compose()["x-environment"]
    for name in ("migrate", *PROCESSES):
        own = {k: v for k, v in services()[name]["environment"].items() if k.startswith("BELLWETHER_")}
        assert own == shared, name
    assert shared["BELLWETHER_PARTITIONS"] == str(PARTITIONS_DEFAULT)
    assert services()["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"


def test_no_password_stands_in_the_file() -> None:
    lines = [line for line in COMPOSE.read_text().splitlines() if "PASSWORD" in line and not line.startswith("#")]
    assert len(lines) == 2
    assert all("${BELLWETHER_POSTGRES_PASSWORD:?" in line for line in lines)


def test_the_image_copies_everything_that_its_commands_import() -> None:
    lines = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").splitlines()
    copied = {line.split()[1] for line in lines if line.startswith("COPY ") and "--from" not in line}
    assert copied == {"requirements.txt", "services", "shared", "migrations"}
    ignore = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
    assert any("--require-hashes" in line for line in lines)
    assert "USER 10001" in lines


@pytest.mark.timeout(240)  # a migration of 448 partitions and six processes, on two cores perhaps
async def test_its_very_commands_become_healthy_with_the_very_environment_it_names(bare_world: World) -> None:
    migrate = Container("migrate", bare_world)
    assert await (await migrate.start()).wait() == 0

    async with contextlib.AsyncExitStack() as stack:
        started = [await stack.enter_async_context(running(Container(name, bare_world))) for name in PROCESSES]
        await asyncio.gather(*(healthy(container, process) for container, process in started))


class Container:
    """A service of the file as processes of this machine: only addresses, ports and the deployment's prefix differ."""

    def __init__(self, name: str, world: World) -> None:
        service = services()[name]
        self.name = name
        self._ports = {"8080": str(free_port()), "9100": str(free_port())}
        self._command: Sequence[str] = service["command"]
        self._check: Sequence[str] = service.get("healthcheck", {"test": []})["test"]
        here = {
            "BELLWETHER_KAFKA": world.bootstrap,
            "BELLWETHER_POSTGRES": world.dsn,
            "BELLWETHER_PREFIX": world.prefix,
        }
        probe = {k: self._ports[v] for k, v in service["environment"].items() if k.endswith("_PROBE_PORT")}
        self._environment: Mapping[str, str] = {"PATH": os.defpath, **service["environment"], **here, **probe}

    async def start(self) -> asyncio.subprocess.Process:
        return await self._run(self._command)

    async def is_healthy(self) -> bool:
        """Run the file's own health check."""
        assert self._check[0] == "CMD"
        return await (await self._run(self._check[1:], quiet=True)).wait() == 0

    async def _run(self, command: Sequence[str], *, quiet: bool = False) -> asyncio.subprocess.Process:
        program, *arguments = (self._here(word) for word in command)
        output = asyncio.subprocess.DEVNULL if quiet else None
        return await asyncio.create_subprocess_exec(program, *arguments, env=self._environment, cwd=ROOT, stderr=output)

    def _here(self, word: str) -> str:
        if word == "python":
            return sys.executable
        for inside, outside in {**self._ports, EVERYWHERE: LOOPBACK}.items():
            word = word.replace(inside, outside)
        return word


@contextlib.asynccontextmanager
async def running(container: Container) -> AsyncIterator[tuple[Container, asyncio.subprocess.Process]]:
    """Started, and afterwards ended as an engine ends it: it must go within the grace period."""
    process = await container.start()
    try:
        yield container, process
    finally:
        if process.returncode is None:
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
            raise


async def healthy(container: Container, process: asyncio.subprocess.Process) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while not await container.is_healthy():
        assert process.returncode is None, f"{container.name} exited with {process.returncode}"
        assert time.monotonic() < deadline, f"{container.name} was not healthy after {HEALTHY_SECONDS} s"
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
