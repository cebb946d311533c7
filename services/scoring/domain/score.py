"""The score: points, contributions and coverage of one account, a batch or a fleet, by the same arithmetic.

Everything is in thousandths of a point, as whole numbers: the contributions of an account sum to its score exactly.
Source: docs/scoring.md#score
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.scoring.domain.model import POINTS_MAX, THOUSANDTHS, Factor, Model
from shared.conditions.columns import Floats

Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]
NO_CAP = -1


@dataclass(frozen=True, slots=True)
class Scored:
    """n accounts, f factors, c caps. `known` is False where no factor had a value: such points are 0 and mean nothing.

    `contributions` has shape (n, f + c): factors in the model's order, then caps; only the binding cap is not 0.
    """

    points: Whole
    known: Flags
    contributions: Whole
    missing: Flags
    coverage: Floats
    binding: Whole


def score(values: Floats, model: Model, caps: Flags | None = None) -> Scored:
    """values: (n, f), one column per factor of the model, NaN is missing. caps: (n, c), whether each cap holds.

    A factor's points are its curve at the value. The weight of what is missing is shared out inside its dimension, and
    across dimensions only where a whole dimension is missing. The lowest cap below the sum takes the difference.
    """
    missing: Flags = np.isnan(values)
    shares, coverage = _shares(~missing, model)
    points = np.column_stack([_curve(factor, values[:, f]) for f, factor in enumerate(model.factors)])
    parts = largest_remainder(np.where(missing, 0.0, points * shares * THOUSANDTHS))
    total = parts.sum(axis=1)
    off, binding = _capped(total, model, caps)
    known: Flags = ~np.all(missing, axis=1)
    return Scored(total + off.sum(axis=1), known, np.hstack([parts, off]), missing, coverage, binding)


def largest_remainder(exact: Floats) -> Whole:
    """Whole parts of each row that sum to its rounded sum: what is left over goes to the largest fractions."""
    floors = np.floor(exact)
    # Column by column, so that a row's sum does not depend on how many rows there are.
    sums = np.zeros(len(exact))
    for column in exact.T:
        sums = sums + column
    left = np.rint(sums) - floors.sum(axis=1)
    ranks = np.argsort(np.argsort(floors - exact, axis=1, kind="stable"), axis=1, kind="stable")
    whole: Whole = (floors + (ranks < left[:, None])).astype(np.int64)
    return whole


def _shares(present: Flags, model: Model) -> tuple[Floats, Floats]:
    """Each factor's share of 1, and how much of the model's weight is known."""
    inside = present * model.weights
    found = inside @ model.members  # whole numbers, so exact in any order
    across = (found > 0) @ model.dimension_weights
    of = model.dimension_of
    shares = model.dimension_weights[of] * inside / np.maximum(found, 1.0)[:, of] / np.maximum(across, 1.0)[:, None]
    whole = model.weights @ model.members
    coverage = np.zeros(len(present))
    for d, weight in enumerate(model.dimension_weights):
        coverage = coverage + weight * found[:, d] / whole[d]
    return shares, coverage / POINTS_MAX


def _curve(factor: Factor, values: Floats) -> Floats:
    points: Floats = np.interp(values, factor.knots, factor.points)
    return points


def _capped(total: Whole, model: Model, caps: Flags | None) -> tuple[Whole, Whole]:
    off = np.zeros((len(total), len(model.caps)), dtype=np.int64)
    binding = np.full(len(total), NO_CAP, dtype=np.int64)
    if caps is None or not model.caps:
        return off, binding
    limits = np.array([cap.thousandths for cap in model.caps], dtype=np.int64)
    reached = np.where(caps, limits, np.iinfo(np.int64).max)
    lowest = reached.argmin(axis=1)
    rows = np.arange(len(total))
    excess = total - np.where(caps.any(axis=1), reached[rows, lowest], total)
    off[rows, lowest] = -np.maximum(excess, 0)
    return off, np.where(excess > 0, lowest, NO_CAP)
