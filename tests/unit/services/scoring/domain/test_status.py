from datetime import timedelta

from services.scoring.domain.definitions import Reason, StatusRule
from services.scoring.domain.status import reasons_of, since, value_of
from shared.conditions.grammar import parse
from shared.conditions.one_row import Row, compile_row
from shared.contracts.health import Reason as ReasonShown
from shared.contracts.health import StatusValue
from tests.unit.services.scoring.acme import NOW, days_ago


def rule(*, has_memory: bool) -> StatusRule:
    values = (
        ("low", compile_row(parse({"signal": "level", "below": 10}))),
        ("high", compile_row(parse({"signal": "level", "at_least": 50}))),
        ("middle", None),
    )
    return StatusRule("adoption", values, has_memory, needs_score=False)


def level(value: float | None) -> Row:
    return Row(0, signals={"level": value})


def said(value: str) -> StatusValue:
    return StatusValue(value=value, since=days_ago(1))


def test_the_first_condition_that_holds_wins() -> None:
    found = [value_of(rule(has_memory=False), level(value), None) for value in (9, 10, 50, None)]
    assert found == ["low", "middle", "high", "middle"]


def test_without_memory_the_past_changes_nothing() -> None:
    assert value_of(rule(has_memory=False), level(None), said("low")) == "middle"


def test_with_memory_unknown_changes_nothing() -> None:
    assert value_of(rule(has_memory=True), level(None), said("low")) == "low"
    assert value_of(rule(has_memory=True), level(20), said("low")) == "middle"


def test_a_status_says_since_when_and_what_it_was() -> None:
    first = since("red", None, days_ago(2), "time")
    same = since("red", first, NOW, "behaviour")
    other = since("green", first, NOW, "behaviour")
    assert same is first
    assert other == StatusValue(value="green", since=NOW, previous="red", cause="behaviour")


def test_going_stale_keeps_since_and_cause() -> None:
    first = since("red", None, days_ago(2), "time")
    stale = since("red", first, NOW, "data", stale=True)
    assert stale == StatusValue(value="red", since=days_ago(2), cause="time", stale=True)


def test_a_reason_keeps_its_beginning_and_stays_while_nobody_knows() -> None:
    rules = [Reason("low", compile_row(parse({"signal": "level", "below": 10})), "low")]
    words = {"low": "Level is low"}
    first = reasons_of(rules, level(1), words, [], days_ago(1))
    assert first == [ReasonShown("low", "Level is low", days_ago(1))]
    assert reasons_of(rules, level(None), words, first, NOW) == first
    assert reasons_of(rules, level(2), words, first, NOW + timedelta(1)) == first
    assert reasons_of(rules, level(50), words, first, NOW) == []
    assert reasons_of(rules, level(None), words, [], NOW) == []
