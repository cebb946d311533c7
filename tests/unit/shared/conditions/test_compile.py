"""Truth over columns: three values, edges, bounds by a status, rows of records."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import yaml

from shared.conditions.columns import Columns, floats, microseconds, objects, one
from shared.conditions.compile import compile_
from shared.conditions.grammar import parse

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
TICK = timedelta(microseconds=1)
TRUE, FALSE, UNKNOWN = {"missing": "nothing"}, {"not": {"missing": "nothing"}}, {"signal": "nothing", "above": 0}


def truth(written: object, columns: Columns) -> list[int]:
    read = yaml.safe_load(written) if isinstance(written, str) else written
    return [int(value) for value in compile_(parse(read))(columns)]


@pytest.mark.parametrize(
    ("parts", "all_of", "any_of"),
    [
        ([TRUE, TRUE], 1, 1),
        ([TRUE, FALSE], 0, 1),
        ([FALSE, FALSE], 0, 0),
        ([TRUE, UNKNOWN], -1, 1),
        ([FALSE, UNKNOWN], 0, -1),
        ([UNKNOWN, UNKNOWN], -1, -1),
    ],
)
def test_all_and_any_follow_kleenes_tables(parts: list[object], all_of: int, any_of: int) -> None:
    assert truth({"all": parts}, one(NOW)) == [all_of]
    assert truth({"any": parts}, one(NOW)) == [any_of]


@pytest.mark.parametrize(("part", "negated"), [(TRUE, 0), (FALSE, 1), (UNKNOWN, -1)])
def test_not_keeps_unknown_unknown(part: object, negated: int) -> None:
    assert truth({"not": part}, one(NOW)) == [negated]


@pytest.mark.parametrize(
    ("operator", "below", "at", "above"),
    [("below", 1, 0, 0), ("at_most", 1, 1, 0), ("is", 0, 1, 0), ("at_least", 0, 1, 1), ("above", 0, 0, 1)],
)
def test_a_signal_is_compared_at_its_edge(operator: str, below: int, at: int, above: int) -> None:
    columns = Columns(n=4, now_us=0, signals={"users": floats([4.0, 5.0, 6.0, None])})
    assert truth({"signal": "users", operator: 5}, columns) == [below, at, above, -1]


def test_several_operators_make_a_range() -> None:
    columns = Columns(n=4, now_us=0, signals={"users": floats([2, 3, 4, 5])})
    assert truth("{signal: users, at_least: 3, below: 5}", columns) == [0, 1, 1, 0]


def test_a_signal_may_be_one_of_several() -> None:
    columns = Columns(n=3, now_us=0, signals={"nps": floats([9, 8, None])})
    assert truth("{signal: nps, in: [9, 10]}", columns) == [1, 0, -1]


@pytest.mark.parametrize(
    ("operator", "before", "at", "after"),
    [("below", 1, 0, 0), ("at_most", 1, 1, 0), ("at_least", 0, 1, 1), ("above", 0, 0, 1)],
)
def test_an_age_turns_on_the_microsecond(operator: str, before: int, at: int, after: int) -> None:
    written = {"age": "seen", operator: "10d"}
    for now, expected in ((NOW - TICK, before), (NOW, at), (NOW + TICK, after)):
        assert truth(written, one(now, instants={"seen": NOW - 10 * DAY})) == [expected]


@pytest.mark.parametrize(
    ("operator", "before", "at", "after"),
    [("below", 0, 0, 1), ("at_most", 0, 1, 1), ("at_least", 1, 1, 0), ("above", 1, 0, 0)],
)
def test_time_until_turns_on_the_microsecond(operator: str, before: int, at: int, after: int) -> None:
    written = {"until": "term_end", operator: "45d"}
    for now, expected in ((NOW - TICK, before), (NOW, at), (NOW + TICK, after)):
        assert truth(written, one(now, instants={"term_end": NOW + 45 * DAY})) == [expected]


def test_a_dead_pipe_is_not_silence() -> None:
    seen = {"seen": NOW - 20 * DAY}
    assert truth("{age: seen, at_least: 10d}", one(NOW, instants=seen, ends={"seen": NOW - 11 * DAY})) == [0]
    assert truth("{age: seen, at_least: 10d}", one(NOW, instants=seen, ends={"seen": NOW - 10 * DAY})) == [1]
    assert truth("{age: seen, at_least: 10d}", one(NOW, instants=seen, ends={"seen": NOW + DAY})) == [1]


def test_an_instant_that_never_was_is_unknown() -> None:
    assert truth("{age: seen, at_least: 10d}", one(NOW, instants={"seen": None})) == [-1]
    assert truth("{until: seen, at_most: 10d}", one(NOW)) == [-1]


def test_a_bound_may_depend_on_a_status() -> None:
    columns = Columns(
        n=4,
        now_us=microseconds(NOW),
        statuses={"segment": objects(["smb", "smb", "enterprise", None])},
        instants={"term_end": np.array([microseconds(NOW + days * DAY) for days in (45, 46, 46, 91)])},
    )
    assert truth("{until: term_end, at_most: {by: segment, smb: 45d, else: 90d}}", columns) == [1, 0, 1, 0]


def test_a_bound_without_else_is_unknown_for_other_values() -> None:
    columns = Columns(
        n=3, now_us=0, signals={"x": floats([1, 1, 1])}, statuses={"segment": objects(["smb", "mid_market", None])}
    )
    assert truth("{signal: x, below: {by: segment, smb: 5}}", columns) == [1, -1, -1]


def test_a_status_that_is_not_known_yet_is_unknown() -> None:
    columns = Columns(n=3, now_us=0, statuses={"band": objects(["red", "green", None])})
    assert truth("{status: band, in: [red, yellow]}", columns) == [1, 0, -1]
    assert truth("{status: other, is: red}", columns) == [-1, -1, -1]


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("{field: f, above: 100}", "120.50", 1),
        ("{field: f, above: 100}", 99, 0),
        ("{field: f, above: 100}", "many", -1),
        ("{field: f, above: 100}", True, -1),
        ("{field: f, above: 100}", "inf", -1),
        ("{field: f, above: 100}", None, -1),
        ("{field: f, is: 1}", 1, 1),
        ("{field: f, is: 1}", True, 0),
        ("{field: f, is: true}", True, 1),
        ("{field: f, is: true}", 1, 0),
        ("{field: f, in: [urgent, high]}", "high", 1),
        ("{field: f, in: [urgent, high]}", ["high"], 0),
    ],
)
def test_a_field_is_read_for_what_it_is(written: str, value: Any, expected: int) -> None:
    assert truth(written, one(NOW, fields={"f": value})) == [expected]


def test_a_change_is_known_by_its_span() -> None:
    columns = one(NOW, changes={("score", 30): -15.0, ("score", 7): None})
    assert truth("{change: score, over: 30d, at_most: -15}", columns) == [1]
    assert truth("{change: score, over: 7d, at_most: -15}", columns) == [-1]
    assert truth("{change: score, over: 90d, at_most: -15}", columns) == [-1]


def test_missing_asks_every_kind_of_column() -> None:
    columns = one(NOW, signals={"a": None, "b": 0.0}, instants={"c": None, "d": NOW}, statuses={"e": None, "f": "x"})
    answers = {name: truth({"missing": name}, columns)[0] for name in "abcdefg"}
    assert answers == {"a": 1, "b": 0, "c": 1, "d": 0, "e": 1, "f": 0, "g": 1}


def test_each_record_is_a_row_beside_its_account() -> None:
    account = one(NOW, statuses={"band": "red"}, instants={"opened_at": NOW})
    rows = account.for_records(
        [
            {"priority": "urgent", "opened_at": "2026-11-24T08:00:00Z"},
            {"priority": "urgent", "opened_at": NOW - timedelta(hours=3)},
            {"priority": None, "opened_at": "2026-11-24T08:00:00+00:00"},
            {"priority": "urgent"},
        ]
    )
    urgent_for_four_hours = (
        "{all: [{field: priority, is: urgent}, {age: opened_at, at_least: 4h}, {status: band, is: red}]}"
    )
    assert truth(urgent_for_four_hours, rows) == [1, 0, -1, -1]


def test_no_records_are_no_rows() -> None:
    assert truth("{field: priority, is: urgent}", one(NOW).for_records([])) == []


def test_text_that_is_no_time_is_no_instant() -> None:
    rows = one(NOW).for_records([{"note": "2026-11-24T99:00:00Z!!"}, {"note": "2026-11-24T08:00:00"}])
    assert rows.instants == {}
