"""Kafka's jars: fetched once against a committed lock of sha256 sums, checked at every start.

jgo is used to download, never to resolve: resolution happened when the lock was made, and the sums pin its result.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from jgo.maven import MavenContext

from services.cli.embedded.folder import CannotStart

ROOT = Path(__file__).resolve().parents[3]
LOCK = ROOT / "deploy" / "kafka-jars.lock"
TIMEOUT_SECONDS = 30  # of one answer; the largest jar is 9 MB
DOWNLOADS_AT_ONCE = 8
ATTEMPTS = 2  # a torn file is fetched again once; a second mismatch is somebody else's jar

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Jar:
    """One row of the lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> Path:
        """Where it lies, relative to the cache."""
        return Path(*self.group.split("."), self.artifact, self.version, self.name)

    def is_whole(self, cache: Path) -> bool:
        try:
            content = (cache / self.path).read_bytes()
        except FileNotFoundError:
            return False
        return hashlib.sha256(content).hexdigest() == self.sha256


def read_lock(path: Path = LOCK) -> list[Jar]:
    """The rows `group:artifact:version sha256`."""
    return [_row(line) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _row(line: str) -> Jar:
    coordinates, digest = line.split()
    group, artifact, version = coordinates.split(":")
    return Jar(group, artifact, version, digest)


def default_cache() -> Path:
    """Under the clone, or where BELLWETHER_JARS says."""
    return Path(os.environ.get("BELLWETHER_JARS") or ROOT / ".cache" / "jars")


def mirror() -> dict[str, str] | None:
    """Where jars are fetched from: the mirror of Maven Central that BELLWETHER_MAVEN names, or None for itself."""
    url = os.environ.get("BELLWETHER_MAVEN")
    return {"mirror": url.rstrip("/")} if url else None


def ensure(jars: list[Jar], cache: Path, say: Say) -> None:
    """After this every jar of the lock lies in the cache with the right sum.

    A jar whose sum differs is removed and fetched again. Raises CannotStart naming the jar where that does not help.
    """
    if not _broken(jars, cache):
        return
    with _alone(cache):
        broken = _broken(jars, cache)
        with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
            for number, jar in enumerate(pool.map(lambda jar: _fetch(jar, cache), broken), 1):
                say(f"[{number}/{len(broken)}] {jar.name}")


def _broken(jars: list[Jar], cache: Path) -> list[Jar]:
    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        whole = pool.map(lambda jar: jar.is_whole(cache), jars)
        return [jar for jar, is_whole in zip(jars, whole, strict=True) if not is_whole]


def _fetch(jar: Jar, cache: Path) -> Jar:
    context = MavenContext(repo_cache=cache, remote_repos=mirror(), timeout=TIMEOUT_SECONDS)
    for _ in range(ATTEMPTS):
        (cache / jar.path).unlink(missing_ok=True)
        try:
            context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
        except (RuntimeError, OSError, requests.RequestException) as error:
            raise CannotStart(f"{jar.name} cannot be fetched into {cache}: {error}") from error
        if jar.is_whole(cache):
            return jar
    (cache / jar.path).unlink(missing_ok=True)
    raise CannotStart(f"{jar.name} was fetched {ATTEMPTS} times and its sha256 is not that of deploy/kafka-jars.lock")


@contextmanager
def _alone(cache: Path) -> Iterator[None]:
    """Two starts at once share one download: the second waits, then finds everything there."""
    try:
        cache.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(cache / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise CannotStart(f"the jar cache {cache} cannot be written: {error}; set BELLWETHER_JARS") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
