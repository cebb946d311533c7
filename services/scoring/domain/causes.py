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

CAUSES: tuple[Cause, ...] = ("behaviour", "time", "data", "profile", "model")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a model is given of one account: a value per factor (None is missing), truth per cap (None is unknown)."""

    values: Sequence[float | None]
    caps: Sequence[bool | None]


def evaluate(inputs: Inputs, model: Model) -> Scored:
    """The score of one account."""
    caps = np.array([[cap is True for cap in inputs.caps]], dtype=np.bool_)
    return score(np.array([inputs.values], dtype=np.float64), model, caps)


def parts_of(scored: Scored, model: Model) -> dict[str, int]:
    """Thousandths by factor and cap of one account."""
    names = [factor.id for factor in model.factors] + [cap.id for cap in model.caps]
    return {name: int(part) for name, part in zip(names, scored.contributions[0], strict=True)}


def deltas(
    published: Sequence[Contribution],
    before: Inputs,
    now: Inputs,
    model: Model,
    *,
    touched: Collection[str],
    model_cause: Cause = "model",
) -> list[Delta]:
    """The change from the published contributions to what `now` scores, by factor and cause, without zeros.

    before: the old values in the order of the new model. touched: ids of factors and caps that an event moved.
    """
    steps: list[tuple[Mapping[str, int], Cause | None]] = [
        (parts_of(evaluate(before, model), model), model_cause),
        (parts_of(evaluate(_with_missingness(before, now), model), model), "data"),
        (parts_of(evaluate(now, model), model), None),
    ]
    last: Mapping[str, int] = {part.factor: thousandths(part.points) for part in published}
    found: dict[tuple[str, Cause], int] = {}
    for parts, cause in steps:
        for name in {**last, **parts}:
            because: Cause = cause or ("behaviour" if name in touched else "time")
            found[name, because] = found.get((name, because), 0) + parts.get(name, 0) - last.get(name, 0)
        last = parts
    return [Delta(name, cause, moved / THOUSANDTHS) for (name, cause), moved in found.items() if moved]


def main_cause(found: Sequence[Delta], otherwise: Cause) -> Cause:
    """The cause that moved most points, in either direction; of equals the first of the five."""
    if not found:
        return otherwise
    weights = {cause: sum(abs(thousandths(delta.points)) for delta in found if delta.cause == cause) for cause in CAUSES}
    return max(CAUSES, key=lambda cause: weights[cause])


def thousandths(points: float) -> int:
    """Points as shown, back to whole thousandths."""
    return round(points * THOUSANDTHS)


def _with_missingness(before: Inputs, now: Inputs) -> Inputs:
    """The old values, less what is missing now, plus what was missing then."""
    values = [new if old is None or new is None else old for old, new in zip(before.values, now.values, strict=True)]
    caps = [new if old is None or new is None else old for old, new in zip(before.caps, now.caps, strict=True)]
    return Inputs(values, caps)
