"""What was sent against what became of it, and the figures of a run."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from statistics import median
from typing import Any

import asyncpg

from tests.e2e.traffic import Traffic
from tests.faults.fleet import Fleet
from tests.oracle import agree_with_the_oracle, archived_ids, in_the_log
from tests.pair import World

AT_REST_SECONDS_MAX = 180.0


@contextlib.asynccontextmanager
async def connected(world: World, service: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect(service)
    try:
        yield connection
    finally:
        await connection.close()


async def settle(fleet: Fleet, sent: Traffic) -> None:
    """Everything sent has a place."""
    async with connected(fleet.world, "scoring") as scoring, connected(fleet.world, "ingest") as ingest:

        async def at_rest() -> bool:
            kept = await scoring.fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
            aside = await ingest.fetchval("SELECT count(*) FROM aside")
            return bool(kept >= len(sent.events) and aside >= len(sent.broken) + len(sent.parked))

        await fleet.until(at_rest, "everything sent has a place", AT_REST_SECONDS_MAX)


async def counted_once(world: World, sent: Traffic) -> dict[str, int]:
    """What was sent is what is archived, what is in the log, what is aside; each account is what the oracle says."""
    async with connected(world, "scoring") as scoring, connected(world, "ingest") as ingest:
        seen = await archived_ids(scoring)
        logged = await in_the_log(world.bootstrap)
        assert seen.keys() == sent.events.keys(), "applied is not what was sent"
        assert seen == logged, "a repeat in the log is not known as one"
        assert sent.repeated <= {event_id for event_id, times in seen.items() if times > 1}
        aside = await ingest.fetch("SELECT payload, alias_id FROM aside")
        assert {row["payload"] for row in aside if row["alias_id"] is None} == sent.broken
        assert {row["payload"] for row in aside if row["alias_id"] is not None} == sent.parked
        assert len(aside) == len(sent.broken) + len(sent.parked), "something was set aside twice"
        await agree_with_the_oracle(scoring, sent.events.values())
    return {"ids": len(seen), "records": logged.total(), "refused": len(sent.broken), "parked": len(sent.parked)}


def spread(seconds: Sequence[float]) -> str:
    return f"median {median(seconds):.1f}, at most {max(seconds):.1f} of {len(seconds)}"


def show(figures: dict[str, Any]) -> None:
    width = max(map(len, figures))
    print("", *(f"{name:{width}}  {value}" for name, value in figures.items()), sep="\n")
