"""From arithmetic to what is shown of it: contributions with words, and back from a snapshot to what was put in.

A missing input is shown with its last known value, so that the next snapshot still knows it (promise 6).
"""

from collections.abc import Mapping, Sequence

from services.scoring.domain.causes import Inputs
from services.scoring.domain.model import THOUSANDTHS, Cap, Factor, Model
from services.scoring.domain.words import filled, number
from shared.contracts.health import Contribution, Snapshot

CAP_DIMENSION = "cap"


def contributions(parts: Sequence[int], inputs: Inputs, model: Model, previous: Snapshot | None) -> list[Contribution]:
    """Every factor, then the caps that hold or are not known to have let go; their points sum to the score.

    parts: thousandths of each factor and cap, in the order of the model.
    """
    known = _by_id(previous)
    factors = len(model.factors)
    found = [
        _factor(factor, value, part, known)
        for factor, value, part in zip(model.factors, inputs.values, parts[:factors], strict=True)
    ]
    for cap, holds, part in zip(model.caps, inputs.caps, parts[factors:], strict=True):
        if holds or (holds is None and cap.id in known):
            found.append(_cap(cap, part, is_known=holds is not None))
    return found


def last_known(inputs: Inputs, model: Model, previous: Snapshot | None) -> Inputs | None:
    """The inputs with what is missing at its last known value; None where nothing can be filled in."""
    known = _by_id(previous)
    values = [
        known[factor.id].value if value is None and factor.id in known else value
        for factor, value in zip(model.factors, inputs.values, strict=True)
    ]
    caps = [cap.id in known if holds is None else holds for cap, holds in zip(model.caps, inputs.caps, strict=True)]
    result = Inputs(values, caps)
    return None if result.values == list(inputs.values) and caps == [cap is True for cap in inputs.caps] else result


def put_in(previous: Snapshot, model: Model, caps: Sequence[bool | None] | None) -> Inputs:
    """What the previous snapshot was made of, in the order of `model`.

    caps: their truth then, where the model is another one; for the same model the snapshot itself says it.
    """
    known = _by_id(previous)
    said = [known[cap.id].missing is False if cap.id in known else False for cap in model.caps]
    gone = [
        None if cap.id in known and known[cap.id].missing else truth
        for cap, truth in zip(model.caps, said, strict=True)
    ]
    return Inputs([previous.signals.get(factor.signal) for factor in model.factors], gone if caps is None else caps)


def _by_id(previous: Snapshot | None) -> Mapping[str, Contribution]:
    return {part.factor: part for part in previous.contributions} if previous else {}


def _factor(factor: Factor, value: float | None, part: int, known: Mapping[str, Contribution]) -> Contribution:
    shown = value
    words = filled(factor.words, value)
    if value is None:
        shown = known[factor.id].value if factor.id in known else None
        words = factor.missing + ("" if shown is None else f" (last known: {number(shown)})")
    return Contribution(
        factor=factor.id,
        dimension=factor.dimension,
        points=part / THOUSANDTHS,
        missing=value is None,
        value=shown,
        words=words,
    )


def _cap(cap: Cap, part: int, *, is_known: bool) -> Contribution:
    words = cap.words if is_known else f"{cap.words} (not known any more)"
    return Contribution(
        factor=cap.id, dimension=CAP_DIMENSION, points=part / THOUSANDTHS, missing=not is_known, value=None, words=words
    )
