"""Which sources are tried, and when again."""

from collections.abc import Sequence

import pytest
from aiokafka import ConsumerRecord

from shared.kafka.set_aside import FAILURES_MAX, SOURCES_MAX, TRY_AGAIN_SECONDS, EverythingFails, Quarantine


def record(offset: int, source: str) -> ConsumerRecord[bytes, bytes]:
    return ConsumerRecord("t", 0, offset, 0, 0, source.encode(), b"", None, 0, 0, ())


def source_of(one: ConsumerRecord[bytes, bytes]) -> str:
    return (one.key or b"").decode()


def tried(quarantine: Quarantine, sources: Sequence[str], now: float) -> list[str]:
    records, _ = quarantine.sort({0: [record(at, source) for at, source in enumerate(sources)]}, source_of, now)
    return [source_of(one) for found in records.values() for one in found]


def after_failures(count: int) -> Quarantine:
    quarantine = Quarantine("scoring")
    quarantine.passed({"good"})
    for _ in range(count):
        quarantine.failed("bad", 0.0)
    return quarantine


def test_a_source_is_tried_until_it_has_failed_so_often_in_a_row() -> None:
    assert tried(after_failures(FAILURES_MAX - 1), ["bad", "good"], 1.0) == ["bad", "good"]
    assert tried(after_failures(FAILURES_MAX), ["bad", "good"], 1.0) == ["good"]


def test_a_record_that_passes_in_between_begins_the_count_anew() -> None:
    quarantine = after_failures(FAILURES_MAX - 1)
    quarantine.passed({"bad"})
    quarantine.failed("bad", 0.0)
    assert tried(quarantine, ["bad"], 1.0) == ["bad"]


def test_one_record_is_tried_again_after_a_while_and_ends_the_quarantine_if_it_passes() -> None:
    quarantine = after_failures(FAILURES_MAX)
    assert tried(quarantine, ["bad", "bad"], TRY_AGAIN_SECONDS - 0.1) == []
    assert tried(quarantine, ["bad", "bad"], TRY_AGAIN_SECONDS) == ["bad"]
    assert tried(quarantine, ["bad"], TRY_AGAIN_SECONDS + 1) == []
    quarantine.passed({"bad"})
    assert tried(quarantine, ["bad", "bad"], TRY_AGAIN_SECONDS + 2) == ["bad", "bad"]


def test_what_has_never_passed_anything_says_that_the_fault_is_its_own() -> None:
    quarantine = Quarantine("scoring")
    for number in range(FAILURES_MAX - 1):
        quarantine.failed(f"source {number}", 0.0)
    with pytest.raises(EverythingFails, match="aside retry scoring"):
        quarantine.failed("another", 0.0)


def test_suspicion_takes_a_bounded_room() -> None:
    quarantine = after_failures(FAILURES_MAX)
    for number in range(SOURCES_MAX):
        quarantine.failed(f"source {number}", 0.0)
    assert tried(quarantine, ["bad"], 1.0) == ["bad"], "the one suspected longest is forgotten"
