"""The origin's /metrics: one exposition of several processes, each sample under the process it comes from."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from services.cli.origin import UP, Settings, together


def exposition(events: int, name: str = "applied") -> str:
    registry = CollectorRegistry()
    Counter(name, "events", ["stream"], registry=registry).labels("product.usage").inc(events)
    Gauge("lag", "seconds", registry=registry).set(0.5)
    Histogram("batch_seconds", "of a batch", buckets=(0.1, 1.0), registry=registry).observe(0.3)
    return generate_latest(registry).decode()


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_each_sample_says_which_process_it_comes_from() -> None:
    joined = samples(generate_latest(together({"scoring": exposition(3), "alerts": exposition(4)})).decode())
    for process, events in (("scoring", 3), ("alerts", 4)):
        here = ("process", process)
        assert joined["applied_total", frozenset({("stream", "product.usage"), here})] == events
        assert joined["lag", frozenset({here})] == 0.5
        assert joined["batch_seconds_bucket", frozenset({("le", "0.1"), here})] == 0
        assert joined["batch_seconds_count", frozenset({here})] == 1
        assert joined[UP, frozenset({here})] == 1


def test_a_family_of_several_processes_is_declared_once() -> None:
    text = generate_latest(together({"scoring": exposition(3), "alerts": exposition(4)})).decode()
    declared = [line for line in text.splitlines() if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared))


def test_a_worker_that_does_not_answer_is_down_and_takes_nobody_with_it() -> None:
    joined = samples(generate_latest(together({"scoring": None, "alerts": exposition(4)})).decode())
    assert joined[UP, frozenset({("process", "scoring")})] == 0
    assert joined[UP, frozenset({("process", "alerts")})] == 1


def test_the_workers_are_read_from_one_setting() -> None:
    assert Settings(scrape="ingest=127.0.0.1:1,scoring=127.0.0.1:2").workers == {
        "ingest": "127.0.0.1:1",
        "scoring": "127.0.0.1:2",
    }
    assert Settings().workers == {}
