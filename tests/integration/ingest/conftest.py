"""One deployment for all tests of ingest that need no faults: each uses ids, accounts and aliases of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import httpx
import pytest

from services.cli.embedded.pair import Addresses
from tests.integration.ingest.deployment import Deployment, running, serving
from tests.pair import new_world


@pytest.fixture(scope="session")
def deployment(pair: Addresses) -> Iterator[Deployment]:
    """API and worker, up for the whole session."""
    with asyncio.Runner() as runner:
        made = _deployed(pair)
        yield runner.run(made.__aenter__())
        runner.run(made.__aexit__(None, None, None))


@contextlib.asynccontextmanager
async def _deployed(pair: Addresses) -> AsyncIterator[Deployment]:
    async with (
        new_world(pair, "ingest_") as world,
        running(world, "worker", INGEST_RELEASE_EVERY_SECONDS="0.5"),
        serving(world) as served,
    ):
        yield served


@pytest.fixture
async def client(deployment: Deployment) -> AsyncIterator[httpx.AsyncClient]:
    async with deployment.client() as client:
        yield client


@pytest.fixture
def account() -> str:
    """An account that no other test has."""
    return f"account-{uuid4().hex[:12]}"


@pytest.fixture
def alias() -> str:
    """An alias that nobody has bound."""
    return f"stripe:cus_{uuid4().hex[:12]}"
