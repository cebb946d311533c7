"""Laws of the four merges, of records and of the fold: any order, any split, any duplicate behind set semantics."""

import random
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st

from services.scoring.domain import dated, days, span
from services.scoring.domain import sum as sums
from services.scoring.domain.record import State, decode, encode, merge
from services.scoring.domain.snapshot import build
from shared.contracts.envelope import HealthEvent
from tests.property.histories import HISTORIES
from tests.unit.services.scoring.acme import ALL_FRESH, NOW, case_of, packaged, snapshot_of, state_of

T = TypeVar("T")

DAYS = st.integers(-1_000, 25_000)
SOURCES = st.sampled_from(["crm", "app", ""])
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(["a", "b"]))
ENTRIES = st.tuples(st.integers(0, 20), st.integers(0, 3), SOURCES, VALUES)

SUMS = st.dictionaries(DAYS, st.integers(-5, 5), min_size=1, max_size=8).map(sums.of_days)
SPANS = st.lists(st.integers(), min_size=1, max_size=3).map(lambda times: span.Span(min(times), max(times)))
SETS_OF_DAYS = st.sets(DAYS | st.integers(20_000, 20_200), min_size=1, max_size=8).map(days.of)


def dateds(keep: int, first: int) -> st.SearchStrategy[dated.Dated]:
    entries = st.lists(ENTRIES, min_size=1, max_size=8)
    return entries.map(lambda found: dated.of(found, keep, first, ("crm",)))


@given(SUMS, SUMS, SUMS)
def test_sums_merge_in_any_order(a: sums.Sum, b: sums.Sum, c: sums.Sum) -> None:
    assert sums.merge(a, b) == sums.merge(b, a)
    assert sums.merge(sums.merge(a, b), c) == sums.merge(a, sums.merge(b, c))
    assert sums.total(sums.merge(a, b)) == sums.total(a) + sums.total(b)


@given(st.lists(st.tuples(DAYS, st.integers(-5, 5)), min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_a_sum_is_one_whatever_the_portions(amounts: list[tuple[int, int]], random: random.Random) -> None:
    def added(portion: Sequence[tuple[int, int]]) -> sums.Sum:
        return reduce(sums.merge, [sums.of_days({day: amount}) for day, amount in portion])

    shuffled = random.sample(amounts, len(amounts))
    assert added(shuffled) == added(amounts)


@given(SPANS, SPANS, SPANS)
def test_spans_merge_in_any_order_and_once(a: span.Span, b: span.Span, c: span.Span) -> None:
    holds_for_sets(span.merge, a, b, c)


@given(SETS_OF_DAYS, SETS_OF_DAYS, SETS_OF_DAYS)
def test_days_merge_in_any_order_and_once(a: days.Days, b: days.Days, c: days.Days) -> None:
    holds_for_sets(days.merge, a, b, c)


@given(st.sets(DAYS, min_size=1), st.sets(DAYS, min_size=1))
def test_merged_days_are_the_days_of_both(a: set[int], b: set[int]) -> None:
    assert days.merge(days.of(a), days.of(b)) == days.of(a | b)


@given(st.sets(st.integers(20_000, 20_300), min_size=1), st.integers(19_990, 20_320), st.integers(1, 120))
def test_days_are_counted_exactly_or_not_at_all(known: set[int], end: int, window: int) -> None:
    truth = len(known & set(range(end - window + 1, end + 1)))
    assert days.count(days.of(known), end, window) in (truth, None)
    assert days.any_in(days.of(known), end, window) in (truth > 0, None)
    if max(known) - (end - window + 1) < days.BITS:
        assert days.count(days.of(known), end, window) == truth


@given(st.integers(1, 4), st.integers(0, 3), st.data())
def test_dated_values_merge_in_any_order_and_once(keep: int, first: int, data: st.DataObject) -> None:
    a, b, c = (data.draw(dateds(keep, first)) for _ in range(3))
    holds_for_sets(dated.merge, a, b, c)


@given(st.lists(ENTRIES, min_size=1, max_size=20), st.integers(0, 25))
def test_now_is_the_same_whether_old_values_were_cut_or_not(entries: list[dated.Entry], us: int) -> None:
    kept = reduce(dated.merge, [dated.of([entry], keep=2, trusted=("crm",)) for entry in entries])
    assert dated.at(kept, 10**9) == dated.at(dated.of(entries, keep=99, trusted=("crm",)), 10**9)
    assert all(earlier[:2] <= later[:2] for earlier, later in pairwise(kept.entries))


def holds_for_sets(merge: Callable[[T, T], T], a: T, b: T, c: T) -> None:
    assert merge(a, b) == merge(b, a)
    assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, a) == a
    assert merge(merge(a, b), b) == merge(a, b)


@given(HISTORIES, st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_order_and_any_split_give_the_same_state(
    history: list[HealthEvent], random: random.Random, portions: int
) -> None:
    shuffled = random.sample(history, len(history))
    split = [state_of(shuffled[n::portions]) for n in range(portions)]
    assert reduce(merge, random.sample(split, portions), State()) == state_of(history)


@given(HISTORIES, HISTORIES, HISTORIES)
def test_states_merge_in_any_order(a: list[HealthEvent], b: list[HealthEvent], c: list[HealthEvent]) -> None:
    x, y, z = state_of(a), state_of(b), state_of(c)
    assert merge(x, y) == merge(y, x)
    assert merge(merge(x, y), z) == merge(x, merge(y, z))
    assert merge(x, State()) == x


@given(HISTORIES)
def test_bytes_hold_the_whole_state(history: list[HealthEvent]) -> None:
    state = state_of(history)
    assert decode(encode(state)) == state
    assert encode(state_of(history[::-1])) == encode(state)


@given(HISTORIES, st.randoms(use_true_random=False))
def test_what_is_said_does_not_depend_on_the_order_of_events(history: list[HealthEvent], random: random.Random) -> None:
    shuffled = random.sample(history, len(history))
    halves = merge(state_of(shuffled[::2]), state_of(shuffled[1::2]))
    assert snapshot_of(halves) == snapshot_of(state_of(history))


@given(HISTORIES)
def test_under_a_small_cap_the_same_keys_stay(history: list[HealthEvent]) -> None:
    singles = [state_of([one]) for one in history]
    forward = reduce(lambda a, b: merge(a, b, keys_max=2), singles, State())
    backward = reduce(lambda a, b: merge(a, b, keys_max=2), singles[::-1], State())
    assert forward == backward
    people = {key for state in singles for kind, key in state.records if kind == "person"}
    assert ("person" in forward.sampled) == (len(people) > 2)
    assert build(packaged(), [case_of(forward, ALL_FRESH)], NOW)
