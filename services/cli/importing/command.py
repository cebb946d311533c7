"""`bellwether import`: files of another system, by a mapping, into health.events."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.cli.connect import connection, settings_here
from services.cli.importing.checking import Checker
from services.cli.importing.pacing import Stalled
from services.cli.importing.plan import Check, Plan, make_plan, newest_time, shift_to
from services.cli.importing.reading import MappingError, read_mapping
from services.cli.importing.report import FileReport, summary
from services.cli.importing.rows import FileError, lines_of
from services.cli.importing.run import Import, ImportRefused, Step, shift_before
from services.cli.importing.sending import Stamp, open_sender
from services.cli.importing.store import ImportStore
from shared.clock import Clock
from shared.settings import Shared

Files = Annotated[list[Path], typer.Argument(help="CSV or JSON lines, named as the mapping expects them.")]
MappingFile = Annotated[Path, typer.Option("--mapping", "-m", help="What a row means: docs/import.md.")]
Shift = Annotated[bool, typer.Option(help="Move all times by whole days: the newest event lands yesterday.")]
DryRun = Annotated[bool, typer.Option(help="Read, check and report; send and remember nothing.")]
Again = Annotated[bool, typer.Option(help="Send files that are in already once more; ids make it harmless.")]
Out = Annotated[Path, typer.Option(help="Folder for FILE.refused.csv.")]


@dataclass(frozen=True, slots=True)
class Request:
    """What the person at the terminal asked for."""

    plan: Plan
    console: Console
    out: Path
    shift_to_now: bool
    again: bool


def import_command(
    files: Files,
    mapping: MappingFile,
    *,
    shift_to_now: Shift = False,
    dry_run: DryRun = False,
    again: Again = False,
    out: Out = Path(),
) -> None:
    """Bring history in: quietly, at scoring's pace, every row accounted for. Run it again to go on after a crash."""
    console = Console()
    try:
        request = Request(make_plan(read_mapping(mapping), files), console, out, shift_to_now, again)
        reports = asyncio.run(_dry(request) if dry_run else _real(request, settings_here()))
    except (MappingError, FileError, ImportRefused, Stalled, KafkaError, OSError) as error:
        console.print(f"import: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    console.print(summary(reports), soft_wrap=True)
    if dry_run:
        console.print("dry run: nothing was sent")
    elif all(report.was_in_already for report in reports):
        console.print("nothing was sent: these files are in already (--again sends them once more)")


async def _dry(request: Request) -> list[FileReport]:
    """No server is asked, so no alias is known."""
    now = datetime.now(UTC)
    check = Checker(request.plan.mapping.source, request.plan.run, now, {})
    shift = _shift(request, check, now)
    carried = Import(request.plan, check, sender=None, store=None, out=request.out)
    with _steps(request) as step:
        return await carried.run(shift, {}, step, again=False)


async def _real(request: Request, settings: Shared) -> list[FileReport]:
    """Through health.events, paced by scoring's group."""
    plan = request.plan
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(connection(settings, "ingest"))
        clock = Clock()
        now = await clock.refresh(opened)
        store = ImportStore(opened, plan.mapping_digest)
        known = await store.found([source.digest for source in plan.sources])
        check = Checker(plan.mapping.source, plan.run, now, await store.aliases())
        before = shift_before(await store.shifts(plan.mapping.source), wanted=request.shift_to_now)
        shift = _shift(request, check, now) if before is None else before
        stamp = Stamp(plan.mapping.source, f"import:{plan.mapping.name}", plan.run)
        sender = await stack.enter_async_context(open_sender(settings, clock, stamp))
        carried = Import(plan, check, sender=sender, store=store, out=request.out)
        with _steps(request) as step:
            return await carried.run(shift, known, step, again=request.again)


def _shift(request: Request, check: Check, now: datetime) -> timedelta:
    if not request.shift_to_now:
        return timedelta()
    with request.console.status("looking for the newest event"):
        newest = newest_time(request.plan, check)
    shift = timedelta() if newest is None else shift_to(newest, now.date())
    request.console.print(f"all times move by {shift.days} days, so that the newest event lands yesterday")
    return shift


@contextmanager
def _steps(request: Request) -> Iterator[Step]:
    """A bar over all rows; what it returns is told of every few that are done."""
    columns = (TextColumn("importing"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"), TimeRemainingColumn())
    with Progress(*columns, console=request.console) as bar:
        task = bar.add_task("", total=sum(lines_of(source.path) for source in request.plan.sources))
        yield lambda rows: bar.advance(task, rows)
        bar.update(task, total=bar.tasks[0].completed)  # lines are not rows: a header is none, and some hold several
