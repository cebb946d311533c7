"""Laws of the score, its causes and its bands; and that conditions over rows answer as those over columns do."""

from datetime import timedelta
from typing import Any

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from services.scoring.domain.causes import thousandths
from services.scoring.domain.entries import BandsEntry, EdgesEntry, FactorEntry, ModelEntry
from services.scoring.domain.model import BAND_VALUES, Model, compile_factor, compile_model
from services.scoring.domain.record import merge
from services.scoring.domain.score import score
from services.scoring.domain.snapshot import build
from shared.conditions.columns import Columns, as_instant, floats, objects
from shared.conditions.compile import compile_
from shared.conditions.grammar import parse
from shared.conditions.one_row import Row, compile_row
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Snapshot
from tests.property.histories import HISTORIES
from tests.unit.services.scoring.acme import ALL_FRESH, NOW, STREAMS, case_of, packaged, snapshot_of, state_of

NAN = float("nan")
PLACES = st.integers(0, 3)
DIMENSIONS = {"a": 50, "b": 30, "c": 20}


@st.composite
def models(draw: st.DrawFn, *, monotone: bool = False, count_min: int = 3) -> Model:
    factors = []
    for n in range(draw(st.integers(count_min, 9))):
        knots = sorted(draw(st.sets(st.integers(-20, 20), min_size=2, max_size=4)))
        points = draw(st.lists(st.floats(0, 100), min_size=len(knots), max_size=len(knots)))
        factors.append(
            FactorEntry(
                factor=f"f{n}",
                source=["test"],
                dimension="abc"[n % 3],
                weight=draw(st.integers(1, 100)),
                signal=f"f{n}",
                curve=list(zip(knots, sorted(points) if monotone else points, strict=True)),
                words="",
                missing="",
            )
        )
    entry = ModelEntry(
        model="any",
        version=1,
        source=["test"],
        dimensions=DIMENSIONS,
        factors=[factor.factor for factor in factors],
        bands=BandsEntry(green=EdgesEntry(enter=70, leave=65), yellow=EdgesEntry(enter=45, leave=40)),
        coverage_min=0.4,
    )
    return compile_model(entry, {factor.factor: compile_factor(factor) for factor in factors})


VALUES = st.one_of(st.just(NAN), st.floats(-30, 30), st.integers(-30, 30).map(float))


def row(data: st.DataObject, model: Model) -> list[float]:
    count = len(model.factors)
    return data.draw(st.lists(VALUES, min_size=count, max_size=count))


@given(models(), st.data())
def test_contributions_sum_to_the_score_and_both_stay_in_range(model: Model, data: st.DataObject) -> None:
    values = row(data, model)
    scored = score(np.array([values]), model)
    assert scored.contributions[0].sum() == scored.points[0]
    assert 0 <= scored.points[0] <= 100_000
    assert (scored.contributions >= 0).all()
    assert 0 <= scored.coverage[0] <= 1 + 1e-9
    assert scored.known[0] == (not np.isnan(values).all())
    assert (scored.contributions[0][np.isnan(values)] == 0).all()


@given(models(monotone=True), st.data())
def test_more_of_a_good_thing_never_lowers_the_score(model: Model, data: st.DataObject) -> None:
    values = row(data, model)
    place = data.draw(st.integers(0, len(values) - 1))
    assume(not np.isnan(values[place]))
    more = list(values)
    more[place] += data.draw(st.floats(0, 50))
    low, high = score(np.array([values, more]), model).points
    assert high >= low


@given(models(count_min=4), st.data())
def test_a_missing_factor_inflates_no_other_dimension_that_is_known(model: Model, data: st.DataObject) -> None:
    full = [0.0 if np.isnan(value) else value for value in row(data, model)]
    place = data.draw(st.sampled_from([0, 3]))  # the two that dimension a has at least
    dimension = model.factors[place].dimension
    thin = list(full)
    thin[place] = NAN
    before, after = score(np.array([full, thin]), model).contributions
    for f, factor in enumerate(model.factors):
        if factor.dimension != dimension:
            assert abs(before[f] - after[f]) <= 1  # rounded together, so a thousandth may wander


@given(models(), st.data())
def test_an_account_scores_alone_as_in_a_batch(model: Model, data: st.DataObject) -> None:
    batch = np.array([row(data, model) for _ in range(data.draw(st.integers(1, 5)))])
    together = score(batch, model)
    for n in range(len(batch)):
        alone = score(batch[n : n + 1], model)
        assert alone.contributions[0].tolist() == together.contributions[n].tolist()
        assert alone.coverage[0] == together.coverage[n]


ORDER = ("unknown", *BAND_VALUES)  # what was never known does not become known by knowing less
STREAMS_LEFT = st.sets(st.sampled_from(STREAMS))


def said_of(history: list[HealthEvent], more: list[HealthEvent], left: set[str]) -> tuple[Snapshot, Snapshot]:
    """A snapshot with every source, and the next one after more events, with what is left of the sources."""
    before = snapshot_of(state_of(history))
    later = NOW + timedelta(hours=2)
    state = merge(state_of(history), state_of(more))
    after = snapshot_of(state, later, before, dict.fromkeys(left, later), touched={event.type for event in more})
    return before, after


