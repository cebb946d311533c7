"""The data folder of an embedded pair: what lies where, and how a small file survives a crash whole."""

import os
from dataclasses import dataclass
from pathlib import Path

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


class CannotStart(Exception):
    """The pair cannot start here; the message tells the person at the terminal why, and what to do."""


class InUse(CannotStart):
    """Another process runs the servers of this data folder."""


@dataclass(frozen=True, slots=True)
class Folder:
    """Paths under one data folder. Only what lies inside is ever created, chowned or removed."""

    root: Path

    @property
    def run(self) -> Path:
        return self.root / "run"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def conf(self) -> Path:
        return self.root / "conf"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def pg(self) -> Path:
        return self.root / "pg"

    @property
    def kafka(self) -> Path:
        return self.root / "kafka"

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def record(self, name: str) -> Path:
        """The pid record of one process."""
        return self.run / f"{name}.json"

    def marker(self, step: str) -> Path:
        """Present while `step` (initdb, format) is under way: found at a start, its half-made result is thrown away."""
        return self.run / f"{step}.unfinished"


def open_folder(path: Path) -> Folder:
    """Create what is missing under `path`, readable by its owner alone; existing folders keep their mode.

    Raises CannotStart for a comma or a backslash (Kafka's `log.dirs` is a list in a properties file) and where the
    folder cannot be made.
    """
    root = path.resolve()
    for character, its_name in ((",", "a comma"), ("\\", "a backslash"), ("\n", "a line break")):
        if character in str(root):
            raise CannotStart(
                f"the data folder {root} has {its_name} in its path, which Kafka cannot take: choose another"
            )
    folder = Folder(root)
    try:
        root.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        for inside in (folder.run, folder.logs, folder.conf, folder.tmp):
            inside.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    except OSError as error:
        raise CannotStart(f"the data folder {root} cannot be made: {error}") from error
    return folder


def write_durably(path: Path, content: bytes) -> None:
    """After this, or a crash in it, `path` holds the old content or the new one, never a part."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
