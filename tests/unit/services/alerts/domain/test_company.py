"""Which streams count as stopped, when, and what is said of them."""

from datetime import datetime, timedelta

import pytest

from services.alerts.definitions import load
from services.alerts.domain import company
from services.alerts.domain.evaluation import COMPANY
from services.alerts.domain.findings import evaluate, findings
from shared.conditions.compile import TRUE
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, NOW

RULES = load().compiled
STALLED = RULES[company.RULE]


@pytest.mark.parametrize(
    ("stream", "after"),
    [("product.usage", 24 * HOUR), ("support.tickets", 14 * DAY), ("billing.events", 14 * DAY), ("other", 14 * DAY)],
)
def test_a_stream_has_stopped_at_its_edge_and_not_before(stream: str, after: timedelta) -> None:
    heard = {stream: NOW}
    assert company.stalled(STALLED, heard, NOW + after - MICROSECOND) == {}
    assert company.stalled(STALLED, heard, NOW + after).keys() == {stream}
    assert company.stalled(STALLED, heard, NOW + after)[stream].newest == NOW


def test_a_stream_that_was_never_heard_is_none() -> None:
    assert company.stalled(STALLED, {}, NOW) == {}
    assert company.snapshot(0, {}, NOW).records == []


def test_without_the_rule_nothing_is_ever_held_back() -> None:
    assert company.stalled(None, {"product.usage": NOW}, NOW + 99 * DAY) == {}


def test_anybodys_event_is_a_sign_of_life_of_its_stream() -> None:
    first, second = {"product.usage": NOW - DAY, "billing.events": NOW}, {"product.usage": NOW}
    assert company.newest((first, second, {})) == {"product.usage": NOW, "billing.events": NOW}


@pytest.mark.parametrize(
    ("stream", "silent", "words"),
    [
        ("product.usage", 25 * HOUR + timedelta(minutes=59), "nothing of product.usage has reached us for 25 hours"),
        ("product.usage", 60 * HOUR, "nothing of product.usage has reached us for 2 days"),
        ("support.tickets", 15 * DAY, "nothing of support.tickets has reached us for 15 days"),
    ],
)
def test_it_is_said_in_words(stream: str, silent: timedelta, words: str) -> None:
    assert said_of({stream: NOW}, NOW + silent) == {(COMPANY, company.RULE, stream): words}


def test_no_rule_about_accounts_is_about_the_company() -> None:
    assert said_of({"product.usage": NOW - HOUR}, NOW) == {}
    views = {COMPANY: (0, company.snapshot(0, {"product.usage": NOW}, NOW))}
    assert {about[1] for about in evaluate(RULES, views, {}, NOW)} == {company.RULE}


def said_of(heard: dict[str, datetime], now: datetime) -> dict[tuple[str, str, str], str]:
    views = {COMPANY: (0, company.snapshot(0, heard, now))}
    truths = evaluate(RULES, views, {0: heard}, now)
    found = findings(RULES, truths, views, is_open=(), arrived=(), occasions=(), now=now)
    assert all(one.holds == TRUE and one.cause == "time" for one in found.values())
    return {about: one.words for about, one in found.items()}
