"""Whether something is said about an account now, later or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.scoring.domain.snapshot import differs
from services.scoring.looks import next_look
from services.scoring.remembered import Importing, Remembered
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Quiet, Snapshot

APART = timedelta(milliseconds=200)  # at most five snapshots a second of one account; the last one is never lost
ABANDONED = timedelta(days=1)  # an import that has not gone on for so long holds nothing back any more
IMPORT_ENDED = "import.ended"


@dataclass(frozen=True, slots=True)
class Decision:
    """`said` is published, or None; the account is looked at again at `look_at`."""

    said: Snapshot | None
    look_at: datetime
    importing: Importing | None


def importing(known: Remembered, events: Sequence[HealthEvent], now: datetime) -> Importing | None:
    """The import that is under way once `events` are applied; one without an event for a day is under way no more."""
    found = known.importing
    if found is not None and now - found.last_at >= ABANDONED:
        found = None
    for event in events:
        if event.type == IMPORT_ENDED:
            found = None if found is not None and event.data["run"] == found.run else found
        elif event.importrun is not None:
            is_first = known.said is None if found is None else found.is_first
            found = Importing(event.importrun, now, is_first)
    return found


def has_memory(known: Remembered) -> bool:
    """Does the band before count? Not one that was made of half a history, and nothing else."""
    return known.importing is None or not known.importing.is_first


def _ends_import(events: Sequence[HealthEvent]) -> bool:
    return any(event.type == IMPORT_ENDED for event in events)


def quiet(known: Remembered, events: Sequence[HealthEvent], model: str, now: datetime) -> Quiet | None:
    """Why what is said now should reach nobody one by one; None if it should."""
    if known.importing or importing(known, events, now) or _ends_import(events):
        return "import"
    if known.said is not None and known.said.model != model:
        return "model"
    return None


def decide(known: Remembered, events: Sequence[HealthEvent], snapshot: Snapshot) -> Decision:
    """At once if something shown changed or something notable happened; at most five a second; at least one a day."""
    now, previous = snapshot.as_of, known.said
    under_way = importing(known, events, now)
    later = next_look(known.account, now)
    if previous is None or _ends_import(events):
        return Decision(snapshot, later, under_way)
    if under_way is not None and all(event.importrun is not None for event in events):
        return Decision(None, later, under_way)  # history in the middle of its import means nothing yet
    if not (snapshot.notables or differs(previous, snapshot)):
        return Decision(None, later, under_way)
    if not snapshot.notables and now - previous.as_of < APART:
        return Decision(None, previous.as_of + APART, under_way)
    return Decision(snapshot, later, under_way)
