"""What a worker remembers of an account between two batches. It counts only while claims pass; `forget` drops it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from msgspec import Struct

from services.scoring.domain.record import State
from shared.contracts.health import Snapshot

FRESH_BYTES_MAX = 256  # a fresh row is rewritten in place by almost every batch: it stays small, or is settled


class Importing(Struct, frozen=True):
    """An import under way for an account. is_first: nothing had been said of it before."""

    run: str
    last_at: datetime
    is_first: bool


@dataclass(frozen=True, slots=True)
class Remembered:
    """An account as of the last batch that touched it.

    state: all we know; fresh: the part of it that is not in the table of settled records yet; said: the last snapshot;
    past: days ago -> score in points, as said then; importing: what keeps it quiet;
    touched: types of the events since the last snapshot.
    """

    account: str
    partition: int
    state: State
    fresh: State
    said: Snapshot | None = None
    past: Mapping[int, float | None] = field(default_factory=dict)
    look_at: datetime | None = None
    importing: Importing | None = None
    touched: frozenset[str] = frozenset()
