"""20,000 events over four topics, repeated, broken, shuffled, with every process killed in between: each counts once.

The oracle is the pure fold over what was sent. It shares no code with the store or the loop.
"""

import asyncio
import contextlib
import os
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import parse
from services.scoring.domain.fold import fold
from services.scoring.domain.record import State, decode, decode_record, encode, merge
from services.scoring.domain.snapshot import Case, build
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent
from shared.contracts.envelope import decode as decode_event
from shared.contracts.health import decode_snapshot
from tests.e2e.installation import Installation, installed
from tests.e2e.traffic import Sent, Traffic, traffic
from tests.processes import until
from tests.reading import everything

SENDS = int(os.environ.get("BELLWETHER_TEST_SENDS", "20000"))
KILLS = ("ingest", "scoring", "alerts", "postgres", "up", "kafka", "api")
AT_REST_SECONDS_MAX = 120.0


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


async def archived_ids(scoring: asyncpg.Connection) -> Counter[str]:
    """id -> how often it was seen."""
    rows = await scoring.fetch("SELECT body, seen FROM usage_event UNION ALL SELECT body, seen FROM event")
    return Counter({decode_event(row["body"]).id: row["seen"] for row in rows})


async def in_the_log(bootstrap: str) -> Counter[str]:
    """id -> how many records of health.events carry it."""
    return Counter([decode_event(record.value).id async for record in everything(bootstrap, "health.events")])


async def settle(scoring: asyncpg.Connection, ingest: asyncpg.Connection, sent: Traffic) -> None:
    """Everything sent has a place."""

    async def at_rest() -> bool:
        kept = await scoring.fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
        aside = await ingest.fetchval("SELECT count(*) FROM aside")
        return bool(kept >= len(sent.events) and aside >= len(sent.broken) + len(sent.parked))

    await until(at_rest, "everything sent has a place", AT_REST_SECONDS_MAX)


async def state_of(scoring: asyncpg.Connection, account: str) -> State:
    """What is stored of an account, settled and fresh together."""
    rows = await scoring.fetch("SELECT kind, key, body FROM state WHERE account = $1", account)
    settled = State({(row["kind"], row["key"]): decode_record(row["body"]) for row in rows})
    fresh = await scoring.fetchval("SELECT body FROM fresh WHERE account = $1", account)
    return merge(settled, decode(fresh) if fresh else State())


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
        await agree_with_the_oracle(scoring, sent)
        await scoring.close()
        await ingest.close()


async def agree_with_the_oracle(scoring: asyncpg.Connection, sent: Traffic) -> None:
    """State byte by byte, freshness, signals and score of every account."""
    definitions = parse(catalogue_files.load())
    by_account: dict[str, list[HealthEvent]] = defaultdict(list)
    freshness: dict[str, datetime] = {}
    for event in sent.events.values():
        by_account[event.account].append(event)
        stream = TYPES[event.type].stream.name
        freshness[stream] = max(event.time, freshness.get(stream, event.time))
    # A day later everybody is looked at and said again, so that the last snapshot is of all there is.
    await scoring.execute("UPDATE clock SET offset_by = '25 hours'")

    async def all_said_again() -> bool:
        waiting = await scoring.fetchval(
            "SELECT count(*) FROM published WHERE as_of < clock_timestamp() + interval '24 hours'"
        )
        return bool(waiting == 0)

    await until(all_said_again, "the daily snapshot of every account", AT_REST_SECONDS_MAX)
    rows = await scoring.fetch("SELECT account, snapshot FROM published")
    assert {row["account"] for row in rows} == by_account.keys()
    for row in rows:
        account, said = row["account"], decode_snapshot(row["snapshot"])
        oracle = fold(definitions, by_account[account])
        assert encode(await state_of(scoring, account)) == encode(oracle), account
        assert said.freshness == freshness, account
        case = Case(account=account, partition=0, next_offset=0, state=oracle, freshness=freshness)
        expected = build(definitions, [case], said.as_of)[0]
        assert (said.score, said.signals) == (expected.score, expected.signals), account
