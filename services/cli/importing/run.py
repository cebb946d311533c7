"""One import from its first row to its last: map, check, send, remember; then tell every account that it is over."""

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from services.cli.importing.outcome import Accepted, Draft, Outcome
from services.cli.importing.plan import Check, Plan, Source
from services.cli.importing.report import FileReport, RefusalFile
from services.cli.importing.sending import CHUNK_EVENTS, Sender
from services.cli.importing.store import ImportStore, Progress
from services.cli.importing.tally import Tally

BREATH_ROWS = 500  # rows between two chances for the connections to work

Step = Callable[[int], None]
"""Told how many further rows are done."""


class ImportRefused(Exception):
    """An import that must not go on as asked; the message says what to do."""


class Touched:
    """The accounts that an import speaks of, and the newest time it told of each."""

    def __init__(self) -> None:
        self._newest: dict[str, datetime] = {}

    def take(self, events: Iterable[Draft]) -> None:
        for event in events:
            self._newest[event.account] = max(event.time, self._newest.get(event.account, event.time))

    def __len__(self) -> int:
        return len(self._newest)

    def endings(self, run: str) -> list[Draft]:
        """One `import.ended` per account. Nothing in it depends on when it is sent: sent again, it is a duplicate."""
        return [
            Draft(f"import.ended/{run}/{account}", "import.ended", account, time, {"run": run}, account=account)
            for account, time in sorted(self._newest.items())
        ]


class Import:
    """Carries out a plan. `sender` and `store` are None for a dry run, which sends and remembers nothing."""

    def __init__(
        self, plan: Plan, check: Check, *, sender: Sender | None, store: ImportStore | None, out: Path
    ) -> None:
        self._plan = plan
        self._check = check
        self._sender = sender
        self._store = store
        self._out = out
        self._touched = Touched()

    async def run(self, shift: timedelta, known: dict[str, Progress], step: Step, *, again: bool) -> list[FileReport]:
        """Every file in turn; files that are in already are left alone unless `again`. Raises Stalled, KafkaError."""
        reports: list[FileReport] = []
        for source in self._plan.sources:
            progress = known.get(source.digest)
            if progress is not None and progress.is_ended and not again:
                step(progress.tally.rows)
                reports.append(FileReport(source.path, progress.tally, None, was_in_already=True))
            else:
                reports.append(await self._carry(source, shift, step, again=again))
        if self._sender is not None and len(self._touched):
            await self._sender.send(self._touched.endings(self._plan.run))
        if self._store is not None:
            await self._store.end([source.digest for source in self._plan.sources])
        return reports

    async def _carry(self, source: Source, shift: timedelta, step: Step, *, again: bool) -> FileReport:
        """The rows before the one to go on at are read too: duplicates, counts and touched accounts need them."""
        tally = Tally(source=self._plan.mapping.source, shift_days=shift.days)
        next_row = await self._store.begin(source.digest, tally, from_start=again) if self._store else 0
        waiting: list[Draft] = []
        with RefusalFile(self._out, source.path) as refusals:
            for row, outcome in enumerate(self._plan.outcomes(source, self._check, shift), start=1):
                tally.count(outcome)
                refusals.take(outcome)
                events = _events(outcome)
                self._touched.take(events)
                if row > next_row:
                    waiting += events
                if len(waiting) >= CHUNK_EVENTS:
                    await self._settle(source, waiting, row, tally)
                    waiting = []
                if row % BREATH_ROWS == 0:
                    step(BREATH_ROWS)
                    await asyncio.sleep(0)
            step(tally.rows % BREATH_ROWS)
            await self._settle(source, waiting, tally.rows, tally)
        return FileReport(source.path, tally, refusals.written)

    async def _settle(self, source: Source, events: list[Draft], next_row: int, tally: Tally) -> None:
        if self._sender is not None:
            await self._sender.send(events)
        if self._store is not None:
            await self._store.advance(source.digest, next_row, tally)


def _events(outcome: Outcome) -> tuple[Draft, ...]:
    return outcome.events if isinstance(outcome, Accepted) else ()


def shift_before(before: set[int], *, wanted: bool) -> timedelta | None:
    """What files of this source were moved by when they came first; None if none ever came.

    All must move the same way, since another time makes every event another event.
    Raises ImportRefused where what is asked now contradicts what was done then.
    """
    if not before:
        return None
    if len(before) > 1:
        raise ImportRefused(f"this source came with different shifts, {sorted(before)} days: give it a new name")
    days = before.pop()
    if days and not wanted:
        raise ImportRefused(f"this source came shifted by {days} days: add --shift-to-now, or all counts twice")
    if wanted and not days:
        raise ImportRefused("this source came without a shift: leave --shift-to-now out, or all counts twice")
    return timedelta(days=days)
