"""kill -9 after each step of a batch: everything is forwarded at least once, and set aside exactly once."""

import asyncio
import signal
import sys

import pytest

from tests.integration.ingest.composed import shared_of, working
from tests.integration.ingest.deployment import Deployment, event
from tests.integration.ingest.dying import BATCH, Step
from tests.integration.ingest.logs import has_committed
from tests.pair import ROOT, World
from tests.processes import until

pytestmark = pytest.mark.slow

BATCHES = 4
DIES_AT = 2
SECONDS_MAX = 60.0  # Kafka keeps a dead member's partitions for 10 s

# How often an event may be in health.events after one death. What was acknowledged and not committed is there twice.
COPIES = {
    Step.READ: {1},
    Step.JUDGED: {1},
    Step.SET_ASIDE: {1},
    Step.HANDED_OVER: {1, 2},
    Step.ACKNOWLEDGED: {1, 2},
    Step.COMMITTED: {1},
}


@pytest.mark.parametrize("step", Step)
async def test_a_worker_killed_after_a_step_loses_nothing_and_sets_aside_once(world: World, step: Step) -> None:
    deployment = Deployment(world, "", "")
    records = [event(subject=f"a{n % 7}") if n % 5 else event(time=None) for n in range(BATCHES * BATCH)]
    good = [one["id"] for one in records if "time" in one]
    bad = sorted(one["id"] for one in records if "time" not in one)
    await deployment.produce("product.usage", records)
    await dies(world, step)
    async with working(shared_of(world), partitions=world.partitions, records_max=BATCH):
        await until(lambda: has_committed(world, "product.usage", len(records)), "everything committed", SECONDS_MAX)
    copies = {len(found) for found in (await deployment.forwarded(good)).values()}
    assert copies <= COPIES[step]
    assert copies == COPIES[step] or step is Step.HANDED_OVER
    assert sorted(row["event_id"] for row in await deployment.rows("SELECT event_id FROM aside")) == bad


async def dies(world: World, step: Step) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.integration.ingest.dying", step, str(DIES_AT), cwd=ROOT, env=world.env()
    )
    try:
        assert await asyncio.wait_for(process.wait(), SECONDS_MAX) == -signal.SIGKILL
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
