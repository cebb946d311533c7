"""What a score is made of: factors with curves, weights by dimension, caps, bands. Compiled from YAML, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.entries import BandsEntry, CapEntry, FactorEntry, ModelEntry
from shared.conditions.columns import Floats
from shared.conditions.durations import duration_us
from shared.conditions.grammar import parse
from shared.conditions.one_row import Holds, compile_row
from shared.conditions.terms import Condition

POINTS_MAX = 100
THOUSANDTHS = 1_000
BAND_VALUES = ("red", "yellow", "green")  # from worst to best


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """`knots` ascend; beyond the first and last the points stay."""

    id: str
    dimension: str
    weight: int
    signal: str
    knots: Floats
    points: Floats
    words: str
    missing: str


@dataclass(frozen=True, slots=True, eq=False)
class Cap:
    """The score is at most `thousandths` while `holds`."""

    id: str
    thousandths: int
    condition: Condition
    holds: Holds
    words: str


@dataclass(frozen=True, slots=True)
class Bands:
    """Thousandths: a band is entered at `enter`, left below `leave`. `dwell_us`: before it may improve again."""

    green_enter: int
    green_leave: int
    yellow_enter: int
    yellow_leave: int
    dwell_us: int


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """`id` is name@version. Dimensions weigh 100 together, factors relative to the others of their dimension.

    `dimension_of[f]` is the place of a factor's dimension in `dimension_weights`, `members` (f, d) is 1 there, else 0.
    """

    id: str
    factors: tuple[Factor, ...]
    weights: Floats
    dimension_weights: Floats
    dimension_of: NDArray[np.intp]
    members: Floats
    caps: tuple[Cap, ...]
    bands: Bands
    coverage_min: float
    when: Holds | None


def compile_factor(entry: FactorEntry) -> Factor:
    """Raises ValueError where the curve does not ascend, leaves 0..100, or the weight is not positive."""
    knots = [knot for knot, _ in entry.curve]
    points = [value for _, value in entry.curve]
    if len(knots) < 2 or any(b <= a for a, b in pairwise(knots)):
        raise ValueError(f"curve: its values must ascend, at least two of them; found {knots}")
    if not all(0 <= value <= POINTS_MAX for value in points):
        raise ValueError(f"curve: points lie between 0 and {POINTS_MAX}; found {points}")
    if entry.weight <= 0:
        raise ValueError("weight: a whole number above 0; leave the factor out of the model to switch it off")
    return Factor(
        entry.factor,
        entry.dimension,
        entry.weight,
        entry.signal,
        np.array(knots, dtype=np.float64),
        np.array(points, dtype=np.float64),
        entry.words,
        entry.missing,
    )


def compile_model(entry: ModelEntry, factors: Mapping[str, Factor]) -> Model:
    """Raises ValueError naming what does not fit together, BadCondition for a condition."""
    unknown = [name for name in entry.factors if name not in factors]
    if unknown:
        raise ValueError(f"factors: there is no {', '.join(unknown)}; there are {', '.join(sorted(factors))}")
    chosen = tuple(factors[name] for name in entry.factors)
    homeless = sorted({f.dimension for f in chosen} ^ set(entry.dimensions))
    if homeless or sum(entry.dimensions.values()) != POINTS_MAX or min(entry.dimensions.values()) <= 0:
        raise ValueError(
            f"dimensions: those of the factors and no others, positive, with a sum of {POINTS_MAX}; "
            f"found {entry.dimensions}" + (f"; {', '.join(homeless)} stands on one side only" if homeless else "")
        )
    when = parse(entry.when) if entry.when else None
    names = sorted(entry.dimensions)
    dimension_of = np.array([names.index(factor.dimension) for factor in chosen], dtype=np.intp)
    return Model(
        f"{entry.model}@{entry.version}",
        chosen,
        np.array([factor.weight for factor in chosen], dtype=np.float64),
        np.array([entry.dimensions[name] for name in names], dtype=np.float64),
        dimension_of,
        np.eye(len(names))[dimension_of],
        tuple(_cap(cap) for cap in entry.caps),
        _bands(entry.bands),
        entry.coverage_min,
        compile_row(when) if when else None,
    )


def band_of(thousandths: int, bands: Bands) -> str:
    """The band of a score that comes from nowhere: each has to be entered."""
    if thousandths >= bands.green_enter:
        return "green"
    return "yellow" if thousandths >= bands.yellow_enter else "red"


def _cap(entry: CapEntry) -> Cap:
    condition = parse(entry.when)
    return Cap(entry.cap, round(entry.at * THOUSANDTHS), condition, compile_row(condition), entry.words)


def _bands(entry: BandsEntry) -> Bands:
    dwell = duration_us(entry.dwell)
    edges: Sequence[float] = (entry.green.enter, entry.green.leave, entry.yellow.enter, entry.yellow.leave)
    if list(edges) != sorted(edges, reverse=True) or edges[1] < edges[2] or dwell is None:
        raise ValueError(
            "bands: green enter >= green leave >= yellow enter >= yellow leave, dwell a duration such as 1h; "
            f"found {edges}, {entry.dwell}"
        )
    enter, leave, yellow_enter, yellow_leave = (round(edge * THOUSANDTHS) for edge in edges)
    return Bands(enter, leave, yellow_enter, yellow_leave, dwell)
