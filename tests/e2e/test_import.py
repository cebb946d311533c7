"""`bellwether import` as a user types it, on real servers, with rows of our own making."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.cli.importing.pacing import UNREAD_MAX, Pace
from shared.contracts.health import Snapshot, decode_snapshot
from tests.pair import ROOT, World
from tests.processes import running, until

MAPPING = """\
import: own
source: //own.example
lookups:
  subscription: {file: subscriptions.csv, key: id, columns: [account]}
files:
  - match: subscriptions.csv
    key: [id]
    times: {start: "%d-%m-%Y"}
    emit:
      - type: subscription.started
        subject: account
        time: start
        data: {subscription: id, mrr: {money: mrr, currency: EUR}, seats: {int: seats}}
  - match: usage*.csv
    key: [id]
    lookup: {subscription: subscription}
    times: {day: "%d-%m-%Y"}
    emit:
      - type: usage.feature_used
        id: "usage/{id}"
        subject: subscription.account
        time: day
        data: {feature: feature, quantity: {int: count}, user: user}
  - match: tickets*.jsonl
    key: [ticket]
    times: {opened: iso}
    emit:
      - {type: ticket.opened, subject: account, time: opened, data: {ticket: ticket, priority: priority}}
"""
SUBSCRIPTIONS = "id,account,start,mrr,seats\nS1,acme,05-01-2024,1200.50,10\nS2,globex,06-01-2024,90,3\n"
USAGE = """\
id,subscription,day,feature,count,user
U1,S1,01-03-2024,export,3,u1
U2,S2,02-03-2024,share,1,u9
U1,S1,01-03-2024,export,3,u1
U3,S9,02-03-2024,share,1,u9
U4,S1,03/03/2024,share,1,u1
U5,S1,04-03-2024,share,-1,u1
U6,S1,04-03-2024,share,2
"""
TICKETS = '{"ticket": "T1", "account": "acme", "opened": "2024-03-04T10:00:00Z", "priority": "high"}\n{"ticket": \n'
MANY_ROWS = 5_000  # more than twice what may lie unread


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three files that fit the mapping, with something wrong in two of them."""
    files = {"m.yaml": MAPPING, "subscriptions.csv": SUBSCRIPTIONS, "usage.csv": USAGE, "tickets.jsonl": TICKETS}
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.fixture
async def scoring(world: World) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect("scoring")
    yield connection
    await connection.close()


@contextlib.asynccontextmanager
async def started(world: World, folder: Path, names: Sequence[str], *more: str) -> AsyncIterator[Process]:
    """The command, under way; killed at the end if it is still there."""
    files = [str(folder / name) for name in names]
    options = ["--mapping", str(folder / "m.yaml"), "--out", str(folder / "out"), *more]
    command = ["-c", "from services.cli.main import main; main()", "import", *files, *options]
    environment = world.env(COLUMNS="140")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env=environment, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def imported(world: World, folder: Path, names: Sequence[str], *more: str) -> tuple[int, str]:
    """(exit code, what it printed)."""
    async with started(world, folder, names, *more) as process:
        output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def archived(scoring: asyncpg.Connection) -> int:
    count: int = await scoring.fetchval("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM usage_event)")
    return count


async def progress(world: World, column: str) -> Any:
    """Of the one import there is."""
    ingest = await world.connect("ingest")
    try:
        return await ingest.fetchval(f"SELECT {column} FROM import_run")
    finally:
        await ingest.close()


async def said(scoring: asyncpg.Connection) -> dict[str, Snapshot]:
    rows = await scoring.fetch("SELECT account, snapshot FROM published WHERE importing IS NULL")
    return {row["account"]: decode_snapshot(row["snapshot"]) for row in rows}


async def test_each_row_is_accounted_for_and_the_accounts_are_scored(
    world: World, folder: Path, scoring: asyncpg.Connection
) -> None:
    async with running(world, "scoring"):
        code, text = await imported(world, folder, ["subscriptions.csv", "usage.csv", "tickets.jsonl"])
        assert code == 0, text

        async def all_in() -> bool:
            return await archived(scoring) == 2 + 2 + 1 + 2 and len(await said(scoring)) == 2

        await until(all_in, "five events and two endings")
        acme = (await said(scoring))["acme"]
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in text.splitlines() if line.startswith("│")]
    assert rows == [
        ["subscriptions.csv", "2", "2", "2", "0", "0"],
        ["usage.csv", "7", "2", "2", "1", "4"],
        ["tickets.jsonl", "2", "1", "1", "0", "1"],
        ["together", "11", "5", "5", "1", "5"],
    ]
    report = (folder / "out" / "usage.csv.refused.csv").read_text().splitlines()
    assert [line.split(",")[:4] for line in report[1:]] == [
        ["5", "subscription", "lookup_not_found", "S9"],
        ["6", "day", "time_unreadable", "03/03/2024"],
        ["7", "count", "out_of_range", "-1"],
        ["8", "", "column_count", '"5 columns'],
    ]
    assert acme.arr is not None
    assert (acme.arr.amount, acme.arr.currency) == ("14406.00", "EUR")


