"""Conditions as people read them."""

import pytest
import yaml

from shared.conditions.durations import duration_words
from shared.conditions.grammar import parse
from shared.conditions.words import words


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{signal: active_users_28d, below: 5}", "active users over 28 days is below 5"),
        ("{signal: usage_trend, at_least: 0.5, below: 0.7}", "usage trend is below 0.7 and at least 0.5"),
        ("{signal: nps_last, in: [9, 10]}", "nps last is 9 or 10"),
        ("{signal: nps_last, is: 9}", "nps last is 9"),
        ("{signal: arr, above: 1000000}", "arr is above 1,000,000"),
        ("{age: last_session_at, at_least: 10d}", "last session was at least 10 days ago"),
        ("{age: opened_at, above: 4h}", "opened was more than 4 hours ago"),
        ("{until: term_end, at_most: 45d}", "term end is at most 45 days away"),
        (
            "{until: term_end, at_most: {by: segment, smb: 45d, mid_market: 60d, else: 90d}}",
            "term end is at most (segment: 45 days for smb, 60 days for mid market, 90 days otherwise) away",
        ),
        ("{status: band, is: red}", "band is red"),
        ("{not: {status: band, in: [red, yellow]}}", "band is not red or yellow"),
        ("{field: priority, in: [urgent, high, mid]}", "priority is urgent, high or mid"),
        ("{field: is_vip, is: true}", "is vip is true"),
        ("{change: score, over: 30d, at_most: -15}", "score fell by at least 15 over 30 days"),
        ("{change: score, over: 1d, above: 2.5}", "score rose by more than 2.5 over 1 day"),
        ("{change: score, over: 7d, below: 3}", "score changed by less than 3 over 7 days"),
        ("{missing: nps}", "nps is not known"),
        ("{not: {missing: nps}}", "nps is known"),
        ("{not: {age: seen_at, at_least: 1d}}", "not (seen was at least 1 day ago)"),
        (
            "{all: [{missing: a}, {any: [{missing: b}, {missing: c}]}]}",
            "a is not known and (b is not known or c is not known)",
        ),
        ("{any: [{missing: a}, {all: [{missing: b}]}]}", "a is not known or b is not known"),
    ],
)
def test_a_condition_reads_as_a_sentence(written: str, said: str) -> None:
    assert words(parse(yaml.safe_load(written))) == said


def test_the_catalogues_label_stands_for_the_name() -> None:
    condition = parse({"signal": "tickets_open", "above": 3})
    assert words(condition, {"tickets_open": "open tickets"}) == "open tickets is above 3"


@pytest.mark.parametrize(
    ("us", "said"),
    [
        (0, "0 days"),
        (86_400_000_000, "1 day"),
        (129_600_000_000, "36 hours"),
        (90_000_000, "90 seconds"),
        (1, "1e-06 seconds"),
    ],
)
def test_a_duration_is_said_in_the_largest_whole_unit(us: int, said: str) -> None:
    assert duration_words(us) == said
