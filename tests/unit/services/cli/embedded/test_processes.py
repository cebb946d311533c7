"""The pid protocol on real processes: what has no marker is never ours, whatever a record says."""

import signal
import sys
from pathlib import Path

import psutil
import pytest

from services.cli.embedded.folder import Folder, open_folder
from services.cli.embedded.processes import Program, Record, Running, end_orphans, find, marker, recorded, spawn

BOX = "0123456789ab"
WAIT = "import sys; sys.stdin = None; __import__('threading').Event().wait()"
END_SECONDS = 5.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return open_folder(tmp_path)


def started(folder: Folder, name: str, code: str = WAIT) -> Running:
    argv = [sys.executable, "-X", marker(BOX, name), "-c", code]
    return spawn(Program(argv=argv, env={}, cwd=folder.root, log=folder.log(name)), folder.record(name))


def test_a_process_is_found_by_its_marker_and_ended_with_its_record(folder: Folder) -> None:
    running = started(folder, "found")
    assert [process.pid for process in find(BOX, "found")] == [running.pid]
    assert end_orphans(folder, BOX, "found", signal.SIGTERM, END_SECONDS) == 1
    assert running.wait(END_SECONDS)
    assert not folder.record("found").exists()


def test_another_box_and_another_name_are_left_alone(folder: Folder) -> None:
    running = started(folder, "mine")
    try:
        assert find(BOX, "other") == []
        assert find("ba9876543210", "mine") == []
        assert end_orphans(folder, BOX, "other", signal.SIGKILL, END_SECONDS) == 0
        assert psutil.pid_exists(running.pid)
    finally:
        running.end(signal.SIGKILL, END_SECONDS)


def test_a_record_of_a_pid_that_somebody_else_has_now_matches_nothing(folder: Folder) -> None:
    running = started(folder, "reused")
    try:
        found = find(BOX, "reused")
        since = psutil.Process(running.pid).create_time()
        assert recorded(found, Record(running.pid, since, "")) is not None
        assert recorded(found, Record(running.pid, since - 60, "")) is None
        assert recorded([], Record(running.pid, since, "")) is None
    finally:
        running.end(signal.SIGKILL, END_SECONDS)


def test_a_process_that_does_not_hear_is_killed_when_its_time_is_over(folder: Folder) -> None:
    deaf = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {WAIT}"
    running = started(folder, "deaf", deaf)
    while b"deaf" not in folder.log("deaf").read_bytes():
        assert not running.wait(0.02)
    running.end(signal.SIGTERM, 0.2)
    assert running.exit == "was ended by SIGKILL"


def test_what_decides_a_programs_behaviour_is_in_its_hash(folder: Folder) -> None:
    def conf(argv: tuple[str, ...] = ("a",), settings: str = "", value: str = "1") -> str:
        return Program(argv, {"X": value}, folder.root, folder.log("a"), settings).conf

    assert conf() == conf()
    assert len({conf(), conf(("a", "b")), conf(settings="s"), conf(value="2")}) == 4
