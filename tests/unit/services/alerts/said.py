"""Snapshots as scoring would say them, made by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

from shared.contracts.health import DeclaredRecord, Delta, Money, Notable, Snapshot, StatusValue

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def said(account: str = "acme", at: datetime = NOW, *, version: int | None = None, **fields: Any) -> Snapshot:
    """A green account in good order, seen at `at`; `fields` replace what matters to the test."""
    known: dict[str, Any] = {
        "account": account,
        "version": version if version is not None else int(at.timestamp() * 1_000_000),
        "as_of": at,
        "partition": 0,
        "next_offset": 1,
        "freshness": {"product.usage": at, "support.tickets": at, "billing.events": at},
        "newest_event_at": at,
        "score": 80.0,
        "coverage": 1.0,
        "contributions": [],
        "deltas": [],
        "changes": {"1d": None, "7d": None, "30d": None, "90d": None},
        "signals": {},
        "instants": {"last_usage_at": at, "term_end": at + 300 * DAY},
        "statuses": {"band": band("green", at - 100 * DAY), "lifecycle": band("adoption", at - 100 * DAY)},
        "reasons": [],
        "notables": [],
        "records": [],
        "model": "health@1",
        "cause": "behaviour",
        "arr": Money("48000.00", "EUR"),
        "owner": "ana",
        "name": "Acme GmbH",
    }
    return Snapshot(**(known | fields))


def band(value: str, since: datetime, previous: str | None = None, cause: Any = "behaviour") -> StatusValue:
    """Any status: its value, since when, and what it was before."""
    return StatusValue(value=value, since=since, previous=previous, cause=cause)


def turned(value: str, previous: str, at: datetime, **fields: Any) -> dict[str, Any]:
    """Fields of a snapshot whose band has just changed, by 21.5 points."""
    statuses = {"band": band(value, at, previous), "lifecycle": band("adoption", at - 100 * DAY)}
    deltas = [Delta("usage_level", "behaviour", -14.0), Delta("support", "behaviour", -7.5)]
    return {"statuses": statuses, "score": 41.25, "deltas": deltas} | fields


def failed_payment(invoice: str, at: datetime, notable: str) -> Notable:
    return Notable(id=notable, type="invoice.payment_failed", at=at, key=invoice, data={"amount": "49.00"})


def invoice(key: str, status: str) -> DeclaredRecord:
    return DeclaredRecord("invoice", key, {"status": status})


def ticket(key: str, opened_at: datetime, priority: str = "urgent", status: str = "open") -> DeclaredRecord:
    opened = opened_at.isoformat().replace("+00:00", "Z")
    return DeclaredRecord("ticket", key, {"status": status, "priority": priority, "opened_at": opened})
