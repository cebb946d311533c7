"""A wire to a server that can be spoilt: slow, reset, silent, refusing, or cut when the answer to a COMMIT is due."""

import asyncio
import contextlib
import re
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from random import Random

from services.cli.embedded.box import LOOPBACK, free_port

PIECE_BYTES = 65_536
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time to linger: RST instead of FIN
# PostgreSQL's simple query, or a statement being parsed: type, length, name of the statement, text.
_COMMIT = re.compile(rb"(Q....|P....[^\x00]*\x00)COMMIT;?\x00", re.DOTALL)


@dataclass(eq=False)
class _Link:
    """One client's connection and the one that the proxy has to the server for it."""

    near: asyncio.StreamWriter
    far: asyncio.StreamWriter | None = None
    is_silent: bool = False
    answer_is_cut: bool = False

    def reset(self) -> None:
        for writer in (self.near, self.far):
            if writer is not None:
                _reset(writer)


@dataclass(kw_only=True)
class Proxy:
    """Listens on `port` for the server at `server_port`, on loopback both.

    `is_kafka`: a broker names its own address in its answers; clients read the proxy's there instead.
    `delay_seconds`: how late each of the server's answers is, between two bounds.
    `commits_to_cut`: how many more COMMITs get no answer; of three, by chance, one is not cut, one never gets through.
    """

    server_port: int
    seed: int
    is_kafka: bool = False
    port: int = field(default_factory=free_port)
    delay_seconds: tuple[float, float] = (0.0, 0.0)
    commits_to_cut: int = 0

    def __post_init__(self) -> None:
        self._random = Random(self.seed)
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._is_silent = False

    async def accept(self) -> None:
        """Take connections, at first and after `refuse`."""
        self._server = await asyncio.start_server(self._connected, LOOPBACK, self.port)

    async def refuse(self) -> None:
        """As a server that is not there: connections are reset, new ones refused."""
        if self._server is not None:
            self._server.close()
            self.reset()
            await asyncio.gather(*self._tasks)
            await self._server.wait_closed()
            self._server = None

    def reset(self) -> None:
        """End every connection with RST."""
        for link in tuple(self._links):
            link.reset()

    def silence(self) -> None:
        """From now on nothing passes either way, no connection ends, and new ones get no answer."""
        self._is_silent = True
        for link in self._links:
            link.is_silent = True

    def speak(self) -> None:
        """New connections work again. Those that were silent stay so for ever: nothing of the past is delivered."""
        self._is_silent = False

    def _connected(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(near_reader, near))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, near_reader: asyncio.StreamReader, near: asyncio.StreamWriter) -> None:
        link = _Link(near, is_silent=self._is_silent)
        self._links.add(link)
        try:
            if link.is_silent:
                await self._forth(link, near_reader)
            else:
                far_reader, link.far = await asyncio.open_connection(LOOPBACK, self.server_port)
                await asyncio.gather(self._forth(link, near_reader), self._back(link, far_reader))
        except OSError:
            pass  # the server refuses: so do we
        finally:
            link.reset()
            self._links.discard(link)

    async def _forth(self, link: _Link, reader: asyncio.StreamReader) -> None:
        async for piece in _pieces(reader):
            if link.is_silent or link.far is None:
                continue
            if self.commits_to_cut and _COMMIT.search(piece):
                fate = self._random.choice(("passes", "gets no answer", "is lost"))
                self.commits_to_cut -= fate != "passes"
                if fate == "is lost":
                    break
                link.answer_is_cut = fate == "gets no answer"
            await _write(link.far, piece)
        _end(link, link.near)

    async def _back(self, link: _Link, reader: asyncio.StreamReader) -> None:
        advertised, ours = (LOOPBACK.encode() + struct.pack(">i", port) for port in (self.server_port, self.port))
        async for piece in _messages(reader) if self.is_kafka else _pieces(reader):
            if link.answer_is_cut:
                break
            if link.is_silent:
                continue
            await asyncio.sleep(self._random.uniform(*self.delay_seconds))
            if not link.is_silent:
                await _write(link.near, piece.replace(advertised, ours) if self.is_kafka else piece)
        _end(link, link.far)


def _end(link: _Link, ended: asyncio.StreamWriter | None) -> None:
    """One end has gone; behind a silent wire the other does not hear of it."""
    if not link.is_silent:
        link.reset()
    elif ended is not None:
        _reset(ended)


def _reset(writer: asyncio.StreamWriter) -> None:
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        writer.transport.abort()


async def _write(writer: asyncio.StreamWriter, piece: bytes) -> None:
    with contextlib.suppress(OSError):  # its reader sees the same end
        writer.write(piece)
        await writer.drain()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    with contextlib.suppress(OSError):
        while piece := await reader.read(PIECE_BYTES):
            yield piece


async def _messages(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """Kafka's answers one by one: an address is never torn between two pieces, and its length stays what it was."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while True:
            length = await reader.readexactly(4)
            yield length + await reader.readexactly(int.from_bytes(length))


@contextlib.asynccontextmanager
async def proxy_to(server_port: int, seed: int, *, is_kafka: bool = False) -> AsyncIterator[Proxy]:
    """A proxy that works until it is told otherwise."""
    proxy = Proxy(server_port=server_port, seed=seed, is_kafka=is_kafka)
    await proxy.accept()
    try:
        yield proxy
    finally:
        await proxy.refuse()
