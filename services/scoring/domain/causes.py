"""Why a score moved: five causes, found by evaluating in one order, so that the parts add up to the change exactly.

1. old values, new model            -> model (or profile, where a status chose another model)
2. what went missing or appeared    -> data
3. new values                       -> behaviour if an event touched the factor since the last snapshot, else time
Source: docs/scoring.md#causes
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.scoring.domain.model import THOUSANDTHS, Model
from services.scoring.domain.score import Scored, score
from shared.contracts.health import Cause, Contribution, Delta

Parts = Mapping[str, int]  # thousandths by factor and cap
CAUSES: tuple[Cause, ...] = ("behaviour", "time", "data", "profile", "model")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model is given of one account: a value per factor (None is missing), truth per cap (None is unknown)."""

    values: Sequence[float | None]
    caps: Sequence[bool | None]


def evaluate(rows: Sequence[Inputs], model: Model) -> Scored:
    """The scores of several inputs at once: one call costs little more for four rows than for one."""
    caps = np.array([[cap is True for cap in row.caps] for row in rows], dtype=np.bool_)
    return score(np.array([row.values for row in rows], dtype=np.float64), model, caps)


def parts_of(scored: Scored, row: int, model: Model) -> Parts:
    """Thousandths by factor and cap of one row."""
    names = [factor.id for factor in model.factors] + [cap.id for cap in model.caps]
    return dict(zip(names, scored.contributions[row].tolist(), strict=True))


def half_way(before: Inputs, now: Inputs) -> Inputs:
    """The old values, less what is missing now, plus what was missing then."""
    values = [new if old is None or new is None else old for old, new in zip(before.values, now.values, strict=True)]
    caps = [new if old is None or new is None else old for old, new in zip(before.caps, now.caps, strict=True)]
    return Inputs(values, caps)


def unmoved(before: Inputs, now: Inputs, model: Model) -> frozenset[str]:
    """The factors whose own value is the same in both."""
    same = zip(model.factors, before.values, now.values, strict=True)
    return frozenset(factor.id for factor, old, new in same if old == new)


def deltas(
    published: Sequence[Contribution],
    steps: tuple[Parts, Parts, Parts],
    *,
    touched: Collection[str],
    model_cause: Cause = "model",
) -> list[Delta]:
    """The change from the published contributions, by factor and cause, without zeros; it sums to the change exactly.

    steps: what the new model makes of the old values, of those half way, and of the new ones. touched: ids of factors
    and caps that an event moved.
    """
    causes: tuple[Cause | None, ...] = (model_cause, "data", None)
    last: Parts = {part.factor: thousandths(part.points) for part in published}
    found: dict[tuple[str, Cause], int] = {}
    for parts, cause in zip(steps, causes, strict=True):
        for name in {**last, **parts}:
            because: Cause = cause or ("behaviour" if name in touched else "time")
            found[name, because] = found.get((name, because), 0) + parts.get(name, 0) - last.get(name, 0)
        last = parts
    return [Delta(name, cause, moved / THOUSANDTHS) for (name, cause), moved in found.items() if moved]


def main_cause(found: Sequence[Delta], otherwise: Cause) -> Cause:
    """The cause that moved most points, in either direction; of equals the first of the five."""
    if not found:
        return otherwise
    weights = {
        cause: sum(abs(thousandths(delta.points)) for delta in found if delta.cause == cause) for cause in CAUSES
    }
    return max(CAUSES, key=lambda cause: weights[cause])


def thousandths(points: float) -> int:
    """Points as shown, back to whole thousandths."""
    return round(points * THOUSANDTHS)
