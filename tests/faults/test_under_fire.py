"""100,000 events, every process killed again and again, Kafka and Postgres among them: nothing lost, nothing double.

State and scores are compared with the pure fold over what was sent. What alerts say is compared with a run in which
nothing was killed and which looked when this one looked.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import asyncpg
import msgspec
import pytest
from aiokafka import ConsumerRecord

from services.alerts.definitions import load
from services.alerts.worker import AlertsWork
from shared.postgres import migrate as schemas
from tests import alert_invariants
from tests.e2e.traffic import Mix, traffic
from tests.faults.fleet import MEBIBYTE, Fleet, fleet_of
from tests.faults.load import Load, sending
from tests.faults.own_pair import OwnPair, own_pair
from tests.faults.recorded import TABLE, committed_batches, replayed
from tests.faults.tally import AT_REST_SECONDS_MAX, connected, counted_once, settle, show, spread
from tests.integration.alerts.deployed import deployed
from tests.pair import World
from tests.reading import everything

SENDS = int(os.environ.get("BELLWETHER_TEST_SENDS", "100000"))
MIX = Mix(repeats=0.05, broken=0.01, parked=0.005, late=0.05, accounts=400)
WORKERS = {"ingest": 2, "scoring": 3, "alerts": 2}
STRIKES = {"scoring": 7, "alerts": 10, "ingest": 8, "kafka": 3, "postgres": 4}
SENDS_PER_SECOND = 1_500  # while sending is allowed: each strike has its portion
PARTITIONS = 6  # two for each scoring worker
RESIDENT_BYTES_MAX = 512 * MEBIBYTE
TAKE_OVER_SECONDS_MAX = 120.0
REPLAY = "replay_"


@dataclass
class Fire:
    """Kills by name, and what came of them."""

    servers: OwnPair
    fleet: Fleet
    random: Random
    take_overs: list[float] = field(default_factory=list)
    recoveries: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    _taking_over: asyncio.Task[None] | None = None

    async def strike(self, name: str) -> None:
        """Servers come back before the next strike; of workers, another may fall while one is being replaced."""
        if name in WORKERS:
            if name == "scoring":
                await self.taken_over()
            dead_at = await self.fleet.kill(f"{name}-{self.random.randrange(WORKERS[name])}")
            if name == "scoring":
                self._taking_over = asyncio.create_task(self._take_over(dead_at))
            return
        await self.taken_over()
        await self.fleet.all_ready()
        began = time.monotonic()
        await self.servers.kill(name)
        await self.fleet.all_ready()
        self.recoveries[name].append(time.monotonic() - began)

    async def taken_over(self) -> None:
        if self._taking_over is not None:
            await self._taking_over
            self._taking_over = None

    async def _take_over(self, dead_at: float) -> None:
        """Until every partition has been claimed since: those that the dead worker had, and those that moved."""
        async with connected(self.fleet.world, "scoring") as scoring:
            before = await claims(scoring)

            async def all_claimed() -> bool:
                return all(seq > before[partition] for partition, seq in (await claims(scoring)).items())

            await self.fleet.until(all_claimed, "every partition is claimed again", TAKE_OVER_SECONDS_MAX)
        self.take_overs.append(time.monotonic() - dead_at)


async def claims(scoring: asyncpg.Connection) -> dict[int, int]:
    """partition -> how often it has been claimed."""
    return {row["partition"]: row["seq"] for row in await scoring.fetch("SELECT partition, seq FROM position")}


@contextlib.asynccontextmanager
async def started(servers: OwnPair, logs: Path) -> AsyncIterator[Fleet]:
    async with connected(servers.world, "alerts") as alerts:
        await alerts.execute(TABLE)
    async with fleet_of(servers.world, logs) as fleet:
        for service, count in WORKERS.items():
            await fleet.workers(service, count, "tests.faults.recorded" if service == "alerts" else "")
        await fleet.all_ready()
        yield fleet


async def burn(fire: Fire, load: Load, strikes: Sequence[str]) -> None:
    """Each strike falls at some moment of its own portion of the traffic."""
    portion = len(load.sends) // len(strikes)
    for number, name in enumerate(strikes):
        moment = number * portion + fire.random.randrange(portion)
        load.allowed = (number + 1) * portion

        async def has_come(moment: int = moment) -> bool:
            return load.sent >= moment

        await fire.fleet.until(has_come, f"{moment} events are sent", AT_REST_SECONDS_MAX)
        await fire.strike(name)
    await fire.taken_over()


async def told(world: World) -> dict[str, bytes]:
    """id -> message of outreach.events, in the order of the log. Repeats use the same words."""
    heard: dict[str, bytes] = {}
    async for record in everything(world.bootstrap, world.topic("outreach.events")):
        message_id = msgspec.json.decode(record.value)["id"]
        assert heard.setdefault(message_id, record.value) == record.value, f"{message_id} in other words"
    return heard


def hold_together(rows: dict[str, list[asyncpg.Record]], messages: dict[str, bytes]) -> Counter[str]:
    """What must be true of alerts in any run; how many messages there are of each type."""
    said = [msgspec.json.decode(body) for body in messages.values()]
    assert alert_invariants.of_rows(rows["alert"], rows["change"]) == []
    assert alert_invariants.of_messages(said) == []
    assert alert_invariants.of_both(rows["change"], said) == []
    return Counter(message["type"] for message in said)


async def decided(alerts: asyncpg.Connection) -> dict[str, list[asyncpg.Record]]:
    """Everything that alerts decided."""
    tables = {"alert": "id", "change": "alert, number", "work_case": "id", "step": "case_id, n",
              "fired": "account, rule, notable", "view": "account", "look": "account, clock"}  # fmt: skip
    return {name: await alerts.fetch(f"SELECT * FROM {name} ORDER BY {order}") for name, order in tables.items()}


async def undisturbed(world: World) -> tuple[dict[str, bytes], dict[str, list[asyncpg.Record]], int]:
    """The same batches once more, one after another, on a schema of their own: messages, rows, number of batches."""
    await asyncio.to_thread(schemas.upgrade, world.dsn, REPLAY)
    log: dict[int, dict[int, ConsumerRecord]] = defaultdict(dict)
    async for record in everything(world.bootstrap, world.topic("health.changes")):
        log[record.partition][record.offset] = record
    async with connected(world, "alerts") as alerts:
        batches = await committed_batches(alerts)
    read = sorted((p, *span) for batch in batches for p, span in batch.records.items())
    assert [(p, at) for p, first, last in read for at in range(first, last + 1)] == [
        (p, at) for p in sorted(log) for at in sorted(log[p])
    ], "each record of health.changes is in one committed batch"
    again = World(world.dsn, world.bootstrap, REPLAY, world.partitions)
    work = AlertsWork(load(), world.topic("outreach.events"), 1)
    async with connected(again, "alerts") as alerts:
        said = [message async for message in replayed(work, alerts, batches, log)]
        messages = {msgspec.json.decode(one.value)["id"]: one.value for one in said}
        assert len(messages) == len(said)
        return messages, await decided(alerts), len(batches)


@pytest.mark.timeout(900)
async def test_each_of_100000_events_counts_once_and_is_told_once_though_everything_is_killed(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    strikes = random.sample([*STRIKES], counts=[*STRIKES.values()], k=sum(STRIKES.values()))
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    sent = traffic(seed, SENDS, now, MIX)
    async with own_pair(tmp_path / "data", PARTITIONS) as servers, started(servers, tmp_path) as fleet:
        world = servers.world
        fire, began = Fire(servers, fleet, random), time.monotonic()
        async with sending(world, sent.sends, SENDS_PER_SECOND) as load:
            await burn(fire, load, strikes)
        await settle(fleet, sent)
        seconds = time.monotonic() - began
        found = await counted_once(world, sent)
        async with deployed(world) as observer:
            await observer.caught_up()
        resident = {member.name: member.resident_bytes_max for member in fleet.members.values()}
        kills = Counter(strikes)
        await fleet.stop()
        messages = await told(world)
        async with connected(world, "alerts") as alerts:
            rows = await decided(alerts)
        types = hold_together(rows, messages)
        again, rows_again, batches = await undisturbed(world)
        assert messages == again
        assert rows == rows_again
        show(
            {
                "events sent": f"{SENDS}: {found}",
                "events a second, kills and all": f"{SENDS / seconds:.0f} over {seconds:.0f} s",
                "kill -9": f"{kills.total()}: {dict(kills)}",
                "scoring taken over, s": spread(fire.take_overs),
                **{f"{name} back, s": spread(times) for name, times in fire.recoveries.items()},
                "told": f"{dict(types)}, the same in {batches} batches without kills",
                "alerts": f"{len(rows['alert'])} with {len(rows['change'])} changes",
                "resident, MiB at most": {name: size // MEBIBYTE for name, size in resident.items()},
            }
        )
        assert max(resident.values()) < RESIDENT_BYTES_MAX
