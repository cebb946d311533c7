"""The session's two servers as processes: killed, stopped, frozen. The pair's supervisor starts them again."""

import contextlib
import signal
from collections.abc import Iterator
from urllib.parse import urlsplit

import asyncpg
import psutil

from services.cli.embedded.box import LOOPBACK
from services.cli.embedded.kafka import answers
from tests.pair import World
from tests.processes import until

BACK_SECONDS_MAX = 60.0


def port_of(address: str) -> int:
    """Of "host:port" as of "scheme://user:password@host:port/path"."""
    port = urlsplit(address if "//" in address else f"//{address}").port
    assert port
    return port


def process_at(port: int) -> psutil.Process:
    """Who listens there."""
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    (pid,) = {c.pid for c in listening if c.laddr and c.laddr.port == port}
    return psutil.Process(pid)


@contextlib.contextmanager
def frozen(port: int) -> Iterator[None]:
    """The server keeps its connections and does nothing, as on a machine that swaps."""
    server = process_at(port)
    server.suspend()  # first, so that it makes no more children
    stopped = [server, *server.children(recursive=True)]
    for process in stopped[1:]:
        process.suspend()
    try:
        yield
    finally:
        for process in stopped:
            process.resume()


async def ended(port: int, sig: signal.Signals) -> None:
    """Send a signal that ends the server, and wait until it is gone."""
    server = process_at(port)
    server.send_signal(sig)

    async def is_gone() -> bool:
        return not server.is_running() or server.status() == psutil.STATUS_ZOMBIE

    await until(is_gone, f"the server at {port} is gone")


async def kafka_is_back(world: World) -> None:
    async def is_back() -> bool:
        return answers(LOOPBACK, port_of(world.bootstrap))

    await until(is_back, "Kafka is back", BACK_SECONDS_MAX)


async def postgres_is_back(world: World) -> None:
    async def is_back() -> bool:
        with contextlib.suppress(OSError, asyncpg.PostgresError):
            await (await world.connect("scoring")).close()
            return True
        return False

    await until(is_back, "Postgres is back", BACK_SECONDS_MAX)
