"""Postgres is not what it was: an older backup, a replica that missed the last commits, a server cut off. Kafka is.

State and scores are compared with the pure fold over all that was ever sent.
"""

import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import asyncpg
import pytest
from aiokafka import TopicPartition

from services.cli.embedded import kafka, postgres
from shared.kafka.clients import asking_consumer
from tests.commands import bellwether
from tests.e2e.traffic import Mix, Sent, Traffic, traffic
from tests.faults.backup import backed_up, replaced_by, shut_down_at_once
from tests.faults.consumers import Heard, heard, nobody_is_deaf, nobody_is_told_twice
from tests.faults.fleet import Fleet, fleet_of
from tests.faults.load import sending
from tests.faults.own_pair import own_pair
from tests.oracle import agree_with_the_oracle, archived_ids
from tests.pair import World

SENDS = 2_000
PER_SECOND = 1_000.0
MIX = Mix(accounts=60)
PARTITIONS = 4
SERVICES = ("ingest", "scoring", "alerts")
AT_REST_SECONDS_MAX = 120.0
AT_MOST_UNREAD = timedelta(minutes=1)  # what stood in the raw topics, and not yet in the copy, when it was taken


@contextlib.asynccontextmanager
async def connected(world: World, service: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect(service)
    try:
        yield connection
    finally:
        await connection.close()


async def start(fleet: Fleet) -> None:
    for service in SERVICES:
        await fleet.workers(service, 1)
    await fleet.all_ready()


async def raw_topics_are_read_again(fleet: Fleet, since: datetime) -> None:
    """For what was refused or parked since the backup; what was accepted is known as a repeat."""
    assert await fleet.members["ingest-0"].end(signal.SIGTERM) == 0
    code, said = await bellwether(fleet.world, "positions", "rewind", "ingest", "--since", since.isoformat())
    assert code == 0, said
    await fleet.workers("ingest", 1)
    await fleet.all_ready()


async def at_rest(fleet: Fleet, sent: Traffic, sends: int = SENDS) -> None:
    """Of what was sent, the first `sends` have a place, and whoever reads has read to the end."""
    bodies = {one.body for one in sent.sends[:sends]}
    events = {one.event.id for one in sent.sends[:sends] if one.event}
    asides = len(bodies & (sent.broken | sent.parked))

    async def is_so() -> bool:
        async with connected(fleet.world, "scoring") as scoring, connected(fleet.world, "ingest") as ingest:
            kept = await scoring.fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
            aside = await ingest.fetchval("SELECT count(*) FROM aside")
        return bool(kept >= len(events) and aside >= asides) and await have_read(fleet.world)

    await fleet.until(is_so, "everything sent has a place", AT_REST_SECONDS_MAX)


async def have_read(world: World) -> bool:
    """Scoring and alerts, to where their topics end now."""
    asker = asking_consumer(world.bootstrap)
    await asker.start()
    try:
        for service, name in (("scoring", "health.events"), ("alerts", "health.changes")):
            ends = await asker.end_offsets([TopicPartition(world.topic(name), p) for p in range(world.partitions)])
            async with connected(world, service) as connection:
                rows = await connection.fetch("SELECT topic, partition, next_offset FROM position")
            if {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows} != ends:
                return False
    finally:
        await asker.stop()
    return True


async def send(world: World, sent: Traffic, begin: int, end: int) -> None:
    async with sending(world, sent.sends[begin:end], PER_SECOND):
        pass


async def all_counts_once(world: World, sent: Traffic) -> None:
    """Applied is what was sent, aside is what is broken or about nobody known, and the oracle agrees."""
    async with connected(world, "scoring") as scoring, connected(world, "ingest") as ingest:
        assert (await archived_ids(scoring)).keys() == sent.events.keys()
        aside = await ingest.fetch("SELECT payload, alias_id FROM aside")
        assert {row["payload"] for row in aside if row["alias_id"] is None} == sent.broken
        assert {row["payload"] for row in aside if row["alias_id"] is not None} == sent.parked
        assert len(aside) == len(sent.broken) + len(sent.parked)
        await agree_with_the_oracle(scoring, sent.events.values())


async def consumers_agree(fleet: Fleet, backup: Heard, before: Heard) -> None:
    await fleet.until(lambda: have_read(fleet.world), "alerts have read what was said last", AT_REST_SECONDS_MAX)
    after = await heard(fleet.world)
    async with connected(fleet.world, "scoring") as scoring, connected(fleet.world, "alerts") as alerts:
        await nobody_is_deaf(before, after, scoring)
        await nobody_is_told_twice(backup, before, after, alerts)


def some_traffic(seed: int) -> Traffic:
    return traffic(seed, SENDS, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1), MIX)


