from services.scoring.domain import days

TODAY = 20_781


def test_past_windows_are_as_exact_as_those_that_end_now() -> None:
    value = days.of([TODAY, TODAY - 1, TODAY - 30, TODAY - 45])
    assert days.count(value, TODAY, 28) == 2
    assert days.count(value, TODAY - 28, 28) == 2
    assert days.count(value, TODAY - 2, 10) == 0


def test_two_of_three_users_stay_and_both_windows_know_it() -> None:
    # The trap: a key's last day alone says 1 user for the first window, although there were 3.
    users = [
        days.of(range(TODAY - 59, TODAY + 1)),
        days.of(range(TODAY - 59, TODAY + 1)),
        days.of(range(TODAY - 59, TODAY - 29)),
    ]
    assert sum(bool(days.any_in(user, TODAY - 30, 30)) for user in users) == 3
    assert sum(bool(days.any_in(user, TODAY, 30)) for user in users) == 2


def test_a_window_may_reach_back_before_the_first_day() -> None:
    assert days.count(days.of([TODAY - 3]), TODAY, 365) == 1


def test_beyond_64_days_nobody_counts_but_weeks_still_prove_activity() -> None:
    value = days.of([TODAY, TODAY - 100, TODAY - 101, TODAY - 300])
    assert days.count(value, TODAY - 90, 28) is None
    assert days.any_in(value, TODAY - 90, 28) is True
    assert days.any_in(value, TODAY - 150, 28) is False


def test_a_week_that_the_window_only_touches_proves_nothing() -> None:
    value = days.of([TODAY, TODAY - 100, TODAY - 300])
    assert days.any_in(value, TODAY - 101, 2) is None


def test_merging_aligns_to_the_newer_day() -> None:
    value = days.merge(days.of([TODAY - 70, TODAY - 10]), days.of([TODAY]))
    assert value == days.of([TODAY - 70, TODAY - 10, TODAY])
    # Ten days before a Tuesday is a Saturday two weeks back.
    assert value == days.Days(TODAY, days=1 | 1 << 10, weeks=1 | 1 << 2 | 1 << 10, first=TODAY - 70)
