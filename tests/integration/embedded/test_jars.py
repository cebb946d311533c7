"""Jars against their lock: a torn one is fetched again, a foreign one is refused by name."""

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.cli.embedded import jars
from services.cli.embedded.folder import CannotStart
from services.cli.embedded.jars import Jar

CONTENT = b"a jar of our own making"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Tests have nothing to say about each request."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror of Maven Central on loopback; the folder it serves."""
    served = tmp_path / "mirror"
    (served / JAR.path).parent.mkdir(parents=True)
    (served / JAR.path).write_bytes(CONTENT)
    handler = functools.partial(Quiet, directory=str(served))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        monkeypatch.setenv("BELLWETHER_MAVEN", f"http://127.0.0.1:{server.server_port}/")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield served
        server.shutdown()
        thread.join()


def test_missing_jars_are_fetched_once_with_progress(mirror: Path, tmp_path: Path) -> None:
    said: list[str] = []
    cache = tmp_path / "cache"
    jars.ensure([JAR], cache, said.append)
    (mirror / JAR.path).unlink()
    jars.ensure([JAR], cache, said.append)
    assert said == ["[1/1] thing-1.0.jar"]
    assert (cache / JAR.path).read_bytes() == CONTENT


@pytest.mark.usefixtures("mirror")
def test_a_jar_torn_by_a_kill_is_fetched_again(tmp_path: Path) -> None:
    torn = tmp_path / "cache" / JAR.path
    torn.parent.mkdir(parents=True)
    torn.write_bytes(CONTENT[:5])
    jars.ensure([JAR], tmp_path / "cache", lambda _: None)
    assert torn.read_bytes() == CONTENT


def test_a_jar_that_stays_wrong_is_refused_by_name_and_not_kept(mirror: Path, tmp_path: Path) -> None:
    (mirror / JAR.path).write_bytes(b"something else")
    with pytest.raises(CannotStart, match=r"thing-1\.0\.jar was fetched 2 times and its sha256 is not"):
        jars.ensure([JAR], tmp_path / "cache", lambda _: None)
    assert not (tmp_path / "cache" / JAR.path).exists()


def test_a_jar_that_is_nowhere_is_named(mirror: Path, tmp_path: Path) -> None:
    (mirror / JAR.path).unlink()
    with pytest.raises(CannotStart, match=r"thing-1\.0\.jar cannot be fetched"):
        jars.ensure([JAR], tmp_path / "cache", lambda _: None)


def test_the_lock_holds_kafka_and_its_log_binding_each_row_once() -> None:
    lock = jars.read_lock()
    names = {(jar.group, jar.artifact) for jar in lock}
    assert len(names) == len(lock) == 46
    assert ("org.apache.kafka", "kafka_2.13") in names
    assert ("org.apache.logging.log4j", "log4j-slf4j-impl") in names
    assert {len(jar.sha256) for jar in lock} == {64}
