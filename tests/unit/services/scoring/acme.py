"""What tests of the core share: a moment, an account named acme, the packaged catalogue."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from typing import Any

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import parse
from services.scoring.domain.definitions import Definitions
from services.scoring.domain.fold import fold
from services.scoring.domain.record import State
from services.scoring.domain.snapshot import Case, build
from shared.contracts.envelope import HealthEvent
from shared.contracts.health import Snapshot

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
STREAMS = ("product.usage", "support.tickets", "billing.events", "relationship.events")
ALL_FRESH: Mapping[str, datetime] = dict.fromkeys(STREAMS, NOW)
_numbers = count(1)


@cache
def packaged() -> Definitions:
    """The catalogue that is shipped."""
    return parse(catalogue_files.load())


def days_ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def event(
    event_type: str, at: datetime = NOW, *, event_id: str = "", source: str = "//test", **data: Any
) -> HealthEvent:
    """One event of acme with an id of its own."""
    return HealthEvent(
        id=event_id or f"e{next(_numbers)}",
        source=source,
        type=event_type,
        subject="acme",
        time=at,
        account="acme",
        receivedat=at,
        actor="key:test",
        data=data,
    )


def used(at: datetime, user: str = "u1", feature: str = "export", **data: Any) -> HealthEvent:
    return event("usage.feature_used", at, user=user, feature=feature, **data)


def healthy() -> list[HealthEvent]:
    """Five people on every day of four months, a contract, a promoter."""
    usage = [used(days_ago(day), f"u{user}", f"f{(day + user) % 7}") for day in range(120) for user in range(5)]
    return [
        *usage,
        event("account.described", days_ago(300), name="Acme", owners={"csm": "ana"}),
        event(
            "subscription.started",
            days_ago(300),
            subscription="s1",
            mrr={"amount": "1200.50", "currency": "EUR"},
            seats=6,
            term_end="2027-06-01T00:00:00Z",
        ),
        event("survey.answered", days_ago(20), survey="v1", kind="nps", score=9, scale_min=0, scale_max=10),
        event("contact.joined", days_ago(200), contact="c1", champion=True),
    ]


def state_of(events: Sequence[HealthEvent]) -> State:
    return fold(packaged(), events)


def snapshot_of(
    state: State,
    now: datetime = NOW,
    previous: Snapshot | None = None,
    freshness: Mapping[str, datetime] | None = None,
    **also: Any,
) -> Snapshot:
    """What is said of acme; all streams are fresh unless said otherwise."""
    known = dict.fromkeys(STREAMS, now) if freshness is None else freshness
    return build(packaged(), [case_of(state, known, previous, **also)], now)[0]


def case_of(state: State, freshness: Mapping[str, datetime], previous: Snapshot | None = None, **also: Any) -> Case:
    """acme, to be said something of."""
    return Case(account="acme", partition=0, next_offset=1, state=state, freshness=freshness, previous=previous, **also)
