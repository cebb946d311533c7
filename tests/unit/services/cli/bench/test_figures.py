import msgspec
from rich.console import Console

from services.cli.bench.figures import Figures, Latency, Throughput, latency, percentile, shown

LATE = Latency(count=600, unanswered=1, p50_ms=136.4, p99_ms=1319.0, max_ms=None)
FIGURES = Figures(
    at="2026-11-24T23:58:00+00:00",
    python="3.11.7",
    platform="Linux",
    cpus=2,
    partitions=16,
    roofline=Throughput(300_000, 10.0),
    chain=Throughput(60_000, 20.0),
    roofline_per_second=30_000.0,
    chain_per_second=3_000.0,
    offered_per_second=500.0,
    sent_per_second=499.6,
    event_to_accepted=LATE,
    event_to_score=LATE,
    event_to_outreach=latency([], 7),
)


def test_percentiles_are_values_that_were_measured() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert [percentile(ordered, p) for p in (50, 99, 100)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 99) == 7.0
    assert percentile([], 50) is None


def test_what_was_never_answered_is_counted_and_improves_nothing() -> None:
    assert latency([30.0, 10.0, 20.0], 5) == Latency(count=3, unanswered=2, p50_ms=20.0, p99_ms=30.0, max_ms=30.0)


def test_rates_are_events_over_seconds() -> None:
    assert Throughput(500, 2.0).per_second == 250.0


def test_the_table_sets_the_chain_beside_the_roofline() -> None:
    console = Console(width=120, highlight=False)
    with console.capture() as capture:
        console.print(shown(FIGURES))
    lines = capture.get().splitlines()
    assert any("whole chain" in line and "3,000" in line and "10%" in line for line in lines)
    assert any("its snapshot" in line and "136" in line and "1,319" in line and "600" in line for line in lines)
    assert any("its outreach" in line and " 7 " in line for line in lines)


def test_the_file_holds_all_that_the_table_shows() -> None:
    assert msgspec.json.decode(msgspec.json.encode(FIGURES), type=Figures) == FIGURES
