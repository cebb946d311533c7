"""Which changes of a band are news, and for how long."""

from datetime import timedelta

import pytest

from services.alerts.definitions import load
from services.alerts.domain.occasions import occasions
from tests.unit.services.alerts.said import DAY, HOUR, MICROSECOND, NOW, band, failed_payment, said

CATALOGUE = load()


def rules_that_see(previous: str | None, value: str, since: timedelta = timedelta()) -> set[str]:
    snapshot = said(statuses={"band": band(value, NOW - since, previous)})
    return {
        occasion.rule
        for compiled in CATALOGUE.compiled.values()
        for occasion in occasions(compiled.rule, snapshot, CATALOGUE.known, compiled.where, NOW)
    }


@pytest.mark.parametrize(
    ("previous", "value", "rule"),
    [
        ("green", "yellow", "band_turned_yellow"),
        ("green", "red", "band_turned_red"),
        ("yellow", "red", "band_turned_red"),
        ("unknown", "red", "band_turned_red"),
        ("unknown", "yellow", "band_turned_yellow"),
        (None, "red", "band_turned_red"),
        ("red", "green", "band_recovered"),
        ("yellow", "green", "band_recovered"),
        ("red", "yellow", None),
        ("unknown", "green", None),
        (None, "green", None),
        (None, "unknown", None),
        ("green", "unknown", None),
    ],
)
def test_a_band_is_news_when_it_worsens_or_recovers(previous: str | None, value: str, rule: str | None) -> None:
    assert rules_that_see(previous, value) == ({rule} if rule else set())


def test_news_ages() -> None:
    assert rules_that_see("green", "red", DAY) == {"band_turned_red"}
    assert rules_that_see("green", "red", DAY + MICROSECOND) == set()


def test_a_notable_is_about_the_record_it_names() -> None:
    compiled = CATALOGUE.compiled["payment_failed"]
    snapshot = said(notables=[failed_payment("in_1", NOW - HOUR, "e1"), failed_payment("in_2", NOW - 4 * DAY, "e2")])
    (one,) = occasions(compiled.rule, snapshot, CATALOGUE.known, compiled.where, NOW)
    assert (one.id, one.key, one.triggered_by) == ("e1", "in_1", ("e1",))
    assert one.words == "invoice payment failed: in_1"
