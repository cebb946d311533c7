"""Whether something is said about an account now, later or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.scoring.domain.snapshot import differs
from services.scoring.looks import next_look
from services.scoring.remembered import Remembered
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Quiet, Snapshot

APART = timedelta(milliseconds=200)  # at most five snapshots a second of one account; the last one is never lost
ABANDONED = timedelta(days=1)  # an import that has not gone on for so long holds nothing back any more
_ENDED = "import.ended"


@dataclass(frozen=True, slots=True)
class Decision:
    """`said` is published, or None; the account is looked at again at `look_at`."""

    said: Snapshot | None
    look_at: datetime
    import_run: str | None


def import_run(known: Remembered, events: Sequence[HealthEvent]) -> str | None:
    """The import that is under way once `events` are applied, or None."""
    run = known.import_run
    for event in events:
        if event.type == _ENDED:
            run = None if event.data["run"] == run else run
        elif event.importrun is not None:
            run = event.importrun
    return run


def _ends_import(events: Sequence[HealthEvent]) -> bool:
    return any(event.type == _ENDED for event in events)


def quiet(known: Remembered, events: Sequence[HealthEvent], model: str) -> Quiet | None:
    """Why what is said now should reach nobody one by one; None if it should."""
    if known.import_run or import_run(known, events) or _ends_import(events):
        return "import"
    if known.said is not None and known.said.model != model:
        return "model"
    return None


def decide(known: Remembered, events: Sequence[HealthEvent], snapshot: Snapshot) -> Decision:
    """At once if something shown changed or something notable happened; at most five a second; at least one a day."""
    now, previous = snapshot.as_of, known.said
    run = import_run(known, events)
    later = next_look(known.account, now)
    if previous is None or _ends_import(events):
        return Decision(snapshot, later, run)
    if run is not None and all(event.importrun == run for event in events) and now - previous.as_of < ABANDONED:
        return Decision(None, later, run)  # history in the middle of its import means nothing yet
    if not (snapshot.notables or differs(previous, snapshot)):
        return Decision(None, later, run)
    if not snapshot.notables and now - previous.as_of < APART:
        return Decision(None, previous.as_of + APART, run)
    return Decision(snapshot, later, run)
