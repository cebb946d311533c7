"""The supervisor is killed with -9: the next start goes on with what is there, or ends it, and loses nothing."""

import contextlib
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.cli.embedded.folder import open_folder
from services.cli.embedded.pair import Addresses, Pair
from services.cli.embedded.processes import Record, read_record
from tests.integration.embedded.kept import kept, put
from tests.pair import ROOT

SERVERS = ("kafka", "postgres")
SUPERVISE = """
import sys, threading
from pathlib import Path
from services.cli.embedded.pair import Pair
data, *servers = sys.argv[1:]
addresses = Pair(Path(data), durable=False, servers=servers).start()
print(addresses.kafka, addresses.postgres, flush=True)
threading.Event().wait()
"""


@contextlib.contextmanager
def supervised(data: Path, *servers: str) -> Iterator[Addresses]:
    """A pair whose supervisor is a process of its own, killed at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, str(data), *servers], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as supervisor:
        try:
            assert supervisor.stdout is not None
            yield Addresses(*supervisor.stdout.readline().split())
        finally:
            supervisor.kill()


@contextlib.contextmanager
def started(pair: Pair) -> Iterator[Addresses]:
    try:
        yield pair.start()
    finally:
        pair.stop()


def records(data: Path) -> dict[str, Record]:
    found = {name: read_record(open_folder(data).record(name)) for name in SERVERS}
    return {name: record for name, record in found.items() if record is not None}


def alive(processes: dict[str, Record]) -> set[str]:
    return {name for name, process in processes.items() if psutil.pid_exists(process.pid)}


async def test_orphans_are_adopted_and_when_everything_is_killed_what_was_acknowledged_is_found(tmp_path: Path) -> None:
    with supervised(tmp_path, *SERVERS) as addresses:
        await put(addresses, "first")
        first = records(tmp_path)

    with supervised(tmp_path, *SERVERS) as again:
        assert again == addresses
        assert records(tmp_path) == first
        assert alive(first) == set(SERVERS)
        await put(addresses, "second")
    for orphan in first.values():
        psutil.Process(orphan.pid).send_signal(signal.SIGKILL)

    with started(Pair(tmp_path, durable=False)) as once_more:
        assert once_more == addresses
        assert await kept(addresses) == (["first", "second"], ["first", "second"])
        last = records(tmp_path)
        assert alive(last) == set(SERVERS)
        assert alive(first) == set()
    assert alive(last) == set()


@pytest.mark.parametrize(("reason", "durable"), [("lost record", False), ("other settings", True)])
def test_an_orphan_that_cannot_be_trusted_is_ended_and_started_again(
    tmp_path: Path, reason: str, *, durable: bool
) -> None:
    with supervised(tmp_path, "postgres") as addresses:
        orphan = records(tmp_path)
    if reason == "lost record":
        open_folder(tmp_path).record("postgres").unlink()

    with started(Pair(tmp_path, durable=durable, servers=("postgres",))) as again:
        assert again.postgres == addresses.postgres
        assert alive(orphan) == set()
        assert alive(records(tmp_path)) == {"postgres"}


def test_an_adopted_server_is_stopped_like_a_child_and_one_no_longer_wanted_is_ended(tmp_path: Path) -> None:
    with supervised(tmp_path, "postgres"):
        orphan = records(tmp_path)
    with started(Pair(tmp_path, durable=False, servers=("postgres",))):
        assert records(tmp_path) == orphan
    assert alive(orphan) == set()

    with supervised(tmp_path, "postgres"):
        orphan = records(tmp_path)
    with started(Pair(tmp_path, durable=False, servers=())):
        assert alive(orphan) == set()