async def test_a_second_import_sends_nothing_and_sending_it_again_changes_nothing(
    world: World, folder: Path, scoring: asyncpg.Connection
) -> None:
    names = ["subscriptions.csv", "usage.csv"]
    async with running(world, "scoring"):
        await imported(world, folder, names)

        async def all_in() -> bool:
            return len(await said(scoring)) == 2

        await until(all_in, "both imports ended")
        before = (await archived(scoring), {a: s.version for a, s in (await said(scoring)).items()})
        code, text = await imported(world, folder, names)
        assert (code, "nothing was sent" in text) == (0, True), text
        code, text = await imported(world, folder, names, "--again")
        assert (code, "nothing was sent" in text) == (0, False), text

        async with Pace(world.bootstrap, world.topic("health.events"), f"{world.prefix}scoring") as pace:
            await pace.wait_until_read()
        assert await scoring.fetchval("SELECT min(seen) FROM event") == 2
        assert (await archived(scoring), {a: s.version for a, s in (await said(scoring)).items()}) == before


async def test_an_import_waits_for_scoring_and_goes_on_after_a_kill(
    world: World, folder: Path, scoring: asyncpg.Connection
) -> None:
    rows = (f"U{n},S{n % 2 + 1},{n % 28 + 1:02}-02-2024,export,1,u{n % 7}" for n in range(MANY_ROWS))
    (folder / "usage.csv").write_text("\n".join(["id,subscription,day,feature,count,user", *rows]) + "\n")
    topic, group = world.topic("health.events"), f"{world.prefix}scoring"
    async with Pace(world.bootstrap, topic, group) as pace, started(world, folder, ["usage.csv"]) as first:

        async def is_full() -> bool:
            return await pace.unread() == UNREAD_MAX

        await until(is_full, "as much unread as may be")
        first.kill()
        await first.communicate()
        assert 0 < await progress(world, "next_row") <= UNREAD_MAX
        async with running(world, "scoring"):
            code, text = await imported(world, folder, ["usage.csv"])
            assert code == 0, text
            await pace.wait_until_read()
    assert await archived(scoring) == MANY_ROWS + 2
    assert await progress(world, "state") == "ended"
    cells = [cell.strip() for cell in next(line for line in text.splitlines() if "│ usage.csv" in line).split("│")]
    assert cells[1:-1] == ["usage.csv", "5,000", "5,000", "5,000", "0", "0"]


async def test_a_shift_brings_the_newest_event_to_yesterday_and_stays_the_same(
    world: World, folder: Path, scoring: asyncpg.Connection
) -> None:
    async with running(world, "scoring"):
        code, text = await imported(world, folder, ["usage.csv"], "--shift-to-now")
        assert code == 0, text

        async def all_in() -> bool:
            return len(await said(scoring)) == 2

        await until(all_in, "both imports ended")
        globex = (await said(scoring))["globex"]
        yesterday = datetime.now(UTC).date() - timedelta(days=1)
        assert globex.newest_event_at is not None
        assert globex.newest_event_at.date() == yesterday

        with (folder / "usage.csv").open("a") as file:
            file.write("U7,S1,02-03-2024,share,2,u1\n")
        code, text = await imported(world, folder, ["usage.csv"])
        assert code == 1
        assert "add --shift-to-now, or all counts twice" in text
        code, text = await imported(world, folder, ["usage.csv"], "--shift-to-now")
        assert code == 0, text
        async with Pace(world.bootstrap, world.topic("health.events"), f"{world.prefix}scoring") as pace:
            await pace.wait_until_read()
    assert await archived(scoring) == 3 + 2 + 2  # one row more; each run ends once per account


async def test_a_dry_run_reports_and_sends_nothing(world: World, folder: Path) -> None:
    code, text = await imported(world, folder, ["usage.csv"], "--dry-run")
    assert (code, "dry run: nothing was sent" in text) == (0, True), text
    assert (folder / "out" / "usage.csv.refused.csv").exists()
    async with Pace(world.bootstrap, world.topic("health.events"), f"{world.prefix}scoring") as pace:
        assert await pace.unread() == 0
