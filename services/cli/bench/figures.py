"""What was measured, as numbers to keep and as a table to read."""

import math
from collections.abc import Sequence

from msgspec import Struct
from rich.console import Group, RenderableType
from rich.table import Table


class Latency(Struct, frozen=True):
    """Milliseconds from the moment an event was due to be sent. `unanswered`: nothing came in time."""

    count: int
    unanswered: int
    p50_ms: float | None
    p99_ms: float | None
    max_ms: float | None


class Throughput(Struct, frozen=True):
    """Events and how long they took."""

    events: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.events / self.seconds if self.seconds else 0.0


class Figures(Struct, frozen=True, kw_only=True):
    """One run. Rates are events a second; the roofline is one process that fetches, decodes and copies, and no more."""

    at: str
    python: str
    platform: str
    cpus: int
    partitions: int
    roofline: Throughput
    chain: Throughput
    roofline_per_second: float
    chain_per_second: float
    offered_per_second: float
    sent_per_second: float
    event_to_accepted: Latency
    event_to_score: Latency
    event_to_outreach: Latency


def latency(milliseconds: Sequence[float], sent: int) -> Latency:
    """`milliseconds` of those that were answered, of `sent`."""
    ordered = sorted(milliseconds)
    return Latency(
        count=len(ordered),
        unanswered=sent - len(ordered),
        p50_ms=percentile(ordered, 50),
        p99_ms=percentile(ordered, 99),
        max_ms=ordered[-1] if ordered else None,
    )


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """Nearest rank: a value that was really measured."""
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else None


def shown(figures: Figures) -> RenderableType:
    """For the terminal."""
    rates = Table(title=f"events a second on {figures.cpus} cores, everything on this machine", title_justify="left")
    rates.add_column("what")
    rates.add_column("events/s", justify="right")
    rates.add_column("of the roofline", justify="right")
    best = figures.roofline_per_second
    rates.add_row("roofline: fetch, decode, COPY, one process", f"{best:,.0f}", "100%")
    rates.add_row(
        "whole chain: raw topic to alerts, all read", f"{figures.chain_per_second:,.0f}", _share(figures, best)
    )
    delays = Table(
        title=f"how late, in ms, at {figures.offered_per_second:,.0f} events/s open loop"
        f" ({figures.sent_per_second:,.0f} sent)",
        title_justify="left",
    )
    delays.add_column("from the event to")
    for name in ("p50", "p99", "max", "measured", "unanswered"):
        delays.add_column(name, justify="right")
    rows = {
        "health.events": figures.event_to_accepted,
        "its snapshot": figures.event_to_score,
        "its outreach": figures.event_to_outreach,
    }
    for name, one in rows.items():
        delays.add_row(name, *map(_ms, (one.p50_ms, one.p99_ms, one.max_ms)), str(one.count), str(one.unanswered))
    return Group(rates, delays)


def _share(figures: Figures, best: float) -> str:
    return f"{figures.chain_per_second / best:.0%}" if best else "-"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"
