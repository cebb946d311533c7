"""What the accounts of a run do: a few of every kind, small enough for things to meet."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.contracts.envelope import HealthEvent

ACCOUNTS = ("acme", "birch", "cedar")  # two of them in one partition
RUN = "run-1"  # the one import

Made = tuple[str, dict[str, Any]]


def _subscription(now: datetime) -> Made:
    amount = {"amount": "900.00", "currency": "EUR"}
    return "subscription.started", {
        "subscription": "s1",
        "mrr": amount,
        "seats": 5,
        "term_end": (now + timedelta(days=40)).isoformat(),
    }


# Each makes the type and data of an event that is sent at an instant.
KINDS: tuple[Callable[[datetime], Made], ...] = (
    lambda now: ("usage.feature_used", {"feature": "export", "user": "u1"}),
    lambda now: ("usage.feature_used", {"feature": "share", "user": "u2", "quantity": 7}),
    lambda now: ("ticket.opened", {"ticket": "t1", "priority": "urgent"}),
    lambda now: ("ticket.solved", {"ticket": "t1"}),
    lambda now: ("invoice.payment_failed", {"invoice": "i1", "amount": "99.00", "currency": "EUR"}),
    lambda now: ("invoice.paid", {"invoice": "i1"}),
    _subscription,
    lambda now: ("account.described", {"name": "A name", "owners": {"csm": "ana"}}),
)


@dataclass(frozen=True)
class Told:
    """One event to be sent. `is_import`: as history, whose end is told by an event of its own."""

    account: int
    kind: int
    hours_ago: int
    is_import: bool = False

    def event(self, number: int, now: datetime) -> HealthEvent:
        kind, data = KINDS[self.kind](now)
        account = ACCOUNTS[self.account]
        return HealthEvent(
            id=f"e{number}",
            source="//simulated",
            type=kind,
            subject=account,
            time=now - timedelta(hours=self.hours_ago),
            account=account,
            receivedat=now,
            actor="key:simulated",
            data=data,
            importrun=RUN if self.is_import else None,
        )


def end_of_import(account: int, number: int, now: datetime) -> HealthEvent:
    """Says that the account's history is complete."""
    name = ACCOUNTS[account]
    return HealthEvent(
        id=f"e{number}",
        source="//simulated",
        type="import.ended",
        subject=name,
        time=now,
        account=name,
        receivedat=now,
        actor="key:simulated",
        data={"run": RUN},
    )