@given(HISTORIES, HISTORIES, STREAMS_LEFT)
def test_changes_add_up_by_factor_and_cause(
    history: list[HealthEvent], more: list[HealthEvent], left: set[str]
) -> None:
    before, after = said_of(history, more, left)
    points = {part.factor: thousandths(part.points) for part in before.contributions}
    for delta in after.deltas:
        points[delta.factor] = points.get(delta.factor, 0) + thousandths(delta.points)
    assert {name: p for name, p in points.items() if p} == {
        part.factor: thousandths(part.points) for part in after.contributions if part.points
    }
    moved = sum(thousandths(delta.points) for delta in after.deltas)
    assert moved == thousandths(after.score or 0) - thousandths(before.score or 0)


@given(HISTORIES, STREAMS_LEFT, STREAMS_LEFT)
def test_losing_data_never_improves_a_band_nor_ends_a_reason(
    history: list[HealthEvent], left: set[str], then: set[str]
) -> None:
    state = state_of(history)
    said = snapshot_of(state)
    worst, reasons = said.statuses["band"].value, {reason.code for reason in said.reasons}
    for hours, streams in ((2, left), (4, left & then), (6, left & then)):
        # The clock moves, the data does not: every stream that is left has its last word at NOW.
        said = snapshot_of(state, NOW + timedelta(hours=hours), said, dict.fromkeys(streams, NOW))
        band = said.statuses["band"].value
        assert ORDER.index(band) <= ORDER.index(worst)
        assert reasons <= {reason.code for reason in said.reasons} | {"renewal_near"}
        worst = band


@given(HISTORIES)
def test_with_nothing_new_there_is_no_change_to_explain(history: list[HealthEvent]) -> None:
    state = state_of(history)
    first = snapshot_of(state)
    assert snapshot_of(state, NOW, first).deltas == []
    assert {part.factor for part in first.contributions} >= {factor.id for factor in packaged().models[0].factors}


NAMES = st.sampled_from(["a", "b"])
OPERATORS = st.sampled_from(["below", "above", "at_least", "at_most"])
SMALL = st.integers(-2, 2)
BOUNDS = SMALL | st.fixed_dictionaries({"by": st.just("s"), "x": SMALL}, optional={"else": SMALL})
SPANS = st.integers(0, 3).map(lambda hours: f"{hours}h")


def a_test(kind: str, bounds: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    bounded = st.dictionaries(OPERATORS, bounds, min_size=1, max_size=2)
    return st.builds(lambda name, operators: {kind: name, **operators}, NAMES, bounded)


LEAVES = st.one_of(
    a_test("signal", BOUNDS),
    a_test("age", SPANS),
    a_test("until", SPANS),
    a_test("field", BOUNDS),
    st.builds(lambda name, values: {"signal": name, "in": values}, NAMES, st.lists(SMALL, min_size=1)),
    st.builds(
        lambda name, values: {"field": name, "in": values},
        NAMES,
        st.lists(st.one_of(SMALL, st.booleans(), st.sampled_from(["x", "1"])), min_size=1),
    ),
    st.dictionaries(OPERATORS, SMALL, min_size=1).map(lambda found: {"change": "score", "over": "7d", **found}),
    st.builds(lambda values: {"status": "s", "in": values}, st.lists(st.sampled_from(["x", "y"]), min_size=1)),
    NAMES.map(lambda name: {"missing": name}),
)
WRITTEN = st.recursive(
    LEAVES,
    lambda parts: st.one_of(
        st.lists(parts, min_size=1, max_size=3).map(lambda found: {"all": found}),
        st.lists(parts, min_size=1, max_size=3).map(lambda found: {"any": found}),
        parts.map(lambda found: {"not": found}),
    ),
    max_leaves=6,
)
HOUR_US = 3_600_000_000
ROWS = st.builds(
    Row,
    st.just(10 * HOUR_US),
    st.dictionaries(NAMES, st.none() | SMALL.map(float)),
    st.dictionaries(NAMES, st.none() | st.integers(5, 15).map(lambda hour: hour * HOUR_US)),
    st.dictionaries(NAMES, st.integers(7, 12).map(lambda hour: hour * HOUR_US)),
    st.dictionaries(st.just("s"), st.sampled_from(["x", "y"])),
    st.dictionaries(NAMES, st.one_of(st.none(), st.booleans(), SMALL, st.sampled_from(["x", "1", "-2.0"]))),
    st.dictionaries(st.just(("score", 7)), st.none() | SMALL.map(float)),
)


@given(WRITTEN, ROWS)
def test_one_row_is_judged_as_columns_are(written: dict[str, Any], row: Row) -> None:
    condition = parse(written)
    columns = Columns(
        n=1,
        now_us=row.now_us,
        signals={name: floats([value]) for name, value in row.signals.items()},
        instants={
            name: np.array([as_instant(None) if value is None else value]) for name, value in row.instants.items()
        },
        statuses={name: objects([value]) for name, value in row.statuses.items()},
        fields={name: objects([value]) for name, value in row.fields.items()},
        changes={key: floats([value]) for key, value in row.changes.items()},
        ends_us={name: np.array([end]) for name, end in row.ends_us.items()},
    )
    truth = compile_row(condition)(row)
    assert {True: 1, False: 0, None: -1}[truth] == compile_(condition)(columns)[0]


@given(st.lists(HISTORIES, min_size=2, max_size=4))
def test_what_is_said_of_an_account_does_not_depend_on_who_else_is_in_the_batch(
    histories: list[list[HealthEvent]],
) -> None:
    cases = [case_of(state_of(history), ALL_FRESH) for history in histories]
    together = build(packaged(), cases, NOW)
    assert together == [build(packaged(), [case], NOW)[0] for case in cases]
