"""How the accounts of the made-up fleet behave: the handful of stories that customer success people know by heart."""

from collections.abc import Callable
from dataclasses import dataclass

Curve = Callable[[int], float]
"""days before now -> how busy the account is, 1.0 being its normal."""


@dataclass(frozen=True, slots=True)
class Archetype:
    """One kind of account. Ranges are inclusive; days count back from now unless they say otherwise."""

    name: str
    share: float
    usage: Curve
    tickets_a_month: float = 0.4
    urgent_open: int = 0
    is_escalated: bool = False
    tone: float = 0.3
    invoices_failed: int = 0
    champion_left_days: int | None = None
    renews_in_days: tuple[int, int] = (150, 360)
    nps: tuple[int, int] = (7, 10)


def steady(_: int) -> float:
    return 1.0


def growing(days_ago: int) -> float:
    """From half its normal to one and a half, over 120 days."""
    return 1.5 - min(days_ago, 120) / 120


def fading(days_ago: int) -> float:
    """Normal until 50 days ago, then down to an eighth."""
    return max(0.125, min(1.0, days_ago / 50))


def stopped(days_ago: int) -> float:
    """Normal until 65 days ago, then nothing: no event will ever say so."""
    return 1.0 if days_ago > 65 else 0.0


def dented(days_ago: int) -> float:
    """A third less since the person who carried it left."""
    return 1.0 if days_ago > 12 else 0.6


def lukewarm(_: int) -> float:
    return 0.45


ARCHETYPES = (
    Archetype("healthy", 0.36, steady),
    Archetype("growing", 0.14, growing, nps=(8, 10)),
    Archetype("fading", 0.14, fading, tone=-0.1, nps=(3, 8)),
    Archetype("silent", 0.06, stopped, nps=(4, 8), renews_in_days=(40, 200)),
    Archetype("support-burdened", 0.06, steady, tickets_a_month=3.0, urgent_open=2, tone=-0.5, nps=(1, 7)),
    Archetype("escalated", 0.04, lukewarm, tickets_a_month=2, urgent_open=1, is_escalated=True, tone=-0.6, nps=(0, 5)),
    Archetype("payment trouble", 0.08, lukewarm, invoices_failed=2, nps=(4, 9)),
    Archetype("champion left", 0.06, dented, champion_left_days=12, nps=(5, 9)),
    Archetype("renewal near", 0.06, lukewarm, tone=0.0, renews_in_days=(10, 40), nps=(3, 8)),
)
