"""What goes on happening: mostly people at work, now and then something that somebody should hear of. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Literal

from services.cli.demo.fleet import Customer
from services.cli.demo.history import CURRENCY, FEATURES
from services.cli.importing.outcome import Draft

STORY_EVERY = 12  # happenings; at five a second one story every 2.4 s

Way = Literal["http", "topic"]


@dataclass(frozen=True, slots=True)
class Happening:
    """One live event, the way it comes in, and what people would say about it ("" for plain usage)."""

    way: Way
    draft: Draft
    words: str = ""


@dataclass(frozen=True, slots=True)
class _Moment:
    """Where and when a story happens; `tag` makes the ids of one demo differ from those of the next."""

    customer: Customer
    now: datetime
    tag: str

    def draft(self, kind: str, data: dict[str, Any]) -> Draft:
        return Draft(f"{self.customer.account}/{kind}/{self.tag}", kind, self.customer.account, self.now, data)


_Story = Callable[[_Moment], tuple[Draft, str]]


def _payment_fails(moment: _Moment) -> tuple[Draft, str]:
    due = (moment.now + timedelta(days=10)).isoformat()
    money = {"amount": str(moment.customer.mrr), "currency": CURRENCY, "due_at": due}
    data = {"invoice": f"in-{moment.tag}", "attempt": 1, "failure_code": "card_declined"}
    return moment.draft("invoice.payment_failed", data | money), "a payment failed"


def _urgent_ticket(moment: _Moment) -> tuple[Draft, str]:
    data = {"ticket": f"ti-{moment.tag}", "priority": "urgent", "sentiment": -0.8}
    title = {"kind": "incident", "title": "exports come out empty"}
    return moment.draft("ticket.opened", data | title), "an urgent ticket was opened"


def _champion_leaves(moment: _Moment) -> tuple[Draft, str]:
    return moment.draft("contact.left", {"contact": moment.customer.champion, "champion": True}), "the champion left"


def _bad_answer(moment: _Moment) -> tuple[Draft, str]:
    data = {"survey": "nps", "kind": "nps", "score": 2, "scale_min": 0, "scale_max": 10}
    return moment.draft("survey.answered", data | {"contact": moment.customer.champion}), "gave us 2 of 10"


def _old_invoice_is_paid(moment: _Moment) -> tuple[Draft, str]:
    """The last month's invoice is one that accounts in payment trouble had left open."""
    data = {"invoice": f"{moment.customer.account}-i4", "amount": str(moment.customer.mrr), "currency": CURRENCY}
    return moment.draft("invoice.paid", data), "an open invoice was paid"


# (story, the kinds of account it happens to)
_STORIES: tuple[tuple[_Story, frozenset[str]], ...] = (
    (_payment_fails, frozenset({"healthy", "growing"})),
    (_urgent_ticket, frozenset({"healthy", "fading", "renewal near"})),
    (_old_invoice_is_paid, frozenset({"payment trouble"})),
    (_champion_leaves, frozenset({"healthy", "fading"})),
    (_bad_answer, frozenset({"renewal near", "growing"})),
)
_QUIET = frozenset({"silent"})  # those who stopped stay so


def happening(number: int, fleet: Sequence[Customer], seed: int, now: datetime, tag: str) -> Happening:
    """The `number`th happening (from 0) of a demo, at `now`. The same arguments give the same one."""
    random = Random(f"live/{seed}/{number}")  # noqa: S311 a simulation wants a seed, not secrecy
    way: Way = "http" if number % 2 else "topic"
    told, rest = divmod(number, STORY_EVERY)
    if rest == STORY_EVERY - 1:
        story, kinds = _STORIES[told % len(_STORIES)]
        customer = random.choice([customer for customer in fleet if customer.archetype.name in kinds])
        draft, words = story(_Moment(customer, now, f"{tag}-{number}"))
        return Happening("topic" if told % 2 else "http", draft, f"{customer.name}: {words}")
    customer = random.choice([customer for customer in fleet if customer.archetype.name not in _QUIET])
    data = {"user": random.choice(customer.users), "feature": random.choice(FEATURES), "quantity": random.randint(1, 5)}
    return Happening(way, _Moment(customer, now, f"{tag}-{number}").draft("usage.feature_used", data))
