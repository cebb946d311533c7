"""health.changes: what we said about an account, and when. Outsiders see only this."""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, json

from shared.contracts.envelope import UtcDatetime

Cause = Literal["behaviour", "time", "data", "profile", "model"]
Quiet = Literal["import", "model", "correction"]

Points = Annotated[float, Meta(description="points of 100, at most 3 decimals")]


class Money(Struct, frozen=True):
    """`amount` is a decimal string, never a float; `currency` is ISO 4217."""

    amount: str
    currency: str


class Contribution(Struct, frozen=True, kw_only=True):
    """What one factor or cap adds. All `points` of a snapshot sum to its score exactly, in thousandths."""

    factor: str
    dimension: str
    points: Points
    missing: bool
    value: float | None
    words: str


class Delta(Struct, frozen=True):
    """A part of the change since the last snapshot; the parts sum to the change exactly."""

    factor: str
    cause: Cause
    points: Points


class StatusValue(Struct, frozen=True, kw_only=True):
    """`since` is when this value began, `previous` what it was before (None for the first)."""

    value: str
    since: UtcDatetime
    previous: str | None = None
    cause: Cause = "behaviour"
    stale: bool = False


class Reason(Struct, frozen=True):
    """A named risk reason that holds now. `code` is stable, `words` is for people."""

    code: str
    words: str
    since: UtcDatetime


class Notable(Struct, frozen=True, kw_only=True):
    """An accepted event that the catalogue names, once per id."""

    id: str
    type: str
    at: UtcDatetime
    key: str = ""
    data: dict[str, Any] = {}


class DeclaredRecord(Struct, frozen=True):
    """A ticket, invoice, subscription... as rules and readers may see it. Times are RFC 3339 strings."""

    kind: str
    key: str
    fields: dict[str, Any]


class Snapshot(Struct, frozen=True, kw_only=True):
    """`version` grows for ever per account (microseconds): consumers keep the greatest."""

    account: str
    version: int
    as_of: UtcDatetime
    partition: int
    next_offset: int
    freshness: dict[str, UtcDatetime]
    newest_event_at: datetime | None
    score: Points | None
    coverage: float
    contributions: list[Contribution]
    deltas: list[Delta]
    changes: dict[str, Points | None]
    signals: dict[str, float | None]
    instants: dict[str, datetime | None]
    statuses: dict[str, StatusValue]
    reasons: list[Reason]
    notables: list[Notable]
    records: list[DeclaredRecord]
    model: str
    cause: Cause
    arr: Money | None = None
    owner: str | None = None
    name: str | None = None
    quiet: Quiet | None = None
    sampled: bool = False
    records_left_out: int = 0


class HealthChanged(Struct, frozen=True, kw_only=True):
    """The CloudEvent `health.changed`; its id is account and version."""

    id: str
    subject: str
    time: UtcDatetime
    data: Snapshot
    specversion: Literal["1.0"] = "1.0"
    source: Literal["/bellwether/scoring"] = "/bellwether/scoring"
    type: Literal["health.changed"] = "health.changed"
    datacontenttype: Literal["application/json"] = "application/json"


_decoder = json.Decoder(HealthChanged)
_snapshot_decoder = json.Decoder(Snapshot)


def changed(snapshot: Snapshot) -> HealthChanged:
    """Wrap a snapshot for the topic."""
    return HealthChanged(
        id=f"{snapshot.account}@{snapshot.version}", subject=snapshot.account, time=snapshot.as_of, data=snapshot
    )


def decode_change(value: bytes) -> Snapshot:
    """Raises msgspec.DecodeError or msgspec.ValidationError when the bytes are no `health.changed`."""
    return _decoder.decode(value).data


def decode_snapshot(value: bytes | str) -> Snapshot:
    """A bare snapshot, as scoring stores it."""
    return _snapshot_decoder.decode(value)
