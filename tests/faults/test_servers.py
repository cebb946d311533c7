"""Servers that are killed, stopped or frozen under traffic: workers wait or start anew, and each event counts once."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.faults.servers import ended, frozen, kafka_is_back, port_of, postgres_is_back
from tests.faults.siege import endured
from tests.pair import World

pytestmark = pytest.mark.timeout(300)

FROZEN_SECONDS = 20.0  # above every timeout of the workers on Postgres, and above their session with Kafka


async def test_kafka_is_killed_and_stopped_and_starts_again(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        for sig in (signal.SIGKILL, signal.SIGTERM):
            await ended(port_of(deployment.world.bootstrap), sig)
            await kafka_is_back(deployment.world)

    assert await endured(world, seed, tmp_path, fault) == []


async def test_postgres_stops_at_once_and_recovers_from_its_log(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        await ended(port_of(deployment.world.dsn), signal.SIGQUIT)
        await postgres_is_back(deployment.world)

    assert await endured(world, seed, tmp_path, fault) == []


async def test_postgres_hangs_and_goes_on(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        with frozen(port_of(deployment.world.dsn)):
            await asyncio.sleep(FROZEN_SECONDS)

    assert await endured(world, seed, tmp_path, fault) == []


async def test_kafka_hangs_and_goes_on(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        with frozen(port_of(deployment.world.bootstrap)):
            await asyncio.sleep(FROZEN_SECONDS)

    assert await endured(world, seed, tmp_path, fault) == []
