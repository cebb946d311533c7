"""20,000 events over four topics, repeated, broken, shuffled, with every process killed in between: each counts once.

The oracle is the pure fold over what was sent. It shares no code with the store or the loop.
"""

import asyncio
import contextlib
import os
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from tests.e2e.installation import Installation, installed
from tests.e2e.traffic import Sent, Traffic, traffic
from tests.oracle import AT_REST_SECONDS_MAX, agree_with_the_oracle, archived_ids, in_the_log
from tests.processes import until

SENDS = int(os.environ.get("BELLWETHER_TEST_SENDS", "20000"))
KILLS = ("ingest", "scoring", "alerts", "postgres", "up", "kafka", "api")


async def produce(producer: AIOKafkaProducer, sends: Sequence[Sent]) -> None:
    """As a product backend does, with any key or none."""
    for number, one in enumerate(sends):
        await producer.send(one.topic, one.body, key=str(number).encode() if number % 2 else None)
    await producer.flush()


async def kill(installation: Installation, name: str) -> None:
    """kill -9, and wait until it is started again, by its supervisor or by the next `up`."""
    if name == "up":
        await installation.kill_supervisor()
        await installation.up()
        return
    await installation.killed_is_back(name, installation.kill(name))


async def settle(scoring: asyncpg.Connection, ingest: asyncpg.Connection, sent: Traffic) -> None:
    """Everything sent has a place."""

    async def at_rest() -> bool:
        kept = await scoring.fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
        aside = await ingest.fetchval("SELECT count(*) FROM aside")
        return bool(kept >= len(sent.events) and aside >= len(sent.broken) + len(sent.parked))

    await until(at_rest, "everything sent has a place", AT_REST_SECONDS_MAX)


@pytest.mark.timeout(600)
async def test_each_of_20000_events_counts_once_though_everything_is_killed(tmp_path: Path) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}, {SENDS} sends")
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    sent = traffic(seed, SENDS, now)
    async with installed(tmp_path / "data") as installation:
        portion = len(sent.sends) // len(KILLS) + 1
        async with contextlib.AsyncExitStack() as stack:
            producer = AIOKafkaProducer(bootstrap_servers=installation.bootstrap, acks="all", enable_idempotence=True)
            await producer.start()
            stack.push_async_callback(producer.stop)
            for number, name in enumerate(KILLS):
                sending = asyncio.create_task(produce(producer, sent.sends[number * portion : (number + 1) * portion]))
                await kill(installation, name)
                await sending
        scoring, ingest = await installation.connect("scoring"), await installation.connect("ingest")
        await settle(scoring, ingest, sent)
        seen = await archived_ids(scoring)
        aside = await ingest.fetch("SELECT payload, alias_id FROM aside")
        logged = await in_the_log(installation.bootstrap)
        assert seen.keys() == sent.events.keys(), "applied is not what was sent"
        assert {row["payload"] for row in aside if row["alias_id"] is None} == sent.broken
        assert {row["payload"] for row in aside if row["alias_id"] is not None} == sent.parked
        assert len(aside) == len(sent.broken) + len(sent.parked), "something was set aside twice"
        assert seen == logged, "a repeat in the log is not known as one"
        repeated = {event_id for event_id, times in seen.items() if times > 1}
        assert sent.repeated <= repeated
        print(
            f"applied {len(seen)}, repeats sent {len(sent.repeated)}, repeats found {len(repeated)}, "
            f"refused {len(sent.broken)}, parked {len(sent.parked)}"
        )
        await agree_with_the_oracle(scoring, sent.events.values())
        await scoring.close()
        await ingest.close()
