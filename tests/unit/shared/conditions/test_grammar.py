"""What the grammar takes, and how it refuses the rest."""

import pytest
import yaml

from shared.conditions.durations import DAY_US
from shared.conditions.grammar import DEPTH_MAX, TESTS_MAX, BadCondition, parse
from shared.conditions.terms import Age, All, Any_, By, Change, Comparison, Field, Missing, Not, Signal, Status, Until


@pytest.mark.parametrize(
    ("written", "condition"),
    [
        ("{signal: active_users_28d, below: 5}", Signal("active_users_28d", (Comparison("below", 5.0),))),
        ("{signal: nps_last, in: [9, 10]}", Signal("nps_last", (), (9.0, 10.0))),
        ("{age: last_session_at, at_least: 10d}", Age("last_session_at", (Comparison("at_least", 10 * DAY_US),))),
        (
            "{until: term_end, at_most: {by: segment, smb: 45d, else: 90d}}",
            Until("term_end", (Comparison("at_most", By("segment", (("smb", 45 * DAY_US),), 90 * DAY_US)),)),
        ),
        ("{status: band, is: red}", Status("band", ("red",))),
        ("{field: priority, in: [urgent, high]}", Field("priority", (), ("urgent", "high"))),
        ("{field: is_vip, is: true}", Field("is_vip", (), (True,))),
        ("{change: score, over: 30d, at_most: -15}", Change("score", 30, (Comparison("at_most", -15.0),))),
        ("{missing: nps}", Missing("nps")),
        ("{not: {missing: nps}}", Not(Missing("nps"))),
        ("{any: [{missing: a}, {all: [{missing: b}]}]}", Any_((Missing("a"), All((Missing("b"),))))),
        (
            "{signal: seats, at_least: 3, below: 5}",
            Signal("seats", (Comparison("below", 5.0), Comparison("at_least", 3.0))),
        ),
    ],
)
def test_what_is_written_is_what_is_read(written: str, condition: object) -> None:
    assert parse(yaml.safe_load(written)) == condition


@pytest.mark.parametrize(
    ("written", "path", "expectation"),
    [
        ("{}", "", "exactly one of all, any"),
        ("just text", "", "an object with one of all, any"),
        ("{signal: a, status: b, is: x}", "", "exactly one of"),
        ("{signal: a}", "", "at least one of below"),
        ("{signal: a, belw: 5}", "/belw", "only signal, below"),
        ("{signal: a, below: 5d}", "/below", "a finite number"),
        ("{signal: a, below: .nan}", "/below", "a finite number"),
        ("{signal: a, below: true}", "/below", "a finite number"),
        ("{signal: 7, below: 5}", "/signal", "text of 1 to"),
        ("{signal: a, in: []}", "/in", "a list of 1 to"),
        ("{signal: a, below: {smb: 5}}", "/below", "{by: status"),
        ("{signal: a, below: {by: segment, else: 5}}", "/below", "at least one value of the status"),
        ("{signal: a, below: {by: segment, smb: x}}", "/below/smb", "a finite number"),
        ("{age: a, at_least: 10}", "/at_least", "a duration"),
        ("{age: a, at_least: -1d}", "/at_least", "a duration"),
        ("{age: a, at_least: 9999999w}", "/at_least", "a duration"),
        ("{status: paying, is: on}", "/is", "put it in quotes"),
        ("{status: band}", "", "either is or in"),
        ("{status: band, is: red, in: [red]}", "", "either is or in"),
        ("{change: score, over: 5d, below: 1}", "/over", "one of 1d, 7d, 30d, 90d"),
        ("{change: score, below: 1}", "/over", "one of 1d, 7d, 30d, 90d"),
        ("{all: []}", "/all", "a list of at least one condition"),
        ("{all: [{missing: a}, {not: {signal: b, above: x}}]}", "/all/1/not/above", "a finite number"),
        ("{missing: a, below: 1}", "/below", "only missing"),
    ],
)
def test_a_refusal_names_path_and_expectation(written: str, path: str, expectation: str) -> None:
    with pytest.raises(BadCondition) as refused:
        parse(yaml.safe_load(written))
    assert refused.value.path == path
    assert refused.value.expectation.startswith(expectation) or expectation in refused.value.expectation


def test_a_refusal_names_the_value_found() -> None:
    with pytest.raises(BadCondition) as refused:
        parse({"signal": "a", "below": "five"})
    assert refused.value.value == "five"
    assert str(refused.value).startswith("/below: found 'five', expected a finite number")


def test_nesting_ends_at_its_limit() -> None:
    written: object = {"missing": "a"}
    for _ in range(DEPTH_MAX - 1):
        written = {"not": written}
    parse(written)
    with pytest.raises(BadCondition, match="levels"):
        parse({"not": written})


def test_the_number_of_tests_ends_at_its_limit() -> None:
    parse({"all": [{"missing": "a"}] * TESTS_MAX})
    with pytest.raises(BadCondition, match="tests"):
        parse({"all": [{"missing": "a"}] * (TESTS_MAX + 1)})
