"""`bellwether bench`: a minute of figures from this machine."""

import asyncio
import os
import platform
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.markup import escape

from services.cli.bench import roofline
from services.cli.bench.chain import Chain
from services.cli.bench.figures import Figures, shown
from services.cli.bench.open_loop import RATE, OpenLoop
from services.cli.demo.fresh import emptied, forget_environment
from services.cli.embedded.deployment import Deployment, Ports
from services.cli.embedded.folder import CannotStart
from services.cli.embedded.jars import ROOT
from services.cli.importing.pacing import Stalled
from services.cli.up import PRIVATE_UMASK, say, stop_on_signals
from shared.kafka.clients import producer
from shared.settings import Shared
from shared.telemetry import configure_logging

DATA = ROOT / ".local" / "bench"
OUT = ROOT / ".local" / "bench.json"
WARM_UP_EVENTS = 3_000
# Shares of the whole time; warming up and the last answers take the rest.
ROOFLINE_SHARE, CHAIN_SHARE, OPEN_LOOP_SHARE = 0.15, 0.3, 0.4


def bench(
    seconds: Annotated[float, typer.Option(help="How long to measure, after everything is up.", min=10)] = 60.0,
    out: Annotated[Path, typer.Option(help="The figures as JSON.")] = OUT,
) -> None:
    """Measure the whole chain on servers of its own: events a second, how late answers are, the roofline."""
    os.umask(PRIVATE_UMASK)
    configure_logging("bench")
    forget_environment()
    console = Console(highlight=False)
    stop_on_signals()
    deployment: Deployment | None = None
    try:
        deployment = Deployment(emptied(DATA), Ports(0, 0, 0), lambda line: say(console, line))
        up = deployment.start()
        settings = Shared(kafka=up.addresses.kafka, postgres=up.addresses.postgres)
        figures = asyncio.run(measured(settings, deployment.pair.partitions, seconds, console))
    except KeyboardInterrupt:
        raise typer.Exit(1) from None
    except (CannotStart, Stalled, KafkaError) as error:
        console.print(f"[red]bench:[/red] {escape(str(error))}")
        raise typer.Exit(1) from error
    finally:
        for sig in (signal.SIGINT, signal.SIGTERM):
            signal.signal(sig, signal.SIG_IGN)
        if deployment is not None:
            deployment.stop()
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    console.print(shown(figures))
    console.print(f"as JSON: {escape(str(out))}")


async def measured(settings: Shared, partitions: int, seconds: float, console: Console) -> Figures:
    """One after the other, so that nothing measured disturbs the next thing."""
    to_broker = producer(settings.kafka)
    await to_broker.start()
    try:
        chain = Chain(settings, to_broker)
        say(console, "warming up")
        await chain.round(WARM_UP_EVENTS)
        say(console, "the roofline: fetch, decode, COPY")
        best = await roofline.measure(settings, partitions, seconds * ROOFLINE_SHARE)
        say(console, "the whole chain, as fast as it goes")
        through = await chain.measure(seconds * CHAIN_SHARE)
        say(console, f"how late, at {RATE:.0f} events/s")
        loop = OpenLoop(settings, to_broker, partitions)
        delays = await loop.measure(seconds * OPEN_LOOP_SHARE)
    finally:
        await to_broker.stop()
    return Figures(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        python=platform.python_version(),
        platform=platform.platform(),
        cpus=os.cpu_count() or 0,
        partitions=partitions,
        roofline=best,
        chain=through,
        roofline_per_second=round(best.per_second, 1),
        chain_per_second=round(through.per_second, 1),
        offered_per_second=RATE,
        sent_per_second=round(loop.sent_per_second, 1),
        event_to_accepted=delays.accepted,
        event_to_score=delays.scored,
        event_to_outreach=delays.reached_out,
    )