async def an_hour_passed(world: World) -> None:
    async with connected(world, "scoring") as scoring:
        await scoring.execute("UPDATE clock SET offset_by = '1 hour'")


@pytest.mark.timeout(300)
async def test_a_restored_backup_catches_up_and_nobody_is_deaf_or_told_twice(tmp_path: Path, seed: int) -> None:
    sent = some_traffic(seed)
    third = SENDS // 3
    async with own_pair(tmp_path / "data", PARTITIONS) as servers, fleet_of(servers.world, tmp_path) as fleet:
        world = servers.world
        await start(fleet)
        await send(world, sent, 0, third)
        await at_rest(fleet, sent, third)
        backed_up_at, backup = datetime.now(UTC), await heard(world)
        await backed_up(servers, tmp_path / "backup")
        await an_hour_passed(world)
        await send(world, sent, third, 2 * third)
        await at_rest(fleet, sent, 2 * third)
        await fleet.stop()
        async with replaced_by(servers, tmp_path / "backup"):
            before = await heard(world)
        await an_hour_passed(world)  # which a backup does not undo
        await start(fleet)
        await raw_topics_are_read_again(fleet, backed_up_at)
        await send(world, sent, 2 * third, SENDS)
        await at_rest(fleet, sent)
        await all_counts_once(world, sent)
        await consumers_agree(fleet, backup, before)
        await fleet.stop()


@pytest.mark.timeout(300)
async def test_a_failover_that_loses_commits_under_running_workers_loses_nothing(tmp_path: Path, seed: int) -> None:
    sent = some_traffic(seed)
    sent.sends.sort(key=_is_old)  # so that commits that are lost have made the archive's parts of some days
    async with own_pair(tmp_path / "data", PARTITIONS) as servers, fleet_of(servers.world, tmp_path) as fleet:
        world = servers.world
        await start(fleet)
        async with sending(world, sent.sends, PER_SECOND) as load:
            load.allowed = SENDS // 3
            await at_rest(fleet, sent, load.allowed)
            load.allowed += SENDS // 12
            backed_up_at, backup = datetime.now(UTC) - AT_MOST_UNREAD, await heard(world)
            await backed_up(servers, tmp_path / "replica")
            load.allowed += SENDS // 3
            await at_rest(fleet, sent, load.allowed)
            load.allowed = SENDS
            async with replaced_by(servers, tmp_path / "replica"):
                before = await heard(world)
        await raw_topics_are_read_again(fleet, backed_up_at)
        await at_rest(fleet, sent)
        await all_counts_once(world, sent)
        await consumers_agree(fleet, backup, before)
        await fleet.stop()


@pytest.mark.timeout(300)
async def test_servers_cut_off_under_load_lose_nothing(tmp_path: Path, seed: int) -> None:
    sent = some_traffic(seed)
    async with own_pair(tmp_path / "data", PARTITIONS) as servers, fleet_of(servers.world, tmp_path) as fleet:
        cuts: list[Callable[[], Awaitable[None]]] = [
            lambda: shut_down_at_once(servers),
            lambda: servers.kill(postgres.NAME),
            lambda: servers.kill(kafka.NAME),
        ]
        Random(seed).shuffle(cuts)
        await start(fleet)
        async with sending(servers.world, sent.sends, PER_SECOND) as load:
            for number, cut in enumerate(cuts, 1):
                load.allowed = SENDS * number // len(cuts)
                await cut()
        await at_rest(fleet, sent)
        await all_counts_once(servers.world, sent)
        await fleet.stop()


def _is_old(one: Sent) -> bool:
    return one.event is not None and one.event.time < datetime.now(UTC) - timedelta(days=MIX.days // 2)
