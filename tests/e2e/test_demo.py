"""`bellwether demo` as a user runs it: tables, live outreach, an end that leaves nothing running."""

import asyncio
import contextlib
import os
import signal
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.cli.embedded import running
from tests.pair import ROOT

pytestmark = pytest.mark.timeout(300)  # two starts of everything, one of them with 120 days of history

DEMO_SECONDS_MAX = 120.0
STOP_SECONDS_MAX = 15.0


@contextlib.asynccontextmanager
async def demo(data: Path, *more: str) -> AsyncIterator[Process]:
    """The command, under way; its terminal is wide and no terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("BELLWETHER_")}
    command = ["-c", "from services.cli.main import main; main()", "demo", "--data", str(data), *more]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, cwd=ROOT, env=environment | {"COLUMNS": "140"}, stdout=PIPE, stderr=STDOUT
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            await asyncio.wait_for(process.communicate(), STOP_SECONDS_MAX)


async def said_until(process: Process, words: str) -> str:
    """Everything up to the line that has `words` in it."""
    assert process.stdout is not None
    lines: list[str] = []
    async for raw in process.stdout:
        lines.append(raw.decode())
        if words in lines[-1]:
            return "".join(lines)
    raise AssertionError("".join(lines))


def still_running(data: Path) -> list[str]:
    folder = running.existing(data)
    assert folder is not None
    return [row.name for row in running.seen(folder) if row.pid is not None]


async def test_a_demo_shows_tables_and_outreach_and_stops_what_it_started(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    async with demo(data, "--for", "6s") as process:
        output, _ = await asyncio.wait_for(process.communicate(), DEMO_SECONDS_MAX)
    text = output.decode()
    assert process.returncode == 0, text
    for words in ("How the customers are", "Who needs attention first", "Work that is open", "/docs", "over Kafka"):
        assert words in text
    together = next(line for line in text.splitlines() if "together" in line)
    assert "200" in together
    assert "a payment failed (POST /v1/events)" in text
    assert "Recover the payment" in text
    assert still_running(data) == []

    async with demo(data) as process:
        again = await asyncio.wait_for(said_until(process, "until Ctrl-C"), DEMO_SECONDS_MAX)
        assert "the history is in already" in again
        process.send_signal(signal.SIGINT)
        await asyncio.wait_for(process.communicate(), STOP_SECONDS_MAX)
    assert process.returncode == 0
    assert still_running(data) == []
