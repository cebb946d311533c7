"""Bands: two edges, a dwell before an improvement, and the promise that losing data never improves anything.

Right of the snapshot: a band depends on the band before it. Source: docs/scoring.md#bands
"""

from dataclasses import dataclass
from datetime import datetime

from services.scoring.domain.instants import us_of
from services.scoring.domain.model import BAND_VALUES, Bands, band_of
from shared.contracts.health import StatusValue

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Points in thousandths. `filled`: with missing inputs at their last known values; None where none is missing."""

    points: int | None
    filled: int | None
    is_covered: bool


def next_band(bands: Bands, evidence: Evidence, previous: StatusValue | None, now: datetime) -> tuple[str, bool]:
    """The band, and whether it is stale: kept only because too little is known to move it.

    It worsens at once. It improves only if it also would with missing inputs at their last known values, and not before
    it has lasted for the dwell. `unknown` is for accounts that were never known enough.
    """
    before = previous.value if previous and previous.value != UNKNOWN else None
    if evidence.points is None or not evidence.is_covered:
        return before or UNKNOWN, before is not None
    if before is None or previous is None:
        return band_of(evidence.points, bands), False
    proposed = move(evidence.points, before, bands)
    if _rank(proposed) <= _rank(before):
        return proposed, False
    if evidence.filled is not None:
        held = min(proposed, move(evidence.filled, before, bands), key=_rank)
        if _rank(held) <= _rank(before):
            return before, True
        proposed = held
    if us_of(now) - us_of(previous.since) < bands.dwell_us:
        return before, False
    return proposed, False


def move(thousandths: int, before: str, bands: Bands) -> str:
    """Where the two edges take a score that comes from a band."""
    rank = _rank(before)
    green = bands.green_leave if rank >= _rank("green") else bands.green_enter
    yellow = bands.yellow_leave if rank >= _rank("yellow") else bands.yellow_enter
    if thousandths >= green:
        return "green"
    return "yellow" if thousandths >= yellow else "red"


def _rank(band: str) -> int:
    return BAND_VALUES.index(band)
