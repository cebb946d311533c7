"""`bellwether up`, `down`, `status`: a whole deployment on this machine, in one data folder."""

import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from services.cli.embedded import kafka, postgres, running
from services.cli.embedded.deployment import Deployment, Ports, Up
from services.cli.embedded.folder import CannotStart
from services.cli.embedded.kept import Kept
from shared.telemetry import configure_logging

PRIVATE_UMASK = 0o077

Data = Annotated[Path, typer.Option("--data", help="Where everything is kept.", envvar="BELLWETHER_DATA")]
DEFAULT_DATA = Path("data")


def up(
    data: Data = DEFAULT_DATA,
    port: Annotated[int, typer.Option(help="Of the API; 0 = a free one, remembered.", min=0, max=65535)] = 8080,
    kafka_port: Annotated[int, typer.Option(help="Of Kafka; 0 = a free one, remembered.", min=0, max=65535)] = 9392,
    postgres_port: Annotated[
        int, typer.Option(help="Of Postgres; 0 = a free one, remembered.", min=0, max=65535)
    ] = 5544,
) -> None:
    """Start Kafka, PostgreSQL, one worker per service and the API, and keep them alive until Ctrl-C.

    BELLWETHER_KAFKA and BELLWETHER_POSTGRES point it at servers of your own. After a crash, even a kill -9 of
    everything, the next `up` on the same folder goes on with what was accepted.
    """
    os.umask(PRIVATE_UMASK)
    configure_logging("up")
    console = Console(highlight=False, soft_wrap=True)
    deployment = Deployment(data, Ports(port, kafka_port, postgres_port), lambda line: say(console, line))
    stop = stop_on_signals()
    try:
        show(console, deployment.start(), data)
        stop.wait()
    except KeyboardInterrupt:
        pass
    except CannotStart as error:
        console.print(f"[red]cannot start:[/red] {escape(str(error))}")
        raise typer.Exit(1) from error
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)  # we are stopping: asking twice makes it no faster
        began = time.monotonic()
        deployment.stop()
    console.print(f"stopped in {time.monotonic() - began:.1f} s; everything is kept in {escape(str(data))}")


def down(data: Data = DEFAULT_DATA) -> None:
    """Stop what runs in the data folder, whether or not its `up` is still alive."""
    folder = running.existing(data)
    if folder is None:
        raise typer.BadParameter(f"there is no Bellwether in {data}", param_hint="--data")
    try:
        ended = running.end(folder)
    except CannotStart as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from error
    print(f"{ended} processes ended" if ended else "nothing was running")


def status(
    data: Data = DEFAULT_DATA,
    *,
    env: Annotated[
        bool, typer.Option("--env", help='Print addresses for `eval "$(bellwether status --env)"`.')
    ] = False,
) -> None:
    """What runs in the data folder. Exits with 3 if something is missing."""
    folder = running.existing(data)
    if folder is None:
        raise typer.BadParameter(f"there is no Bellwether in {data}", param_hint="--data")
    if env:
        for name, value in running.environment_of(data).items():
            print(f"export {name}={shlex.quote(value)}")
        return
    table = Table("process", "pid", "resident MB", "up for")
    rows = running.seen(folder)
    for row in rows:
        if row.pid is None:
            table.add_row(row.name, "-", "-", "-")
        else:
            age_seconds = time.time() - row.started_at
            table.add_row(row.name, str(row.pid), f"{row.resident_bytes / 1e6:.0f}", f"{age_seconds:.0f} s")
    Console(highlight=False).print(table)
    if any(row.pid is None for row in rows):
        raise typer.Exit(3)


def say(console: Console, line: str) -> None:
    console.print(f"[dim]{time.strftime('%H:%M:%S')}[/dim] {escape(line)}")


def stop_on_signals() -> threading.Event:
    """An event for SIGTERM and SIGINT. While things start, both break off what the main thread does."""
    stop = threading.Event()

    def on_signal(_number: int, _frame: object) -> None:
        stop.set()
        raise KeyboardInterrupt

    for sig in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sig, on_signal)
    return stop


def show(console: Console, up_now: Up, data: Path) -> None:
    """The first screen: addresses, the key, where to look next."""
    kept = f"kept in {data}"
    server, database = up_now.addresses.kafka, up_now.addresses.postgres.rpartition("@")[2]
    rows = [
        ("api", up_now.api, "docs /docs   contract /openapi.json   /healthz /readyz /metrics"),
        ("kafka", server, f"Apache Kafka {kafka.VERSION}, one node, {kept}" if kafka.NAME in up_now.own else "yours"),
        ("postgres", database, f"PostgreSQL {postgres.MAJOR}, {kept}" if postgres.NAME in up_now.own else "yours"),
    ]
    if up_now.kept is not None:
        rows.append(("events", *told(up_now.kept)))
    if up_now.key is not None:
        rows.append(("key", up_now.key, "all scopes, shown once   (bellwether keys create|list|revoke)"))
    console.print("\n[bold]Bellwether is up[/bold]   Ctrl-C stops it")
    for name, address, words in rows:
        console.print(f"  [bold]{name:<9}[/bold] {escape(address)}   [dim]{escape(words)}[/dim]")
    if kafka.NAME in up_now.own:
        console.print(
            "  [yellow]note[/yellow]      this Kafka has no authentication: any user of this machine can connect to it"
        )


def told(kept: Kept) -> tuple[str, str]:
    """Whether a restart has cost anything."""
    waiting = f"{kept.waiting:,} waiting to be"
    if kept.lost:
        return (
            f"{kept.applied:,} applied, {kept.lost:,} LOST",
            f"{waiting}; the log ends before, or begins after, our place",
        )
    return f"{kept.applied:,} applied", f"{waiting}; none of the accepted ones is lost"
