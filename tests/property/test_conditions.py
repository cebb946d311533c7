"""Laws of conditions that hold for all of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from shared.conditions.columns import Columns, one
from shared.conditions.compile import compile_
from shared.conditions.due import next_change
from shared.conditions.grammar import parse
from shared.conditions.terms import Condition, Missing, Not, walk
from shared.conditions.words import words

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = st.sampled_from(["a", "b", "c"])
SEGMENTS = ["smb", "enterprise"]
HOURS = st.integers(0, 100)
TICK = timedelta(microseconds=1)

Written = dict[str, Any]


def by_segment(value: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    chosen = st.fixed_dictionaries({"by": st.just("segment"), "smb": value}, optional={"else": value})
    return st.one_of(value, chosen)


DURATIONS = by_segment(HOURS.map(lambda hours: f"{hours}h"))
NUMBERS = by_segment(st.integers(-3, 3))
INEQUALITIES = st.sampled_from(["below", "above", "at_least", "at_most"])


@st.composite
def leaves(draw: st.DrawFn) -> Written:
    kind = draw(st.sampled_from(["age", "until", "signal", "status", "missing"]))
    name = draw(NAMES)
    match kind:
        case "age" | "until":
            return {kind: name, **draw(st.dictionaries(INEQUALITIES, DURATIONS, min_size=1, max_size=2))}
        case "signal":
            return {kind: name, **draw(st.dictionaries(INEQUALITIES, NUMBERS, min_size=1, max_size=2))}
        case "status":
            return {kind: "segment", "in": draw(st.lists(st.sampled_from(SEGMENTS), min_size=1))}
        case _:
            return {kind: name}


def joined(parts: st.SearchStrategy[Written]) -> st.SearchStrategy[Written]:
    several = st.lists(parts, min_size=1, max_size=3)
    return st.one_of(
        several.map(lambda all_of: {"all": all_of}),
        several.map(lambda any_of: {"any": any_of}),
        parts.map(lambda part: {"not": part}),
    )


CONDITIONS = st.recursive(leaves(), joined, max_leaves=6).map(parse)
# Whole hours meet the edges of whole-hour durations; the odd microsecond meets both sides of them.
INSTANTS = st.one_of(
    st.none(),
    st.builds(
        lambda hours, ticks: NOW + timedelta(hours=hours) + ticks * TICK, st.integers(-120, 120), st.integers(-1, 1)
    ),
)
ACCOUNTS = st.fixed_dictionaries(
    {
        "signals": st.dictionaries(NAMES, st.one_of(st.none(), st.integers(-3, 3).map(float))),
        "instants": st.dictionaries(NAMES, INSTANTS),
        "statuses": st.fixed_dictionaries({"segment": st.sampled_from([*SEGMENTS, None])}),
        "ends": st.dictionaries(NAMES, INSTANTS.filter(lambda instant: instant is not None)),
    }
)


def truth(condition: Condition, now: datetime, account: dict[str, Any]) -> int:
    return int(compile_(condition)(one(now, **account))[0])


def asks_nothing_of_missing(condition: Condition) -> bool:
    return not any(isinstance(test, Missing) for _, test in walk(condition))


def known(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@given(CONDITIONS, ACCOUNTS, st.floats(0, 1, exclude_max=True))
def test_nothing_changes_before_the_next_change(condition: Condition, account: dict[str, Any], fraction: float) -> None:
    due = next_change(condition, account["instants"], NOW, statuses=account["statuses"], ends=account["ends"])
    horizon = due or NOW + timedelta(days=400)
    assert horizon > NOW
    before = truth(condition, NOW, account)
    for instant in (NOW + fraction * (horizon - NOW), horizon - TICK):
        assert truth(condition, min(instant, horizon - TICK), account) == before


@given(CONDITIONS, ACCOUNTS)
def test_following_next_change_meets_every_turn(condition: Condition, account: dict[str, Any]) -> None:
    """Looks at the due instants alone say at every hour what an evaluation at that hour says."""
    account = account | {"ends": {}}
    looked_at, said = NOW, truth(condition, NOW, account)
    for hour in range(1, 250):
        instant = NOW + timedelta(hours=hour)
        while (due := next_change(condition, account["instants"], looked_at, statuses=account["statuses"])) is not None:
            if due > instant:
                break
            looked_at, said = due, truth(condition, due, account)
        assert truth(condition, instant, account) == said


@given(CONDITIONS, st.lists(ACCOUNTS, min_size=1, max_size=5))
def test_a_fleet_answers_as_its_accounts_do(condition: Condition, accounts: list[dict[str, Any]]) -> None:
    apart = [one(NOW, **account | {"ends": {}}) for account in accounts]
    together = compile_(condition)(stacked(apart))
    assert together.tolist() == [int(compile_(condition)(columns)[0]) for columns in apart]


@given(CONDITIONS, ACCOUNTS)
def test_not_mirrors_and_twice_not_is_nothing(condition: Condition, account: dict[str, Any]) -> None:
    said = truth(condition, NOW, account)
    assert truth(Not(condition), NOW, account) == {1: 0, 0: 1, -1: -1}[said]
    assert truth(Not(Not(condition)), NOW, account) == said


@given(CONDITIONS.filter(asks_nothing_of_missing), ACCOUNTS, st.integers(-3, 3), INSTANTS)
def test_learning_more_never_reverses_an_answer(
    condition: Condition, account: dict[str, Any], number: int, instant: datetime | None
) -> None:
    """What is unknown may become anything; what is true or false stays so."""
    learned = {
        "signals": {name: float(number) for name in "abc"} | known(account["signals"]),
        "instants": dict.fromkeys("abc", instant) | known(account["instants"]),
    }
    before, after = truth(condition, NOW, account), truth(condition, NOW, account | learned)
    assert before in (-1, after)


@given(CONDITIONS)
def test_every_condition_has_a_sentence(condition: Condition) -> None:
    assert words(condition)


def stacked(rows: list[Columns]) -> Columns:
    """The rows of several accounts as one fleet; what an account does not have is missing."""
    names = ("a", "b", "c")
    nan, never = np.full(1, np.nan), np.full(1, np.iinfo(np.int64).min)
    return Columns(
        n=len(rows),
        now_us=rows[0].now_us,
        signals={name: np.concatenate([row.signals.get(name, nan) for row in rows]) for name in names},
        instants={name: np.concatenate([row.instants.get(name, never) for row in rows]) for name in names},
        statuses={"segment": np.concatenate([row.statuses["segment"] for row in rows])},
    )
