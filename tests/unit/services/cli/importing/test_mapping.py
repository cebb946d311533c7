from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from services.cli.importing.cells import Times
from services.cli.importing.language import FileMapping
from services.cli.importing.lookups import Table
from services.cli.importing.mapping import Ambiguous, RowMapper
from services.cli.importing.outcome import Accepted, Draft, Refused, Row

USAGE = {
    "match": "usage.csv",
    "key": ["id"],
    "lookup": {"subscription": "subscription_id"},
    "times": {"day": "%d-%m-%Y", "subscription.start": "%d-%m-%Y"},
    "refuse": [{"when": {"column": "count", "is": "0"}, "reason": "nothing_used", "remedy": "leave it out"}],
    "remark": [{"when": {"column": "day", "before": "subscription.start"}, "words": "early"}],
    "emit": [
        {
            "type": "usage.feature_used",
            "id": "usage/{id}",
            "subject": "subscription.account",
            "time": "day",
            "data": {"feature": "feature", "quantity": {"int": "count"}, "duration_seconds": {"number": "secs"}},
        }
    ],
}
SUBSCRIPTIONS = Table({"S1": {"account": "A1", "start": "05-03-2024"}, "S2": Ambiguous()})
ROW = {"id": "U1", "subscription_id": "S1", "day": "06-03-2024", "feature": "export", "count": "3", "secs": "12.5"}


def mapper(mapping: dict[str, object] | None = None, shift: timedelta = timedelta(), zone: str = "UTC") -> RowMapper:
    file = msgspec.convert(USAGE | (mapping or {}), FileMapping)
    return RowMapper(file, {"subscription": SUBSCRIPTIONS}, Times(file.times, ZoneInfo(zone), shift))


def outcome(changes: dict[str, str], **options: object) -> Accepted | Refused:
    return mapper(**options).outcome(Row(7, ROW | changes))  # type: ignore[arg-type]


def test_a_row_becomes_its_event_with_the_account_of_its_subscription() -> None:
    assert outcome({}) == Accepted(
        7,
        (
            Draft(
                id="usage/U1",
                type="usage.feature_used",
                subject="A1",
                time=datetime(2024, 3, 6, tzinfo=UTC),
                data={"feature": "export", "quantity": 3, "duration_seconds": 12.5},
            ),
        ),
    )


def test_the_same_row_always_gives_the_same_events() -> None:
    assert outcome({}) == outcome({})


@pytest.mark.parametrize(
    ("changes", "column", "reason", "value"),
    [
        ({"subscription_id": "S9"}, "subscription_id", "lookup_not_found", "S9"),
        ({"subscription_id": "S2"}, "subscription_id", "lookup_ambiguous", "S2"),
        ({"day": "2024-03-06"}, "day", "time_unreadable", "2024-03-06"),
        ({"day": "31-02-2024"}, "day", "time_unreadable", "31-02-2024"),
        ({"day": ""}, "day", "time_unreadable", ""),
        ({"count": "0"}, "count", "nothing_used", "0"),
        ({"count": "1.5"}, "count", "not_a_whole_number", "1.5"),
        ({"count": "1e400000"}, "count", "not_a_whole_number", "1e400000"),
        ({"secs": "1,234"}, "secs", "not_a_number", "1,234"),
        ({"secs": "NaN"}, "secs", "not_a_number", "NaN"),
        ({"id": " "}, "id", "key_empty", ""),
    ],
)
def test_a_bad_cell_refuses_the_row_and_names_column_reason_value_and_remedy(
    changes: dict[str, str], column: str, reason: str, value: str
) -> None:
    refused = outcome(changes)
    assert isinstance(refused, Refused)
    assert (refused.line, refused.column, refused.reason, refused.value) == (7, column, reason, value)
    assert refused.remedy


def test_a_row_that_is_odd_is_taken_and_remarked_upon() -> None:
    early = outcome({"day": "04-03-2024"})
    assert isinstance(early, Accepted)
    assert early.remarks == ("early",)
    assert len(early.events) == 1


def test_an_empty_cell_leaves_its_field_out() -> None:
    taken = outcome({"secs": ""})
    assert isinstance(taken, Accepted)
    assert taken.events[0].data == {"feature": "export", "quantity": 3}


def test_times_are_read_in_the_zone_of_the_source() -> None:
    taken = outcome({}, zone="Europe/Berlin")
    assert isinstance(taken, Accepted)
    assert taken.events[0].time == datetime(2024, 3, 5, 23, tzinfo=UTC)


def test_a_shift_moves_every_time_by_whole_days() -> None:
    emit = [USAGE["emit"][0] | {"type": "subscription.started", "data": {"effective_at": {"time": "day"}}}]  # type: ignore[index]
    taken = outcome({}, mapping={"emit": emit}, shift=timedelta(days=300))
    assert isinstance(taken, Accepted)
    assert taken.events[0].time == datetime(2024, 12, 31, tzinfo=UTC)
    assert taken.events[0].data == {"effective_at": "2024-12-31T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("value", "cell", "expected"),
    [
        ({"bool": "count"}, "TRUE", True),
        ({"bool": "count"}, "no", False),
        ({"money": "count", "currency": "USD"}, "2786.10", {"amount": "2786.10", "currency": "USD"}),
        ({"money": "count", "currency": "{feature}"}, "5", {"amount": "5", "currency": "export"}),
        ({"decimal": "count"}, "-3.140", "-3.140"),
        ({"from": "count", "map": {"a": 1, "b": 2}}, "b", 2),
        ({"from": "count", "map": {"a": 1}, "else": "other"}, "z", "other"),
        ({"const": False}, "x", False),
        ({"fields": {"n": {"int": "count"}, "gone": {"from": "empty"}}}, "4", {"n": 4}),
        ("{feature}/{count}", "4", "export/4"),
    ],
)
def test_a_value_is_read_as_its_kind_says(value: object, cell: str, expected: object) -> None:
    emit = [USAGE["emit"][0] | {"data": {"it": value}}]  # type: ignore[index]
    taken = outcome({"count": cell, "empty": ""}, mapping={"emit": emit, "refuse": []})
    assert isinstance(taken, Accepted)
    assert taken.events[0].data == {"it": expected}


def test_a_code_that_the_map_does_not_know_is_refused_unless_the_mapping_says_otherwise() -> None:
    def with_else(otherwise: dict[str, str]) -> Accepted | Refused:
        value = {"from": "count", "map": {"a": 1}} | otherwise
        emit = [USAGE["emit"][0] | {"data": {"it": value}}]  # type: ignore[index]
        return outcome({"count": "z"}, mapping={"emit": emit})

    refused, left_out = with_else({}), with_else({"else": "absent"})
    assert isinstance(refused, Refused)
    assert refused.reason == "not_in_map"
    assert isinstance(left_out, Accepted)
    assert left_out.events[0].data == {}


def test_an_event_is_made_only_where_all_its_tests_hold() -> None:
    tests = [{"column": "feature", "in": ["export", "share"]}, {"column": "secs", "empty": False}]
    emit = [USAGE["emit"][0] | {"when": tests}]  # type: ignore[index]
    made, not_made = outcome({}, mapping={"emit": emit}), outcome({"secs": ""}, mapping={"emit": emit})
    assert isinstance(made, Accepted)
    assert isinstance(not_made, Accepted)
    assert (len(made.events), len(not_made.events)) == (1, 0)
