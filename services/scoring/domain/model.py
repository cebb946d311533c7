"""What a score is made of: factors with curves, weights by dimension, caps, bands. Compiled from YAML, frozen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.domain.entries import BandsEntry, CapEntry, FactorEntry, ModelEntry
from shared.conditions.columns import Floats
from shared.conditions.compile import Evaluate, compile_
from shared.conditions.durations import duration_us
from shared.conditions.grammar import parse
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
    holds: Evaluate
    words: str


@dataclass(frozen=True, slots=True)
class Bands:
    """Points in thousandths: a band is entered at `enter`, left below `leave`. `dwell_us`: before it may improve again."""

    green_enter: int
    green_leave: int
    yellow_enter: int
    yellow_leave: int
    dwell_us: int


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """`weights[f]` is a factor's share of 1 when nothing is missing. `id` is name@version."""

    id: str
    factors: tuple[Factor, ...]
    dimensions: Mapping[str, int]
    caps: tuple[Cap, ...]
    bands: Bands
    coverage_min: float
    when: Evaluate | None
    when_condition: Condition | None

    @property
    def weights(self) -> Floats:
        """What each factor weighs in `coverage`; they sum to 1."""
        inside = {d: sum(f.weight for f in self.factors if f.dimension == d) for d in self.dimensions}
        whole = sum(self.dimensions[d] for d, weight in inside.items() if weight)
        return np.array([self.dimensions[f.dimension] * f.weight / inside[f.dimension] / whole for f in self.factors])


def compile_factor(entry: FactorEntry) -> Factor:
    """Raises ValueError where the curve does not ascend, leaves 0..100, or the weight is not positive."""
    knots = [knot for knot, _ in entry.curve]
    points = [value for _, value in entry.curve]
    if len(knots) < 2 or any(b <= a for a, b in zip(knots, knots[1:], strict=False)):  # noqa: PLR2004 - a line has two ends
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
    return Model(
        f"{entry.model}@{entry.version}",
        chosen,
        dict(entry.dimensions),
        tuple(_cap(cap) for cap in entry.caps),
        _bands(entry.bands),
        entry.coverage_min,
        compile_(when) if when else None,
        when,
    )


def band_of(thousandths: int, bands: Bands) -> str:
    """The band of a score that comes from nowhere: each has to be entered."""
    if thousandths >= bands.green_enter:
        return "green"
    return "yellow" if thousandths >= bands.yellow_enter else "red"


def _cap(entry: CapEntry) -> Cap:
    condition = parse(entry.when)
    return Cap(entry.cap, round(entry.at * THOUSANDTHS), condition, compile_(condition), entry.words)


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
