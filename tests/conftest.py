"""Fixtures for tests on real servers. The servers start with the first test that asks for them."""

import itertools
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from services.cli.embedded.pair import Addresses
from tests.pair import World, empty_world, new_world, running_pair

_numbers = itertools.count(1)

# As in production; structlog's own default draws every local variable of every frame, which takes seconds.
structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()])


@pytest.fixture(scope="session")
def pair() -> Iterator[Addresses]:
    """A real Kafka and a real Postgres, shared by all tests of the session."""
    with running_pair() as addresses:
        yield addresses


@pytest.fixture
def prefix() -> str:
    """A prefix that no other test of the session has: "t7_"."""
    return f"t{next(_numbers)}_"


@pytest.fixture
async def bare_world(pair: Addresses, prefix: str) -> AsyncIterator[World]:
    """A deployment of this test's own of which nothing has been made: no schema, no topic."""
    async with empty_world(pair, prefix) as made:
        yield made


@pytest.fixture
async def world(pair: Addresses, prefix: str) -> AsyncIterator[World]:
    """A deployment of this test's own: empty schemas, topics of 4 partitions."""
    async with new_world(pair, prefix) as made:
        yield made
