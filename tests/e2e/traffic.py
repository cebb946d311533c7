"""Seeded traffic over the four raw topics: valid events, repeats, broken ones, ones about nobody known."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from msgspec import json

from services.ingest.domain.validate import USAGE_HORIZON
from shared.contracts.envelope import HealthEvent

NEARLY = timedelta(hours=1)  # before the horizon, so that what is late is in time however long a test runs


@dataclass(frozen=True)
class Sent:
    """What goes to a topic; `event` is None where it must be refused."""

    topic: str
    body: bytes
    event: HealthEvent | None = None
    is_parked: bool = False


@dataclass(frozen=True)
class Traffic:
    """`sends` in the order of sending; the rest is what must come of them."""

    sends: list[Sent]
    events: dict[str, HealthEvent]
    repeated: set[str]
    broken: set[bytes]
    parked: set[bytes]


@dataclass(frozen=True)
class Mix:
    """Shares of all that is sent, and what it is spread over: late events lie between `days` and the horizon.

    Parked ones are about an alias that nobody has bound.
    """

    repeats: float = 0.1
    broken: float = 0.02
    parked: float = 0.01
    late: float = 0.0
    accounts: int = 100
    days: int = 30

    def account(self, random: Random) -> str:
        return f"acct-{random.randrange(self.accounts)}"

    def time(self, random: Random, now: datetime) -> datetime:
        usual = timedelta(days=self.days)
        if random.random() < self.late:
            late = (USAGE_HORIZON - NEARLY - usual).total_seconds()
            return now - usual - timedelta(seconds=random.randrange(int(late)))
        return now - timedelta(seconds=random.randrange(int(usual.total_seconds())))


MIX = Mix()


def traffic(seed: int, sends: int, now: datetime, mix: Mix = MIX) -> Traffic:
    """The same for the same seed, time and mix."""
    random = Random(seed)
    repeats, broken, parked = (int(sends * share) for share in (mix.repeats, mix.broken, mix.parked))
    valid = [_valid(random, n, now, mix) for n in range(sends - repeats - broken - parked)]
    again = random.sample(valid, repeats)
    bad = [_broken(random, n, now, mix) for n in range(broken)]
    unknown = [_parked(random, n, now, mix) for n in range(parked)]
    everything = [*valid, *again, *bad, *unknown]
    random.shuffle(everything)
    return Traffic(
        sends=everything,
        events={one.event.id: one.event for one in valid if one.event},
        repeated={one.event.id for one in again if one.event},
        broken={one.body for one in bad},
        parked={one.body for one in unknown},
    )


def _valid(random: Random, number: int, now: datetime, mix: Mix) -> Sent:
    topic, kind, data = random.choices(
        [
            ("product.usage", "usage.feature_used", _usage(random)),
            ("product.usage", "usage.session_started", {"user": f"u{random.randrange(40)}"}),
            ("support.tickets", *_ticket(random)),
            ("billing.events", *_billing(random, now)),
            ("relationship.events", *_relationship(random)),
        ],
        weights=[50, 15, 15, 12, 8],
    )[0]
    account = mix.account(random)
    event = HealthEvent(
        id=f"e{number}",
        source=f"//producer/{number % 3}",
        type=kind,
        subject=account,
        time=mix.time(random, now),
        account=account,
        receivedat=now,
        actor="test",
        data=json.decode(json.encode(data)),  # times as the strings that they are on the wire
    )
    return Sent(topic, _body(event), event)


def _body(event: HealthEvent, **changes: Any) -> bytes:
    whole = {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": event.time,
        "data": event.data,
    } | changes
    return json.encode({name: value for name, value in whole.items() if value is not None})


def _usage(random: Random) -> dict[str, Any]:
    return {
        "feature": f"f{random.randrange(12)}",
        "user": f"u{random.randrange(40)}",
        "quantity": random.randrange(1, 9),
    }


def _ticket(random: Random) -> tuple[str, dict[str, Any]]:
    verb = random.choice(["opened", "updated", "replied", "escalated", "solved", "reopened", "closed"])
    data: dict[str, Any] = {"ticket": f"t{random.randrange(6)}"}
    if random.random() < 0.5:
        data["priority"] = random.choice(["low", "normal", "high", "urgent"])
    if random.random() < 0.3:
        data["sentiment"] = random.randrange(-10, 11) / 10
    return f"ticket.{verb}", data


def _billing(random: Random, now: datetime) -> tuple[str, dict[str, Any]]:
    if random.random() < 0.5:
        verb = random.choice(["issued", "paid", "payment_failed", "overdue"])
        return f"invoice.{verb}", {"invoice": f"i{random.randrange(4)}", "amount": "49.00", "currency": "EUR"}
    verb = random.choice(["started", "changed", "renewed"])
    mrr = {"amount": f"{random.randrange(10, 900)}.50", "currency": "EUR"}
    term_end = now + timedelta(days=random.randrange(10, 300))
    return f"subscription.{verb}", {
        "subscription": "s1",
        "state": "active",
        "mrr": mrr,
        "seats": 20,
        "term_end": term_end,
    }


def _relationship(random: Random) -> tuple[str, dict[str, Any]]:
    if random.random() < 0.5:
        answer = {"survey": "nps", "kind": "nps", "score": random.randrange(11), "scale_min": 0, "scale_max": 10}
        return "survey.answered", answer
    return "account.described", {"name": f"Company {random.randrange(1000)}", "owners": {"csm": "ana"}}


def _broken(random: Random, number: int, now: datetime, mix: Mix) -> Sent:
    good = _valid(random, 10_000_000 + number, now, mix)
    assert good.event is not None
    other = "billing.events" if good.topic != "billing.events" else "product.usage"
    ahead = now + timedelta(days=400)
    return next(broken for at, broken in enumerate(_ways(good, good.event, other, ahead)) if at == number % 8)


def _ways(good: Sent, event: HealthEvent, other: str, ahead: datetime) -> Iterator[Sent]:
    yield Sent(good.topic, b'{"id": "' + event.id.encode() + b'", "broken')
    yield Sent(good.topic, _body(event, type="usage.unheard_of"))
    yield Sent(other, good.body)
    yield Sent(good.topic, _body(event, time=None))
    yield Sent(good.topic, _body(event, time=ahead))
    yield Sent(good.topic, _body(event, subject=None))
    yield Sent(good.topic, _body(event, data=["not", "an", "object"]))
    yield Sent(good.topic, _body(event, subject="@company"))


def _parked(random: Random, number: int, now: datetime, mix: Mix) -> Sent:
    good = _valid(random, 20_000_000 + number, now, mix)
    assert good.event is not None
    return Sent(good.topic, _body(good.event, subject=f"crm:{number}"), is_parked=True)
