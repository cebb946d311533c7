"""`bellwether up` as a user runs it: a first screen, kill -9 of anything, `status`, `down`, and Ctrl-C."""

import contextlib
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import httpx
import psutil
import pytest
import typer

from services.cli.embedded import running
from services.cli.embedded.folder import Folder
from services.cli.up import down, status
from tests.pair import ROOT, World

STOP_SECONDS = 10.0
BACK_SECONDS = 40.0
LOOK_AGAIN_SECONDS = 0.2
SERVERS = ("kafka", "postgres")
SERVICES = ("ingest", "scoring", "alerts", "api")
LAST_LINE = "no authentication"
ANY_PORTS = ("--port", "0", "--kafka-port", "0", "--postgres-port", "0")


class Terminal:
    """A terminal in which `bellwether up` runs; `screen` is what it has shown until now."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.screen = ""

    def read_until(self, words: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.screen += line
            if words in line:
                return
        raise AssertionError(f"it ended without saying {words!r}:\n{self.screen}")

    @property
    def api(self) -> str:
        return self._shown(r"http://127\.0\.0\.1:\d+")

    @property
    def key(self) -> str:
        return self._shown(r"bw_\w+")

    def _shown(self, pattern: str) -> str:
        found = re.search(pattern, self.screen)
        assert found is not None, self.screen
        return found[0]


@contextlib.contextmanager
def terminal(data: Path, until: str = LAST_LINE, env: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """`bellwether up` on this folder; whatever the test does, nothing stays."""
    command = [sys.executable, "-m", "services.cli", "up", "--data", str(data), *ANY_PORTS]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT, env=env
    ) as process:
        shown = Terminal(process)
        try:
            shown.read_until(until)
            yield shown
        finally:
            process.kill()
            process.wait()
            if (folder := running.existing(data)) is not None:
                running.end(folder)


def pids(data: Path) -> dict[str, int | None]:
    return {row.name: row.pid for row in running.seen(Folder(data))}


def eventually(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not within {BACK_SECONDS} s: {what}"
        time.sleep(LOOK_AGAIN_SECONDS)


def is_ready(api: str) -> bool:
    try:
        return httpx.get(f"{api}/readyz").is_success
    except httpx.HTTPError:
        return False


def listed(terminal: Terminal, key: str) -> int:
    return httpx.get(f"{terminal.api}/v1/accounts", headers={"Authorization": f"Bearer {key}"}).status_code


def _all_new(now: Mapping[str, int | None], before: Mapping[str, int | None], *names: str) -> bool:
    return all(now[name] not in {None, before[name]} for name in names)


def services_now(data: Path) -> set[int | None]:
    found = pids(data)
    return {found[name] for name in SERVICES}


@pytest.mark.timeout(300)
def test_whatever_is_killed_comes_back_and_down_leaves_nothing_running(tmp_path: Path) -> None:
    data = tmp_path / "my data"
    with terminal(data) as first:
        status(data, env=False)  # nothing is missing
        key = first.key
        assert listed(first, key) == 200
        before = pids(data)
        assert None not in before.values()
        for name in ("scoring", "api"):
            psutil.Process(before[name]).kill()
        eventually(lambda: _all_new(pids(data), before, "scoring", "api"), "a new worker and a new API")
        eventually(lambda: is_ready(first.api), "a new API that is ready")

        first.process.kill()  # and nobody with it: all others are orphans now
        with terminal(data) as second:
            after = pids(data)
            assert {after[name] for name in SERVERS} == {before[name] for name in SERVERS}
            assert "bw_" not in second.screen  # a key is shown once
            assert listed(second, key) == 200
            assert "none of the accepted ones is lost" in second.screen

            down(data)
            assert second.process.wait(STOP_SECONDS) == 0
            assert set(pids(data).values()) == {None}
            with pytest.raises(typer.Exit):
                status(data, env=False)


@pytest.mark.timeout(180)
def test_ctrl_c_in_the_middle_of_a_start_stops_everything(tmp_path: Path) -> None:
    with terminal(tmp_path, until="starting Kafka") as started:
        folder = Folder(tmp_path)
        eventually(lambda: folder.record("kafka").exists(), "a Kafka that is starting")
        began = time.monotonic()
        started.process.send_signal(signal.SIGINT)
        assert started.process.wait(STOP_SECONDS) == 0
        assert time.monotonic() - began < STOP_SECONDS
        assert set(pids(tmp_path).values()) == {None}


@pytest.mark.timeout(240)
def test_with_servers_of_ones_own_it_starts_none(tmp_path: Path, bare_world: World) -> None:
    with terminal(tmp_path, until="yours", env=bare_world.env()) as started:
        eventually(lambda: is_ready(started.api), "an API that is ready")
        found = pids(tmp_path)
        assert [found[name] for name in SERVERS] == [None, None]
        assert None not in services_now(tmp_path)
        started.process.send_signal(signal.SIGTERM)
        assert started.process.wait(STOP_SECONDS) == 0
