"""When to look again; the law behind it is in tests/property."""

from datetime import UTC, datetime, timedelta

import pytest
import yaml

from shared.conditions.due import RECHECK, next_change
from shared.conditions.grammar import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("written", "after"),
    [
        ("{age: seen, at_least: 10d}", 10 * DAY),
        ("{age: seen, below: 10d}", 10 * DAY),
        ("{age: seen, above: 10d}", 10 * DAY + TICK),
        ("{age: seen, at_most: 10d}", 10 * DAY + TICK),
        ("{until: end, at_most: 45d}", 55 * DAY),
        ("{until: end, above: 45d}", 55 * DAY),
        ("{until: end, below: 45d}", 55 * DAY + TICK),
        ("{until: end, at_least: 45d}", 55 * DAY + TICK),
        ("{any: [{age: seen, at_least: 10d}, {not: {until: end, at_most: 99d}}]}", DAY),
        ("{age: seen, at_least: 3d, below: 5d}", 3 * DAY),
    ],
)
def test_the_earliest_edge_ahead_is_when_to_look(written: str, after: timedelta) -> None:
    instants = {"seen": NOW, "end": NOW + 100 * DAY}
    assert next_change(parse(yaml.safe_load(written)), instants, NOW) == NOW + after


@pytest.mark.parametrize(
    "written",
    [
        "{status: band, is: red}",
        "{signal: x, below: 5}",
        "{age: never, at_least: 10d}",
        "{age: unheard_of, at_least: 10d}",
        "{age: long_ago, at_least: 10d}",
        "{until: long_ago, at_most: 10d}",
        "{until: end, at_most: {by: segment, smb: 45d}}",
    ],
)
def test_what_time_cannot_turn_is_never_due(written: str) -> None:
    instants = {"never": None, "long_ago": NOW - 1_000 * DAY, "end": NOW + 100 * DAY}
    assert next_change(parse(yaml.safe_load(written)), instants, NOW) is None


def test_a_bound_by_segment_chooses_the_edge() -> None:
    condition = parse({"until": "end", "at_most": {"by": "segment", "smb": "45d", "else": "90d"}})
    instants = {"end": NOW + 100 * DAY}
    assert next_change(condition, instants, NOW, statuses={"segment": "smb"}) == NOW + 55 * DAY
    assert next_change(condition, instants, NOW, statuses={"segment": "other"}) == NOW + 10 * DAY
    assert next_change(condition, instants, NOW) == NOW + 10 * DAY


def test_an_edge_that_waits_for_its_stream_is_looked_at_again_soon() -> None:
    condition = parse({"age": "seen", "at_least": "10d"})
    instants, stalled = {"seen": NOW - 20 * DAY}, {"seen": NOW - 15 * DAY}
    assert next_change(condition, instants, NOW, ends=stalled) == NOW + RECHECK
    assert next_change(condition, instants, NOW, ends=stalled, recheck=TICK) == NOW + TICK
    assert next_change(condition, instants, NOW, ends={"seen": NOW - 10 * DAY}) is None


def test_an_edge_beyond_the_end_of_the_calendar_is_never_due() -> None:
    condition = parse({"age": "seen", "at_least": "36500d"})
    assert next_change(condition, {"seen": datetime(9990, 1, 1, tzinfo=UTC)}, NOW) is None
