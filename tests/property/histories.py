"""Events of one account, a bit of everything it can do, small enough for things to meet."""

from datetime import datetime
from typing import Any

from hypothesis import strategies as st

from shared.contracts.envelope import HealthEvent
from tests.unit.services.scoring.acme import days_ago, event

TIMES = st.builds(lambda day, quarter: days_ago(day + quarter / 4), st.integers(0, 600), st.integers(0, 3))
KEYS = st.sampled_from(["k1", "k2", "k3"])
SEATS = st.integers(1, 9)
MRR = st.sampled_from(["10.00", "9000"]).map(lambda amount: {"amount": amount, "currency": "EUR"})
EFFECTIVE = st.none() | st.integers(-60, 60).map(lambda days: days_ago(days).isoformat())


def _of(noun: str, verbs: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[HealthEvent]:
    def built(verb: str, at: datetime, data: dict[str, Any]) -> HealthEvent:
        return event(f"{noun}.{verb}", at, **data)

    return st.builds(built, st.sampled_from(verbs.split()), TIMES, st.fixed_dictionaries(fields))


def _answer(score: int, at: datetime) -> HealthEvent:
    return event("survey.answered", at, survey="v", kind="nps", score=score, scale_min=0, scale_max=10)


EVENTS = st.one_of(
    _of("usage", "feature_used", user=KEYS, feature=KEYS, quantity=st.integers(0, 9)),
    _of(
        "ticket",
        "opened updated escalated solved reopened closed",
        ticket=KEYS,
        priority=st.sampled_from(["low", "urgent", None]),
    ),
    _of("invoice", "issued paid payment_failed", invoice=KEYS),
    _of(
        "subscription",
        "started changed renewed cancelled",
        subscription=KEYS,
        mrr=MRR,
        seats=SEATS,
        effective_at=EFFECTIVE,
    ),
    _of("contact", "joined changed left", contact=KEYS, champion=st.booleans()),
    _of("account", "described", name=st.sampled_from(["Acme", None]), owners=st.fixed_dictionaries({"csm": KEYS})),
    st.builds(_answer, st.integers(0, 10), TIMES),
)
HISTORIES = st.lists(EVENTS, min_size=1, max_size=25)
