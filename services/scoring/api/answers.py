"""The shapes that scoring answers with."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from shared.contracts.health import Money, Points, Reason, Snapshot


class Health(Snapshot, frozen=True, kw_only=True):
    """The last snapshot of an account, with the position that is applied and how much waits behind it.

    position: of the account's partition, usable as `at_least`. lag_records: records of that partition not yet read,
    null while no broker answers.
    """

    position: str
    lag_records: int | None


class Listed(Struct, frozen=True, kw_only=True):
    """A row of the list."""

    account: str
    name: str | None
    score: Points | None
    band: str
    segment: str | None
    lifecycle: str | None
    owner: str | None
    arr: Money | None
    as_of: datetime
    version: int
    reasons: list[Reason]


class AccountList(Struct, frozen=True, kw_only=True):
    """`next` is the cursor of the next page, null on the last."""

    accounts: list[Listed]
    next: str | None


class Batch(Struct, frozen=True, kw_only=True):
    """Answers in the order asked; ids that are not known here are listed, not left out."""

    accounts: list[Snapshot]
    unknown: list[str]


class HistoryPage(Struct, frozen=True, kw_only=True):
    """Snapshots, newest first."""

    account: str
    snapshots: list[Snapshot]
    next: str | None


class Said(Struct, frozen=True, kw_only=True):
    """The first snapshot that covers an event."""

    version: int
    as_of: datetime
    score: Points | None
    deltas: list[Any]
    cause: str


class Trace(Struct, frozen=True, kw_only=True):
    """Where an event is and what it did. `seen` counts how often it arrived: above 1, the others changed nothing."""

    source: str
    id: str
    account: str
    type: str
    time: datetime
    accepted_at: datetime
    actor: str
    position: str
    applied_at: datetime
    seen: int
    said: Said | None


def health(snapshot: Snapshot, applied: int, log_end: int | None) -> Health:
    """`applied`: next offset of the account's partition."""
    fields = {name: getattr(snapshot, name) for name in snapshot.__struct_fields__}
    lag = None if log_end is None else max(0, log_end - applied)
    return Health(**fields, position=f"{snapshot.partition}:{applied}", lag_records=lag)


def listed(row: Any, snapshot: Snapshot) -> Listed:
    """A row of the list, from the columns it was filtered by."""
    return Listed(
        account=row.account,
        name=row.name,
        score=None if row.score is None else row.score / 1000,
        band=row.band,
        segment=row.segment,
        lifecycle=row.lifecycle,
        owner=row.owner,
        arr=snapshot.arr,
        as_of=row.as_of,
        version=row.version,
        reasons=snapshot.reasons,
    )


def said(row: Any) -> Said:
    """What the first snapshot after an event said."""
    snapshot = msgspec.json.decode(row["body"], type=Snapshot)
    return Said(
        version=snapshot.version,
        as_of=snapshot.as_of,
        score=snapshot.score,
        deltas=list(snapshot.deltas),
        cause=snapshot.cause,
    )
