"""`bellwether positions` for ingest: the group's offsets, moved by a person and audited."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli.positions import app
from shared.kafka.claim import LogChanged
from tests.integration.ingest.composed import shared_of, working
from tests.integration.ingest.deployment import Deployment, event, producing
from tests.integration.ingest.logs import committed, has_committed, lose_records
from tests.pair import ROOT, World
from tests.processes import until

pytestmark = pytest.mark.slow

TOPIC = "product.usage"
SECONDS_MAX = 60.0


async def positions(world: World, *arguments: str) -> tuple[int, str]:
    """The command's exit code, and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.cli", "positions", *arguments),
        cwd=ROOT,
        env=world.env(COLUMNS="500"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await asyncio.wait_for(process.communicate(), SECONDS_MAX)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def audited(deployment: Deployment, what: str) -> dict[str, Any]:
    (row,) = await deployment.rows("SELECT about FROM audit WHERE what = $1", what)
    found: dict[str, Any] = json.loads(row["about"])
    return found


async def read(deployment: Deployment, sent: list[Any]) -> list[str]:
    world = deployment.world
    async with working(shared_of(world), partitions=world.partitions):
        coordinates = await deployment.produce(TOPIC, sent)
        await until(lambda: has_committed(world, TOPIC, len(sent)), "all committed")
    return coordinates


async def test_accept_gap_goes_on_where_the_log_begins_and_is_audited(world: World) -> None:
    deployment = Deployment(world, "", "")
    name = world.topic(TOPIC)
    partition = (await read(deployment, [event()]))[0].split("/")[1]
    lost, kept = event(), event()
    await deployment.produce(TOPIC, [lost, kept])
    await lose_records(world, TOPIC, int(partition), before=2)
    async with working(shared_of(world), partitions=world.partitions) as at_work:
        with pytest.raises(LogChanged, match=f"bellwether positions accept-gap ingest {name} {partition}"):
            await asyncio.wait_for(at_work.task, SECONDS_MAX)
    assert await positions(world, "accept-gap", "ingest", name, partition) == (
        0,
        f"ingest goes on with {name} where it begins; 1 records are lost\n",
    )
    moved = {"topic": name, "partition": int(partition), "from": 1, "to": 2}
    assert await audited(deployment, "positions.gap_accepted") == {"service": "ingest", "moved": [moved]}
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.until_forwarded([kept["id"]])
    code, said = await positions(world, "accept-gap", "ingest", name, partition)
    assert (code, "has no gap: position 3, log starts at 2" in said) == (2, True)


async def test_rewind_brings_back_what_a_restored_database_has_forgotten(world: World) -> None:
    deployment = Deployment(world, "", "")
    old, bad = event(time=None), event(time=None)
    parked = event(subject="stripe:cus_1")
    async with producing(world) as to:
        hours_ago = int(datetime.now(UTC).timestamp() * 1_000) - 5 * 3_600_000
        await to.send_and_wait(world.topic(TOPIC), json.dumps(old).encode(), b"any key", timestamp_ms=hours_ago)
    async with working(shared_of(world), partitions=world.partitions):
        coordinates = await deployment.produce(TOPIC, [bad, parked])
        await until(lambda: has_committed(world, TOPIC, 3), "all committed")
    await deployment.rows("TRUNCATE aside")  # as a backup of two hours ago knows it
    code, said = await positions(world, "rewind", "ingest", "--since", "2h")
    assert (code, said.startswith("ingest reads 2 records of 1 partitions again, since ")) == (0, True), said
    partition = int(coordinates[0].split("/")[1])
    found = await audited(deployment, "positions.rewound")
    assert found["moved"] == [{"topic": world.topic(TOPIC), "partition": partition, "from": 3, "to": 1}]
    async with working(shared_of(world), partitions=world.partitions):
        await until(lambda: has_committed(world, TOPIC, 3), "all committed again")
    rows = await deployment.rows("SELECT event_id, reason FROM aside ORDER BY record_offset")
    assert [tuple(row) for row in rows] == [(bad["id"], "time_missing"), (parked["id"], "unknown_alias")]


async def test_offsets_are_not_moved_under_a_worker(world: World) -> None:
    deployment = Deployment(world, "", "")
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.produce(TOPIC, [event()])
        await until(lambda: has_committed(world, TOPIC, 1), "committed")
        code, said = await positions(world, "rewind", "ingest", "--since", "1h")
        assert code == 2
        assert f"group {world.prefix}ingest has 1 members, on " in said
        assert "stop every worker of ingest first" in said
    assert {at for tp, (at, _) in (await committed(world)).items() if tp.topic == world.topic(TOPIC)} == {0, 1}
    assert await deployment.rows("SELECT 1 FROM audit WHERE what = 'positions.rewound'") == []


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["rewind", "ingest", "--since", "yesterday"], "'yesterday' is neither a duration of at most a century"),
        (["rewind", "ingest", "--since", "2026-11-25T01:00:00"], "has no offset from UTC"),
        (["rewind", "scoring", "--since", "2h"], "scoring goes on by itself"),
        (["adopt", "ingest", "product.usage"], "from its start by itself"),
    ],
)
def test_what_cannot_be_moved_says_why(arguments: list[str], why: str) -> None:
    answer = CliRunner(env={"COLUMNS": "500"}).invoke(app, arguments)
    assert (answer.exit_code, why in answer.output) == (2, True), answer.output
