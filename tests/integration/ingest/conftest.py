"""One deployment for all tests of ingest that need no faults: each uses ids, accounts and aliases of its own."""

import asyncio
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
        made = new_world(pair, "ingest_")
        world = runner.run(made.__aenter__())
        served = serving(world)
        try:
            with running(world, "worker", INGEST_RELEASE_EVERY_SECONDS="0.5"):
                yield runner.run(served.__aenter__())
        finally:
            runner.run(served.__aexit__(None, None, None))
            runner.run(made.__aexit__(None, None, None))


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
