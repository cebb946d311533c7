"""The whole RavenStack export through the command line, on real servers: every row accounted for, twice."""

import asyncio
import csv
import os
import re
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.pair import World
from tests.processes import running, until

pytestmark = pytest.mark.timeout(420)  # 79,000 events, at the pace of a small machine

ROOT = Path(__file__).resolve().parents[2]
MAPPING = ROOT / "examples" / "ravenstack" / "mapping.yaml"
IMPORT_SECONDS_MAX = 180.0

# A row of the printed table: file, rows, accepted, events, duplicate, refused.
_LINE = re.compile(r"│ (ravenstack_\w+\.csv|together) +(?:\(in already\) +)?" + r"│ +([\d,]+) " * 5 + "│")


@dataclass(frozen=True, slots=True)
class Kept:
    """What an import must not change when it comes a second time."""

    archived: int
    state_bytes: int
    versions: tuple[tuple[str, int], ...]


@pytest.fixture(scope="module")
def files() -> list[Path]:
    """The five files of the export."""
    data = os.environ.get("BELLWETHER_TEST_DATA")
    assert data, "run this as `make test-data DATA=folder`: it reads data that is not in this repository"
    found = sorted((Path(data) / "ravenstack").glob("ravenstack_*.csv"))
    assert len(found) == 5
    return found


@pytest.fixture
async def scoring(world: World) -> AsyncIterator[asyncpg.Connection]:
    connection = await world.connect("scoring")
    yield connection
    await connection.close()


def counted(files: Sequence[Path]) -> dict[str, list[int]]:
    """File -> rows, accepted, events, duplicate, refused, by the plainest reading of the files."""

    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    accounts, churn, usage, subscriptions, tickets = map(rows, files)
    unused = sum(row["usage_count"] == "0" for row in usage)
    changes = sum(
        1 + (row["upgrade_flag"] == "TRUE") + (row["downgrade_flag"] == "TRUE") + (row["end_date"] != "")
        for row in subscriptions
    )
    answers = sum(row["satisfaction_score"] != "" for row in tickets)
    return {
        "ravenstack_accounts.csv": [len(accounts), len(accounts), len(accounts), 0, 0],
        "ravenstack_churn_events.csv": [len(churn), len(churn), len(churn), 0, 0],
        "ravenstack_feature_usage.csv": [len(usage), len(usage) - unused, len(usage) - unused, 0, unused],
        "ravenstack_subscriptions.csv": [len(subscriptions), len(subscriptions), changes, 0, 0],
        "ravenstack_support_tickets.csv": [len(tickets), len(tickets), 3 * len(tickets) + answers, 0, 0],
    }


async def imported(world: World, files: Sequence[Path], out: Path, *more: str) -> str:
    """The command as a user types it; what it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from services.cli.main import main; main()",
        "import",
        *map(str, files),
        "--mapping",
        str(MAPPING),
        "--shift-to-now",
        "--out",
        str(out),
        *more,
        cwd=ROOT,
        env=world.env(COLUMNS="160"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), IMPORT_SECONDS_MAX)
    text = output.decode()
    print(text)
    assert process.returncode == 0, text
    return text


def told(text: str) -> dict[str, list[int]]:
    """The figures of the printed table."""
    return {name: [int(cell.replace(",", "")) for cell in cells] for name, *cells in _LINE.findall(text)}


async def archived(scoring: asyncpg.Connection) -> int:
    count: int = await scoring.fetchval("SELECT (SELECT count(*) FROM event) + (SELECT count(*) FROM usage_event)")
    return count


async def kept(scoring: asyncpg.Connection) -> Kept:
    size = "SELECT coalesce(sum(length(body)), 0) FROM"
    return Kept(
        archived=await archived(scoring),
        state_bytes=await scoring.fetchval(f"SELECT ({size} state) + ({size} fresh)"),
        versions=tuple(
            (row["account"], row["version"])
            for row in await scoring.fetch("SELECT account, version FROM published ORDER BY account")
        ),
    )


async def settled(scoring: asyncpg.Connection) -> None:
    """Wait until every account's import has ended, and until a look at everybody has been taken.

    Looks are spread over a quarter of an hour; here all are due at once.
    """

    async def has_ended() -> bool:
        return not await scoring.fetchval("SELECT count(*) FROM published WHERE importing IS NOT NULL")

    async def is_looked_at() -> bool:
        return not await scoring.fetchval("SELECT count(*) FROM published WHERE look_at <= now()")

    await until(has_ended, "all imports ended", seconds_max=60)
    await scoring.execute("UPDATE published SET look_at = now()")
    await until(is_looked_at, "a look at every account", seconds_max=60)


async def ten_worst(scoring: asyncpg.Connection) -> list[str]:
    rows = await scoring.fetch(
        "SELECT account, score, band, arr, convert_from(snapshot, 'UTF8')::jsonb -> 'reasons' AS reasons "
        "FROM published WHERE score IS NOT NULL ORDER BY score, arr DESC LIMIT 10"
    )
    words = re.compile(r'"words": "([^"]*)"')
    return [
        f"{row['score'] / 1000:6.1f}  {row['band']:8} {row['account']}  ARR {row['arr']:>10}  "
        + "; ".join(words.findall(row["reasons"]))
        for row in rows
    ]


async def test_every_row_is_accounted_for_and_a_second_import_changes_nothing(
    world: World, files: list[Path], scoring: asyncpg.Connection, tmp_path: Path
) -> None:
    async with running(world, "scoring"):
        first = told(await imported(world, files, tmp_path))
        expected = counted(files)
        assert {name: first[name] for name in expected} == expected
        assert all(rows == accepted + duplicate + refused for rows, accepted, _, duplicate, refused in first.values())

        await settled(scoring)
        accounts = expected["ravenstack_accounts.csv"][0]
        events = sum(figures[2] for figures in expected.values())
        before = await kept(scoring)
        assert before.archived == events + accounts  # each account's import has ended, once
        assert len(before.versions) == accounts
        worst = await ten_worst(scoring)
        print("the ten worst:", *worst, sep="\n")
        assert len(worst) == 10

        assert "nothing was sent" in await imported(world, files, tmp_path)
        again = await imported(world, files, tmp_path, "--again")
        assert {name: told(again)[name] for name in expected} == expected
        await settled(scoring)
        assert await kept(scoring) == before

    with (tmp_path / "ravenstack_feature_usage.csv.refused.csv").open(newline="") as file:
        refused = list(csv.DictReader(file))
    assert [(row["column"], row["reason"]) for row in refused] == [("usage_count", "nothing_used")] * 2
