import pytest

from services.scoring.domain.words import filled, named, number, rounded


@pytest.mark.parametrize(
    ("value", "shown"), [(0, "0"), (12, "12"), (1234, "1234"), (0.8333, "0.83"), (46.08, "46"), (-0.154, "-0.15")]
)
def test_a_number_has_two_digits_where_it_has_a_fraction(value: float, shown: str) -> None:
    assert number(value) == shown


def test_rounding_is_to_significant_digits() -> None:
    assert [rounded(value) for value in (0.0, 1234.0, 0.0123456, 99.6)] == [0, 1200, 0.012, 100]


def test_templates_take_values_percents_and_days_ago() -> None:
    assert filled("{value} seats, {percent}", 0.5) == "0.5 seats, 50%"
    assert [filled("Used {ago}", days) for days in (0, 1, 9)] == ["Used today", "Used yesterday", "Used 9 days ago"]


def test_nothing_in_a_template_is_evaluated() -> None:
    assert filled("{value.__class__} {0} {x!r}", 1.0) == "{value.__class__} {0} {x!r}"


def test_reasons_name_signals_and_say_when_one_is_unknown() -> None:
    assert named("{open} of {all}", {"open": 2.0, "all": None}) == "2 of an unknown number of"
