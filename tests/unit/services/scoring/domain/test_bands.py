from datetime import timedelta

import pytest

from services.scoring.domain.bands import Evidence, next_band
from services.scoring.domain.model import Bands
from shared.contracts.health import StatusValue
from tests.unit.services.scoring.acme import NOW, days_ago

BANDS = Bands(70_000, 65_000, 45_000, 40_000, dwell_us=3_600_000_000)


def since(band: str, days: float = 1) -> StatusValue:
    return StatusValue(value=band, since=days_ago(days))


def known(points: float) -> Evidence:
    return Evidence(round(points * 1000), None, is_covered=True)


@pytest.mark.parametrize(
    ("points", "before", "after"),
    [
        (67, None, "yellow"),  # green has to be entered
        (70, None, "green"),
        (44.999, None, "red"),
        (67, "green", "green"),  # inside the two edges
        (65, "green", "green"),
        (64.999, "green", "yellow"),
        (67, "yellow", "yellow"),
        (40, "yellow", "yellow"),
        (39.999, "yellow", "red"),
        (44, "red", "red"),
        (45, "red", "yellow"),
        (39, "green", "red"),
        (70, "red", "green"),
    ],
)
def test_a_band_has_two_edges(points: float, before: str | None, after: str) -> None:
    assert next_band(BANDS, known(points), since(before) if before else None, NOW) == (after, False)


def test_it_worsens_at_once_and_improves_after_the_dwell() -> None:
    young = since("yellow", 1 / 48)
    assert next_band(BANDS, known(20), young, NOW) == ("red", False)
    assert next_band(BANDS, known(90), young, NOW) == ("yellow", False)
    assert next_band(BANDS, known(90), young, NOW + timedelta(minutes=30)) == ("green", False)


def test_unknown_is_for_accounts_that_were_never_known_enough() -> None:
    thin = Evidence(90_000, None, is_covered=False)
    nothing = Evidence(None, None, is_covered=False)
    assert next_band(BANDS, thin, None, NOW) == ("unknown", False)
    assert next_band(BANDS, thin, since("unknown"), NOW) == ("unknown", False)
    assert next_band(BANDS, thin, since("red"), NOW) == ("red", True)
    assert next_band(BANDS, nothing, since("green"), NOW) == ("green", True)


def test_an_unknown_account_becomes_known_without_a_dwell() -> None:
    assert next_band(BANDS, known(50), since("unknown", 0), NOW) == ("yellow", False)


def test_it_improves_only_if_it_would_with_the_last_known_values_too() -> None:
    assert next_band(BANDS, Evidence(90_000, 30_000, is_covered=True), since("red"), NOW) == ("red", True)
    assert next_band(BANDS, Evidence(90_000, 50_000, is_covered=True), since("red"), NOW) == ("yellow", False)
    assert next_band(BANDS, Evidence(20_000, 90_000, is_covered=True), since("green"), NOW) == ("red", False)
