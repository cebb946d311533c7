"""Events to measure with. Pure: number -> event."""

from datetime import datetime, timedelta
from typing import Any

from services.cli.importing.outcome import Draft

SOURCE = "//bench.bellwether.example"
ACCOUNTS = 500
USERS = 7  # of an account; prime to the other numbers, so that they mix
FEATURES = 11
PROBE_MARK = "probe:"


def usage(number: int, run: str, now: datetime) -> Draft:
    """One person's use of one feature, at one of the last 14 days."""
    data = {"user": f"u{number % USERS}", "feature": f"f{number % FEATURES}", "quantity": 1 + number % 5}
    time = now - timedelta(days=number % 14, seconds=number % 3600)
    return Draft(f"{run}/{number}", "usage.feature_used", _account(number), time, data)


def probe(number: int, now: datetime) -> Draft:
    """An event that must move the score and open an alert: the first failed payment of an invoice."""
    data: dict[str, Any] = {"invoice": f"in-{number}", "amount": "100", "currency": "EUR", "attempt": 1}
    return Draft(f"{PROBE_MARK}{number}", "invoice.payment_failed", _account(number), now, data)


def _account(number: int) -> str:
    return f"bench-{number % ACCOUNTS}"
