"""Wires to the servers that are slow, reset, silent, cut after COMMIT: each event counts once."""

import asyncio
from pathlib import Path

import pytest

from tests.faults.deployment import Deployment
from tests.faults.proxy import Proxy
from tests.faults.siege import endured
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.timeout(300)

RESETS = 20
RESET_EVERY_SECONDS = 0.3
SILENT_SECONDS = 10.0
SLOW_SECONDS = 6.0
COMMITS_CUT = 12


async def reset_again_and_again(wire: Proxy) -> None:
    for _ in range(RESETS):
        wire.reset()
        await asyncio.sleep(RESET_EVERY_SECONDS)


async def silent(wire: Proxy) -> None:
    wire.silence()
    await asyncio.sleep(SILENT_SECONDS)
    wire.speak()


async def test_a_slow_postgres_delays_and_nothing_else(world: World, seed: int, tmp_path: Path) -> None:
    async def fault(deployment: Deployment) -> None:
        deployment.postgres.delay_seconds = (0.05, 0.2)
        await asyncio.sleep(SLOW_SECONDS)
        deployment.postgres.delay_seconds = (0.0, 0.0)

    assert await endured(world, seed, tmp_path, fault) == []


async def test_connections_to_postgres_are_reset_again_and_again(world: World, seed: int, tmp_path: Path) -> None:
    assert await endured(world, seed, tmp_path, lambda deployment: reset_again_and_again(deployment.postgres)) == []


async def test_commits_whose_outcome_nobody_hears_count_once_or_are_done_again(
    world: World, seed: int, tmp_path: Path
) -> None:
    async def fault(deployment: Deployment) -> None:
        deployment.postgres.commits_to_cut = COMMITS_CUT

        async def all_cut() -> bool:
            return deployment.postgres.commits_to_cut == 0

        await until(all_cut, f"{COMMITS_CUT} commits are cut", 60)

    assert await endured(world, seed, tmp_path, fault) == []


async def test_a_postgres_that_says_nothing_more_is_given_up_and_asked_anew(
    world: World, seed: int, tmp_path: Path
) -> None:
    assert await endured(world, seed, tmp_path, lambda deployment: silent(deployment.postgres)) == []


async def test_connections_to_kafka_are_reset_again_and_again(world: World, seed: int, tmp_path: Path) -> None:
    assert await endured(world, seed, tmp_path, lambda deployment: reset_again_and_again(deployment.kafka)) == []


async def test_a_kafka_that_says_nothing_more_is_asked_anew(world: World, seed: int, tmp_path: Path) -> None:
    assert await endured(world, seed, tmp_path, lambda deployment: silent(deployment.kafka)) == []
