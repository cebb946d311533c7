"""One pair, in a path nobody would choose: stopped servers come back by themselves, nothing acknowledged is lost."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from services.cli.embedded.folder import CannotStart, InUse
from services.cli.embedded.pair import Addresses, Pair
from tests.integration.embedded.kept import answering, kept, put


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A private home, as root's is."""
    path = tmp_path_factory.mktemp("home") / "private"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture(scope="module")
def own(home: Path) -> Iterator[tuple[Pair, Addresses]]:
    """A pair of this module's own, under spaces, a colon, a percent sign and letters beyond ASCII."""
    pair = Pair(home / "my dätä: 100%", durable=False)
    addresses = pair.start()
    yield pair, addresses
    pair.stop()


async def test_servers_that_are_killed_come_back_with_everything_they_acknowledged(
    own: tuple[Pair, Addresses],
) -> None:
    pair, addresses = own
    await put(addresses, "before")
    before = await kept(addresses)
    killed = {}
    for name in ("kafka", "postgres"):
        running = pair.supervisor.running(name)
        assert running is not None
        killed[name] = running.pid
        running.send(signal.SIGKILL)

    await answering(addresses)
    assert await kept(addresses) == before
    for name, pid in killed.items():
        running = pair.supervisor.running(name)
        assert running is not None
        assert running.pid != pid


def test_a_second_start_in_the_same_folder_is_refused_naming_who_has_it(own: tuple[Pair, Addresses]) -> None:
    pair, _ = own
    with pytest.raises(InUse, match=f"in use by process {os.getpid()} "):
        Pair(pair.data).start()


@pytest.mark.usefixtures("own")
def test_no_folder_around_the_data_changes_its_mode(home: Path) -> None:
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert home.owner() == psutil.Process().username()


def test_postgres_never_runs_as_root_and_kafka_runs_as_its_starter(own: tuple[Pair, Addresses]) -> None:
    pair, _ = own
    users = {}
    for name in ("kafka", "postgres"):
        running = pair.supervisor.running(name)
        assert running is not None
        users[name] = psutil.Process(running.pid).uids().real
    assert users["postgres"] != 0
    assert users["kafka"] == os.getuid()


def test_nobody_else_may_read_what_the_pair_writes(own: tuple[Pair, Addresses]) -> None:
    pair, _ = own
    readable = [path for path in pair.data.rglob("*") if stat.S_IMODE(path.lstat().st_mode) & 0o077]
    assert readable == []


@pytest.mark.parametrize("name", ["a,b", "a\\b"])
def test_a_path_that_kafka_would_misread_is_refused_before_anything_is_made(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotStart, match="which Kafka cannot take"):
        Pair(tmp_path / name).start()
    assert list(tmp_path.iterdir()) == []
