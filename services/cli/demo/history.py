"""What happened to one customer until now. Pure: the same customer, seed and instant give the same events."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from math import exp
from random import Random
from typing import Any

from services.cli.demo.fleet import Customer
from services.cli.importing.outcome import Draft

DAYS = 120
FEATURES = (
    "report_export",
    "dashboard",
    "search",
    "sharing",
    "api",
    "alerts",
    "import",
    "approval",
    "comments",
    "audit",
)
CURRENCY = "EUR"
_WORKING_HOURS = (7, 17)
_WEEKEND = 0.15  # of a working day


def history(customer: Customer, seed: int, now: datetime, days: int = DAYS) -> Iterator[Draft]:
    """All events of the customer in the `days` before `now`, none after it, in no particular order."""
    past = _Past(customer, seed, now, days)
    drafts = (*past.description(), *past.contract(), *past.invoices(), *past.people(), *past.tickets(), *past.usage())
    return (draft for draft in drafts if draft.time <= now)


def description(customer: Customer, seed: int, now: datetime, days: int = DAYS) -> Iterator[Draft]:
    """The beginning of `history`, the same events: who the account is."""
    return _Past(customer, seed, now, days).description()


class _Past:
    """One customer's story, told part by part; every part draws from the same seeded numbers in the same order."""

    def __init__(self, customer: Customer, seed: int, now: datetime, days: int) -> None:
        self._customer = customer
        self._random = Random(f"history/{seed}/{customer.account}")  # noqa: S311 a simulation wants a seed
        self._now = now
        self._days = days
        self._start = now.date() - timedelta(days=days)

    def description(self) -> Iterator[Draft]:
        """Who the account is and who looks after it."""
        customer = self._customer
        at = self._at(self._start, 8)
        described = {
            "name": customer.name,
            "owners": {"csm": customer.owner},
            "segment": customer.size.segment,
            "signed_at": at.isoformat(),
        }
        yield self._draft("account.described", "described", at, described)

    def contract(self) -> Iterator[Draft]:
        """What it pays, and how that grew."""
        customer = self._customer
        at = self._at(self._start, 9)
        terms = {
            "subscription": f"{customer.account}-s1",
            "state": "active",
            "effective_at": at.isoformat(),
            "term_start": at.isoformat(),
            "term_end": self._at(customer.term_end, 0).isoformat(),
            "auto_renew": customer.archetype.name == "growing",
            "billing_period_months": 1,
            "mrr": {"amount": str(customer.mrr), "currency": CURRENCY},
            "seats": customer.seats,
            "plan": customer.size.segment,
        }
        yield self._draft("subscription.started", "s1", at, terms)
        if customer.archetype.name == "growing":
            grown = {"amount": str(round(customer.mrr * 1.25)), "currency": CURRENCY}
            changed = {**terms, "seats": round(customer.seats * 1.25), "mrr": grown, "reason": "expansion"}
            when = self._at(self._now.date() - timedelta(days=30), 9)
            yield self._draft("subscription.changed", "s1/expanded", when, changed | {"effective_at": when.isoformat()})

    def invoices(self) -> Iterator[Draft]:
        """One a month, paid within days; the newest ones of an account in trouble are not."""
        months = self._days // 30
        for month in range(months):
            issued = self._at(self._start + timedelta(days=month * 30), 6)
            invoice: dict[str, Any] = {"invoice": f"{self._customer.account}-i{month + 1}"}
            money = {"amount": str(self._customer.mrr), "currency": CURRENCY}
            due = {"due_at": (issued + timedelta(days=14)).isoformat()}
            yield self._draft("invoice.issued", f"{invoice['invoice']}/issued", issued, {**invoice, **money, **due})
            if month < months - self._customer.archetype.invoices_failed:
                paid = issued + timedelta(days=self._random.randint(1, 12))
                yield self._draft("invoice.paid", f"{invoice['invoice']}/paid", paid, {**invoice, **money})
                continue
            for attempt in (1, 2):
                failed = issued + timedelta(days=attempt * 4)
                data = {**invoice, **money, "attempt": attempt, "failure_code": "card_declined"}
                yield self._draft("invoice.payment_failed", f"{invoice['invoice']}/failed{attempt}", failed, data)

    def people(self) -> Iterator[Draft]:
        """The champion, meetings with the owner, and one answer to the survey."""
        customer = self._customer
        contact = {
            "contact": customer.champion,
            "role": "head of operations",
            "seniority": "director",
            "champion": True,
        }
        yield self._draft("contact.joined", "champion", self._at(self._start, 9), contact)
        left = customer.archetype.champion_left_days
        if left is not None:
            when = self._at(self._now.date() - timedelta(days=left), 12)
            yield self._draft("contact.left", "champion/left", when, {"contact": customer.champion, "champion": True})
        for number in range(self._days // 30):
            day = self._start + timedelta(days=number * 30 + self._random.randint(3, 25))
            touch = {"touch": f"{customer.account}-t{number}", "kind": "meeting", "status": "held", "team": "cs"}
            yield self._draft("touch.recorded", f"touch/{number}", self._at(day, 10), touch)
        answered = self._at(self._now.date() - timedelta(days=self._random.randint(5, 60)), 11)
        score = self._random.randint(*customer.archetype.nps)
        survey = {"survey": "nps", "kind": "nps", "score": score, "scale_min": 0, "scale_max": 10}
        yield self._draft("survey.answered", "nps", answered, survey | {"contact": customer.champion})

    def tickets(self) -> Iterator[Draft]:
        """Opened and solved within days, save the urgent ones that a burdened account still waits for."""
        kind = self._customer.archetype
        count = self._poisson(kind.tickets_a_month * self._days / 30)
        for number in range(count + kind.urgent_open):
            still_open = number >= count
            age = self._random.randint(2, 6) if still_open else self._random.randint(7, self._days - 1)
            opened = self._at(self._now.date() - timedelta(days=age), self._random.randint(8, 16))
            ticket = f"{self._customer.account}-c{number}"
            tone = max(-1.0, min(1.0, self._random.gauss(kind.tone, 0.2)))
            priority = "urgent" if still_open else self._random.choice(("low", "normal", "normal", "high"))
            data = {"ticket": ticket, "kind": "support", "priority": priority, "sentiment": round(tone, 2)}
            yield self._draft("ticket.opened", f"{ticket}/opened", opened, data)
            if still_open and kind.is_escalated:
                data = {"ticket": ticket, "escalation_level": 2}
                yield self._draft("ticket.escalated", f"{ticket}/escalated", opened + timedelta(hours=20), data)
            if not still_open:
                solved = opened + timedelta(hours=self._random.randint(3, 90))
                yield self._draft("ticket.solved", f"{ticket}/solved", solved, {"ticket": ticket})

    def usage(self) -> Iterator[Draft]:
        """People at work: each event is one person with one feature on one day."""
        customer = self._customer
        features = FEATURES[: self._random.randint(4, len(FEATURES))]
        for days_ago in range(self._days, -1, -1):
            day = self._now.date() - timedelta(days=days_ago)
            busy = customer.archetype.usage(days_ago) * (_WEEKEND if day.weekday() >= 5 else 1.0)
            for number in range(self._poisson(customer.size.events_a_day * busy)):
                data = {
                    "user": self._random.choice(customer.users),
                    "feature": self._random.choice(features),
                    "quantity": self._random.randint(1, 9),
                }
                when = self._at(day, self._random.randint(*_WORKING_HOURS))
                yield self._draft("usage.feature_used", f"{day}/{number}", when, data)

    def _draft(self, kind: str, name: str, at: datetime, data: dict[str, Any]) -> Draft:
        return Draft(f"{self._customer.account}/{kind}/{name}", kind, self._customer.account, at, data)

    def _at(self, day: date, hour: int) -> datetime:
        """Some minute of the hour; nothing at midnight moves, since that is when terms end."""
        minute = self._random.randint(0, 59) if hour else 0
        return datetime.combine(day, time(hour, minute), UTC)

    def _poisson(self, mean: float) -> int:
        """Knuth's way: fine for the small means here, and the same on every machine."""
        limit, product, count = exp(-mean), self._random.random(), 0
        while product > limit:
            product *= self._random.random()
            count += 1
        return count
