"""Importing a module does nothing: no environment read, no thread, no socket, no process, no file, no log handler."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.code import PACKAGES, ROOT, files, module, name

# Alembic executes it with a connection in hand; nobody imports it.
EXECUTED_ONLY = "migrations/env.py"

# What another library does while it is imported is its own affair (one looks whether this machine has IPv6): an act
# counts when our lines come before an import on the way up the stack, a read of the environment when our line reads.
WATCH = """
import importlib, logging, os, sys, threading

roots, seen = tuple(sys.argv[1].split(",")), []

def reads(name):
    frame = sys._getframe(2)
    if frame.f_code.co_filename in (os.__file__, "<frozen os>"):
        frame = frame.f_back
    if frame.f_code.co_filename.startswith(roots):
        seen.append(f"{frame.f_code.co_filename}:{frame.f_lineno} reads {name} from the environment")

def acts(what):
    frame = sys._getframe(2)
    while frame and not frame.f_code.co_filename.startswith("<frozen importlib"):
        if frame.f_code.co_filename.startswith(roots):
            seen.append(f"{frame.f_code.co_filename}:{frame.f_lineno} does {what}")
            return
        frame = frame.f_back

class Watched(dict):
    def __getitem__(self, name):
        reads(name)
        return super().__getitem__(name)
    def __contains__(self, name):
        reads(name)
        return super().__contains__(name)
    def get(self, name, default=None):
        reads(name)
        return super().get(name, default)

ACTS = {"socket.__new__", "socket.connect", "socket.bind", "subprocess.Popen", "os.mkdir", "os.remove", "os.rename"}

def audited(event, args):
    if event in ACTS or (event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")):
        acts(f"{event} {args}")

sys.dont_write_bytecode = True
os.environ = Watched(os.environ)
sys.addaudithook(audited)
for name in sys.argv[2:]:
    before = len(seen)
    importlib.import_module(name)
    for event in seen[before:]:
        print(f"{name}: {event}")
if logging.root.handlers:
    print("a handler was added to the root logger")
for thread in threading.enumerate()[1:]:
    print(f"{thread.name} runs")
"""


def watched(root: Path, packages: tuple[str, ...], modules: list[str]) -> tuple[str, str]:
    """What the watch and the modules themselves say when all are imported in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WATCH, ",".join(f"{root / package}/" for package in packages), *modules],
        env={"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.stdout, done.stderr


def test_importing_everything_does_nothing() -> None:
    modules = [module(path) for path in files(*PACKAGES, suffix=".py") if name(path) != EXECUTED_ONLY]
    assert watched(ROOT, PACKAGES, modules) == ("", "")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import os; os.environ.get('A')", "reads A from the environment"),
        ("import os; os.getenv('A')", "reads A from the environment"),
        ("import socket; socket.socket().close()", "does socket.__new__"),
        ("open(__file__ + '.log', 'w').close()", "does open"),
        ("import logging; logging.basicConfig()", "a handler was added"),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "runs"),
    ],
)
def test_the_watch_sees_what_a_module_does(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "__init__.py").write_text(line)
    assert said in watched(tmp_path, ("busy",), ["busy"])[0]
