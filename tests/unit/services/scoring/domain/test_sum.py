import pytest

from services.scoring.domain import sum as sums
from services.scoring.domain.instants import first_day_of, week_of

TODAY = 20_781  # 2026-11-24, a Tuesday


def test_a_window_is_its_last_day_and_those_before_it() -> None:
    value = sums.of_days({TODAY: 1, TODAY - 27: 10, TODAY - 28: 100})
    assert sums.window(value, TODAY, 28) == 11
    assert sums.window(value, TODAY - 28, 28) == 100
    assert sums.window(value, TODAY, 29) == 111


def test_whole_weeks_move_over_once_they_are_older_than_56_weeks() -> None:
    first_kept = first_day_of(week_of(TODAY) - 55)
    value = sums.of_days({TODAY: 1, first_kept: 2, first_kept - 1: 4, first_kept - 7: 8})
    assert value == sums.Sum({TODAY: 1, first_kept: 2}, {week_of(first_kept) - 1: 12})


def test_weeks_older_than_five_years_become_one_total() -> None:
    value = sums.of_days({TODAY: 1, TODAY - 8 * 365: 5, TODAY - 9 * 365: 6})
    assert value == sums.Sum({TODAY: 1}, {}, 11)
    assert sums.total(value) == 12


def test_the_newest_day_decides_the_split_whoever_comes_first() -> None:
    old, new = sums.of_days({TODAY - 500: 3}), sums.of_days({TODAY: 1})
    assert sums.merge(old, new) == sums.merge(new, old) == sums.of_days({TODAY - 500: 3, TODAY: 1})


def test_a_day_of_zero_is_still_a_day() -> None:
    assert sums.newest_day(sums.of_days({TODAY - 1: 5, TODAY: 0})) == TODAY


def test_of_a_week_that_the_window_cuts_its_share_counts() -> None:
    monday = first_day_of(week_of(TODAY) - 60)
    value = sums.of_days({TODAY: 0, monday: 14})
    assert sums.window(value, monday + 6, 7) == 14
    assert sums.window(value, monday + 6, 3) == 6


def test_level_halves_with_every_half_life() -> None:
    value = sums.of_days({TODAY: 3, TODAY - 90: 1, TODAY - 180: 1, TODAY - 1: 0})
    assert sums.level(value, TODAY, 90) == pytest.approx(1 + 0.5 + 0.25)


def test_level_ignores_what_lies_after_the_end() -> None:
    assert sums.level(sums.of_days({TODAY: 1}), TODAY - 1, 90) == 0


def test_history_reaches_back_to_the_first_amount() -> None:
    value = sums.of_days({TODAY: 1, TODAY - 30: 1})
    assert sums.reaches_back_to(value, TODAY - 30)
    assert not sums.reaches_back_to(value, TODAY - 31)
    assert sums.reaches_back_to(sums.of_days({TODAY: 1, TODAY - 500: 1}), TODAY - 400)
