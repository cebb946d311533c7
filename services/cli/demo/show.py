"""The course of a demo: load, first tables, then live events and the outreach they cause."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from services.cli.connect import connection
from services.cli.demo import view
from services.cli.demo.api import Account, Api
from services.cli.demo.fleet import ACCOUNTS, Customer, make_fleet
from services.cli.demo.history import DAYS
from services.cli.demo.loading import load
from services.cli.demo.pulse import Pulse
from services.cli.embedded.deployment import Up
from shared.http.auth import create_key
from shared.kafka.clients import producer
from shared.settings import Shared

SETTLE_SECONDS_MAX = 5.0  # held snapshots come within 200 ms; more means that something else still arrives
SETTLE_POLL_SECONDS = 0.3
KEY_NAME = "demo"


class Show:
    """One demo on a deployment that is up. `began`: time.monotonic() of the command's start."""

    def __init__(self, console: Console, up: Up, seed: int, now: datetime, began: float) -> None:
        self._console = console
        self._up = up
        self._seed = seed
        self._now = now
        self._began = began
        self._settings = Shared(kafka=up.addresses.kafka, postgres=up.addresses.postgres)

    async def run(self, seconds: float | None) -> None:
        """The whole course; the live part lasts `seconds`, or until it is cancelled."""
        key = self._up.key or await self._new_key()
        api = Api(self._up.api, key)
        try:
            fleet = make_fleet(self._seed, self._now.date())
            await self._load(fleet)
            accounts = await self._settled(api)
            self._print_tables(accounts, await api.open_work(), key)
            await self._live(api, fleet, seconds)
        finally:
            await api.close()

    async def _new_key(self) -> str:
        async with connection(self._settings, "access") as opened:
            return await create_key(opened, KEY_NAME)

    async def _load(self, fleet: Sequence[Customer]) -> None:
        words = TextColumn(f"loading {ACCOUNTS} accounts, {DAYS} days")
        columns = (words, BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("", total=len(fleet))
            began = time.monotonic()
            events = await load(self._settings, fleet, self._seed, self._now, lambda: bar.advance(task))
            took = time.monotonic() - began
        told = f"{events:,} events scored in {took:.1f} s" if events else "the history is in already"
        self._console.print(told)

    async def _settled(self, api: Api) -> list[Account]:
        """The list once it no longer changes: a snapshot too soon after the last one is said a little later."""
        deadline = time.monotonic() + SETTLE_SECONDS_MAX
        before, now = await api.accounts(), await api.accounts()
        while now != before or len(now) < ACCOUNTS:
            if time.monotonic() > deadline:
                break
            await asyncio.sleep(SETTLE_POLL_SECONDS)
            before, now = now, await api.accounts()
        return now

    def _print_tables(self, accounts: Sequence[Account], work: Mapping[str, int], key: str) -> None:
        tables = (view.bands(accounts), view.first_ones(accounts))
        for part in (
            *tables,
            view.open_work(work),
            view.links(self._up.api, key, view.needing_attention(accounts)[0].account),
        ):
            self._console.print()
            self._console.print(part, soft_wrap=True)
        self._console.print(f"\n[dim]first tables {time.monotonic() - self._began:.0f} s after the start[/]")

    async def _live(self, api: Api, fleet: Sequence[Customer], seconds: float | None) -> None:
        until = f"for {seconds:.0f} s" if seconds is not None else "until Ctrl-C"
        self._console.print(f"\n[bold]Live[/] {until}: events over HTTP and Kafka, and the outreach that follows")
        to_broker = producer(self._settings.kafka)
        await to_broker.start()
        pulse = Pulse(self._settings, api, to_broker, lambda line: self._console.print(line, soft_wrap=True))
        heard = 0
        try:
            async with asyncio.timeout(seconds), asyncio.TaskGroup() as group:
                group.create_task(pulse.run(fleet, self._seed))
                async for message in api.outreach():
                    heard += 1
                    self._console.print(view.outreach_line(message), soft_wrap=True)
        except TimeoutError:
            pass
        finally:
            await to_broker.stop()
            sent = f"{pulse.sent['http']} events went over HTTP, {pulse.sent['topic']} over Kafka"
            self._console.print(f"\n{sent}; {heard} outreach events came")
