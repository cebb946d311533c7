"""A source of which everything is bad: it delays nobody for long, fills nothing, and each of its records is counted."""

import json
import time
from typing import Any

import pytest

from services.ingest.domain.quarantine import KEPT_ONE_IN, REFUSED_MAX
from tests.integration.ingest.composed import shared_of, working
from tests.integration.ingest.deployment import Deployment, event
from tests.integration.ingest.logs import forget_group, has_committed
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

TOPIC = "product.usage"
FLOOD = 5_000
DELAY_SECONDS_MAX = 10.0  # behind the whole flood in one partition; some 2 s on an idle machine of two cores
KEPT = REFUSED_MAX + (FLOOD - REFUSED_MAX) // KEPT_ONE_IN


def bad(source: str) -> dict[str, Any]:
    return event(source=source, time=None)


async def counts(deployment: Deployment) -> tuple[int, list[dict[str, Any]]]:
    """How many rows are kept whole, and what is counted."""
    rows = await deployment.rows("SELECT reason, value, record_offset FROM aside ORDER BY id")
    counted = [json.loads(row["value"]) | {"first": row["record_offset"]} for row in rows if row["value"]]
    return len(rows) - len(counted), counted


async def test_a_flood_of_bad_records_delays_another_source_by_seconds_and_is_counted_not_kept(world: World) -> None:
    deployment = Deployment(world, "", "")
    good = event()
    everything_of_it = {
        "records": FLOOD - KEPT,
        "first": REFUSED_MAX,
        "last_offset": FLOOD - 2,
        "reason": "time_missing",
    }
    await deployment.produce(TOPIC, [*(bad("//bad.example") for _ in range(FLOOD)), good])
    began = time.monotonic()
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.until_forwarded([good["id"]])
        delay = time.monotonic() - began
        await until(lambda: has_committed(world, TOPIC, FLOOD + 1), "all committed")
    print(f"{FLOOD} bad records delayed the good one behind them by {delay:.1f} s, start of the worker included")
    assert delay < DELAY_SECONDS_MAX
    assert await counts(deployment) == (KEPT, [everything_of_it])
    await forget_group(world)
    async with working(shared_of(world), partitions=world.partitions):
        await until(lambda: has_committed(world, TOPIC, FLOOD + 1), "all read again")
    assert await counts(deployment) == (KEPT, [everything_of_it])


async def test_one_good_event_ends_a_quarantine(world: World) -> None:
    deployment = Deployment(world, "", "")
    source = "//mended.example"
    flood = [bad(source) for _ in range(REFUSED_MAX + 10)]
    last = bad(source)
    async with working(shared_of(world), partitions=world.partitions):
        (at,) = (await deployment.produce(TOPIC, [*flood, event(source=source), last]))[-1:]
        assert (await deployment.aside_at([at]))[at]["event_id"] == last["id"]
    assert await counts(deployment) == (
        REFUSED_MAX + 1,
        [{"records": 10, "first": REFUSED_MAX, "last_offset": REFUSED_MAX + 9, "reason": "time_missing"}],
    )


async def test_a_parked_event_is_kept_whatever_its_source_did_before(world: World) -> None:
    deployment = Deployment(world, "", "")
    source = "//bad.example"
    parked = event(source=source, subject="stripe:cus_9")
    async with working(shared_of(world), partitions=world.partitions):
        sent = [*(bad(source) for _ in range(REFUSED_MAX + 1)), parked]
        at = (await deployment.produce(TOPIC, sent))[-1]
        assert (await deployment.aside_at([at]))[at]["reason"] == "unknown_alias"
