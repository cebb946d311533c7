"""The worked examples of docs/scoring.md, and the edges of the arithmetic."""

from typing import Any

import numpy as np
import pytest

from services.scoring.domain.entries import BandsEntry, CapEntry, EdgesEntry, FactorEntry, ModelEntry
from services.scoring.domain.model import Model, compile_factor, compile_model
from services.scoring.domain.score import NO_CAP, largest_remainder, score

NAN = float("nan")
BANDS = BandsEntry(green=EdgesEntry(enter=70, leave=65), yellow=EdgesEntry(enter=45, leave=40))


def factor(name: str, dimension: str, weight: int, curve: list[tuple[float, float]] | None = None) -> FactorEntry:
    return FactorEntry(
        factor=name,
        source=["test"],
        dimension=dimension,
        weight=weight,
        signal=name,
        curve=curve or [(0, 0), (100, 100)],
        words="{value}",
        missing="unknown",
    )


def model(dimensions: dict[str, int], *factors: FactorEntry, caps: tuple[float, ...] = ()) -> Model:
    """Points are the values themselves, so that examples can be checked by head."""
    entry = ModelEntry(
        model="test",
        version=1,
        source=["test"],
        dimensions=dimensions,
        factors=[one.factor for one in factors],
        bands=BANDS,
        coverage_min=0.4,
        caps=[
            CapEntry(cap=f"cap_{at:g}", source=["test"], at=at, when={"missing": "nothing"}, words="capped")
            for at in caps
        ],
    )
    return compile_model(entry, {one.factor: compile_factor(one) for one in factors})


THREE = model(
    {"usage": 40, "sentiment": 30, "relationship": 30},
    factor("level", "usage", 60),
    factor("breadth", "usage", 40),
    factor("nps", "sentiment", 100),
    factor("contacts", "relationship", 100),
)


def parts(values: list[float], of: Model = THREE, **also: Any) -> list[int]:
    found: list[int] = score(np.array([values]), of, **also).contributions[0].tolist()
    return found


def test_weights_are_dimension_times_factor() -> None:
    # usage 40 x (60% of 80 + 40% of 50), sentiment 30 x 90, relationship 30 x 20
    assert parts([80, 50, 90, 20]) == [19_200, 8_000, 27_000, 6_000]


def test_what_is_missing_is_shared_out_inside_its_dimension_first() -> None:
    scored = score(np.array([[80, NAN, 90, 20]]), THREE)
    assert scored.contributions[0].tolist() == [32_000, 0, 27_000, 6_000]
    assert scored.coverage[0] == pytest.approx(0.84)


def test_a_missing_dimension_is_shared_out_across_the_others() -> None:
    # 40 and 30 of 70: usage weighs 57.1%, never more than its share of what is known.
    scored = score(np.array([[80, 80, 90, NAN]]), THREE)
    assert scored.points[0] == round((40 * 80 + 30 * 90) / 70 * 1000)
    assert scored.coverage[0] == pytest.approx(0.7)


def test_nothing_known_is_no_score() -> None:
    scored = score(np.array([[NAN] * 4]), THREE)
    assert (scored.known[0], scored.coverage[0]) == (False, 0)


def test_curves_are_straight_between_knots_and_flat_beyond() -> None:
    two_sided = model({"support": 100}, factor("tickets", "support", 1, [(0, 20), (2, 100), (6, 0)]))
    assert [parts([value], two_sided)[0] for value in (-1, 0, 1, 2, 4, 9)] == [
        20_000,
        20_000,
        60_000,
        100_000,
        50_000,
        0,
    ]


def test_only_the_lowest_cap_below_the_score_takes_the_difference() -> None:
    capped = model({"usage": 100}, factor("level", "usage", 1), caps=(64, 39, 90))
    assert parts([80], capped, caps=np.array([[True, True, True]])) == [80_000, 0, -41_000, 0]
    assert parts([80], capped, caps=np.array([[True, False, True]])) == [80_000, -16_000, 0, 0]
    assert parts([30], capped, caps=np.array([[True, True, True]])) == [30_000, 0, 0, 0]
    assert score(np.array([[30.0]]), capped, np.array([[True, True, True]])).binding[0] == NO_CAP


def test_the_largest_remainder_takes_what_is_left() -> None:
    assert largest_remainder(np.array([[33.4, 33.3, 33.3], [0.6, 0.6, 0.8]])).tolist() == [[34, 33, 33], [1, 0, 1]]


def test_one_account_scores_as_it_does_in_a_fleet() -> None:
    fleet = np.random.default_rng(7).uniform(0, 100, (500, 4))
    fleet[::3, 1] = NAN
    together = score(fleet, THREE)
    alone = [score(fleet[n : n + 1], THREE) for n in range(len(fleet))]
    assert together.contributions.tolist() == [one.contributions[0].tolist() for one in alone]
    assert together.coverage.tolist() == [one.coverage[0] for one in alone]


@pytest.mark.parametrize(
    ("dimensions", "said"),
    [({"usage": 90}, "a sum of 100"), ({"usage": 50, "other": 50}, "other stands on one side only")],
)
def test_dimensions_are_those_of_the_factors_and_weigh_a_hundred(dimensions: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        model(dimensions, factor("level", "usage", 1))


@pytest.mark.parametrize("curve", [[(0, 0)], [(1, 0), (1, 5)], [(0, 0), (1, 101)]])
def test_a_curve_ascends_and_stays_within_its_points(curve: list[tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match="curve"):
        compile_factor(factor("level", "usage", 1, curve))
