"""`bellwether demo`: a whole deployment with 200 made-up customers, scored and watched live."""

import asyncio
import os
import re
import signal
import time
from collections.abc import Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape

from services.cli.demo.fresh import emptied, forget_environment
from services.cli.demo.show import Show
from services.cli.embedded.box import is_free
from services.cli.embedded.deployment import Deployment, Ports
from services.cli.embedded.folder import CannotStart
from services.cli.embedded.jars import ROOT
from services.cli.importing.pacing import Stalled
from services.cli.up import PRIVATE_UMASK, say, stop_on_signals
from shared.telemetry import configure_logging

DEFAULT_DATA = ROOT / ".local" / "demo"
DEFAULT_SEED = 7
API_PORT = 8080
WIDTH = 120  # of tables, where the output is no terminal

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(s|m|h)?")
_SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600}


def demo(
    for_: Annotated[
        str | None,
        typer.Option("--for", help="How long to go on after the first table: 20s, 5m. Without: until Ctrl-C."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Another seed, another fleet.")] = DEFAULT_SEED,
    data: Annotated[Path | None, typer.Option(help="Keep the data here; without, every demo starts afresh.")] = None,
) -> None:
    """Start everything, load 200 made-up customers with 120 days of history, and show what Bellwether says of them."""
    seconds = None if for_ is None else duration_seconds(for_)
    began = time.monotonic()
    os.umask(PRIVATE_UMASK)
    configure_logging("demo")
    forget_environment()
    console = Console(highlight=False, width=None if Console().is_terminal else WIDTH)
    stop_on_signals()
    deployment: Deployment | None = None
    try:
        folder = data or emptied(DEFAULT_DATA)
        ports = Ports(api=API_PORT if is_free(API_PORT) else 0, kafka=0, postgres=0)
        deployment = Deployment(folder, ports, lambda line: say(console, line), durable=data is not None)
        show = Show(console, deployment.start(), seed, datetime.now(UTC), began)
        asyncio.run(until_told(show.run(seconds)))
    except KeyboardInterrupt:
        pass
    except (CannotStart, Stalled, KafkaError) as error:
        console.print(f"[red]demo:[/red] {escape(str(error))}")
        raise typer.Exit(1) from error
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)
        if deployment is not None:
            deployment.stop()
    kept = f"; everything is kept in {data}" if data else ""
    console.print(f"stopped{escape(kept)}")


def duration_seconds(text: str) -> float:
    """A number of seconds, or one with s, m or h after it. Raises typer.BadParameter for anything else."""
    found = _DURATION.fullmatch(text.strip())
    if found is None:
        raise typer.BadParameter(f"{text!r} is no duration: write 20s, 5m or 1h", param_hint="--for")
    return float(found[1]) * _SECONDS[found[2]]


async def until_told(work: Coroutine[object, object, None]) -> None:
    """Run `work` to its end, or break it off cleanly at SIGINT or SIGTERM."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for sig in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(sig, task.cancel)
    try:
        await task
    except asyncio.CancelledError:
        if not task.cancelled():
            raise
