"""Ingest as it runs: its API and its worker as processes of their own, on the session's servers."""

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import msgspec
from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import HealthEvent, decode
from shared.contracts.routes import Scope
from shared.http.auth import create_key
from shared.kafka.clients import producer
from tests.pair import ROOT, World
from tests.processes import until
from tests.reading import everything

SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 10.0


def event(**changes: Any) -> dict[str, Any]:
    """A usage event of a minute ago with an id of its own; a change to None leaves the attribute out."""
    whole = {
        "specversion": "1.0",
        "id": uuid4().hex,
        "source": "//app.example/api",
        "type": "usage.feature_used",
        "subject": "acme",
        "time": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "data": {"feature": "report_export", "quantity": 1},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def link(alias: str, account: str, **changes: Any) -> dict[str, Any]:
    """`alias` is `account`, said a minute ago."""
    source, _, external_id = alias.partition(":")
    data = {"kind": "account", "source": source, "external_id": external_id, "id": account}
    return event(type="identity.linked", subject=account, data=data, **changes)


@dataclass(frozen=True, slots=True)
class Deployment:
    """A world with ingest in it. `url` is None without an API."""

    world: World
    url: str
    key: str

    @contextlib.asynccontextmanager
    async def client(self, key: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """Speaks to the API with all scopes, or with `key`."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=SECONDS_MAX) as client:
            yield client

    async def new_key(self, *scopes: Scope, expires_at: datetime | None = None) -> str:
        connection = await self.world.connect("ingest")
        try:
            return await create_key(connection, "a-test", scopes, expires_at)
        finally:
            await connection.close()

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """What ingest's schema holds."""
        connection = await self.world.connect("ingest")
        try:
            found: list[Any] = await connection.fetch(query, *arguments)
            return found
        finally:
            await connection.close()

    async def produce(self, topic: str, values: Sequence[Any], headers: Sequence[tuple[str, bytes]] = ()) -> list[str]:
        """Put records on a raw topic, objects as JSON, bytes and None as they are; their "topic/partition/offset"."""
        async with producing(self.world) as to:
            name = self.world.topic(topic)
            sent = [await to.send(name, _bytes(value), b"any key", headers=headers) for value in values]
            return [f"{topic}/{done.partition}/{done.offset}" for done in await asyncio.gather(*sent)]

    async def forwarded(self, ids: Collection[str]) -> dict[str, list[HealthEvent]]:
        """What health.events has of these ids now, in the order of each partition."""
        found: dict[str, list[HealthEvent]] = {event_id: [] for event_id in ids}
        async for record in everything(self.world.bootstrap, self.world.topic("health.events")):
            value = decode(record.value)
            if value.id in found:
                found[value.id].append(value)
        return found

    async def until_forwarded(self, ids: Collection[str]) -> dict[str, list[HealthEvent]]:
        """The same, once every id is there."""

        async def all_there() -> bool:
            return all((await self.forwarded(ids)).values())

        await until(all_there, f"{len(ids)} events in health.events")
        return await self.forwarded(ids)

    async def aside_at(self, coordinates: Collection[str]) -> dict[str, Any]:
        """The rows of records at "topic/partition/offset", once all are there."""
        query = "SELECT * FROM aside WHERE topic || '/' || partition || '/' || record_offset = ANY($1::text[])"

        async def all_there() -> bool:
            return len(await self.rows(query, list(coordinates))) == len(coordinates)

        await until(all_there, f"{len(coordinates)} rows aside")
        rows = await self.rows(query, list(coordinates))
        return {f"{row['topic']}/{row['partition']}/{row['record_offset']}": row for row in rows}


def _bytes(value: Any) -> bytes | None:
    return value if value is None or isinstance(value, bytes) else msgspec.json.encode(value)


@contextlib.asynccontextmanager
async def producing(world: World) -> AsyncIterator[AIOKafkaProducer]:
    to = producer(world.bootstrap)
    await to.start()
    try:
        yield to
    finally:
        await to.stop()


@contextlib.asynccontextmanager
async def running(world: World, role: str, *arguments: str, **env: str) -> AsyncIterator[subprocess.Popen[bytes]]:
    """One process of ingest, ended with SIGTERM; it must end by itself."""
    command = [sys.executable, "-m", "services.ingest.main", role, *arguments]
    process = subprocess.Popen(command, env=world.env(**env), cwd=ROOT)  # noqa: ASYNC220  one fork, in a test
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, STOP_SECONDS_MAX)


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def serving(world: World, **env: str) -> AsyncIterator[Deployment]:
    """An API process in `world`, ready, with a key of all scopes."""
    port = free_port()
    async with running(world, "api", "--port", str(port), **env):
        connection = await world.connect("ingest")
        key = await create_key(connection, "backend")
        await connection.close()
        served = Deployment(world, f"http://127.0.0.1:{port}", key)
        await until(lambda: _is_ready(served), "the API is ready")
        yield served


async def _is_ready(served: Deployment) -> bool:
    try:
        async with served.client() as client:
            return (await client.get("/readyz")).is_success
    except httpx.TransportError:
        return False
