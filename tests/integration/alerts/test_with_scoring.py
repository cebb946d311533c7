"""What scoring says is what the rules understand: both workers as processes, events in, outreach out."""

import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts.envelope import HealthEvent, encode
from shared.contracts.topics import partition_of
from tests.integration.alerts.deployed import Deployed, deployed, short
from tests.pair import World
from tests.unit.services.alerts.said import DAY, HOUR


@pytest.fixture
async def chain(world: World) -> AsyncIterator[Deployed]:
    workers = [start(world, service) for service in ("scoring", "alerts")]
    try:
        async with deployed(world) as made:
            yield made
    finally:
        for worker in workers:
            worker.send_signal(signal.SIGTERM)
        assert [worker.wait(10) for worker in workers] == [0, 0]


def start(world: World, service: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", f"services.{service}.main", "worker"], env=world.env())


async def tell(chain: Deployed, account: str, kind: str, at: datetime, **data: Any) -> None:
    event = HealthEvent(
        id=f"{kind} {account} {at.isoformat()}",
        source="//app.example",
        type=kind,
        subject=account,
        time=at,
        account=account,
        receivedat=at,
        actor="key:backend",
        data=data,
    )
    target = partition_of(account, chain.world.partitions)
    topic = chain.world.topic("health.events")
    await chain.writer.send_and_wait(topic, encode(event), account.encode(), target)


async def test_a_failed_payment_and_an_old_ticket_are_told_and_end(chain: Deployed) -> None:
    now = datetime.now(UTC)
    await tell(chain, "acme", "account.described", now - 2 * HOUR, name="Acme GmbH", owners={"csm": "ana"})
    await tell(chain, "acme", "ticket.opened", now - 50 * HOUR, ticket="T-1", priority="urgent")
    await tell(chain, "acme", "invoice.payment_failed", now - HOUR, invoice="in_1", amount="49.00", currency="EUR")
    messages = await chain.messages("acme", 2)
    assert sorted(short(messages)) == [
        ("triggered", "critical_ticket_open", "T-1"),
        ("triggered", "payment_failed", "in_1"),
    ]
    assert {(m["data"]["name"], m["data"]["owner"]) for m in messages} == {("Acme GmbH", "ana")}
    await tell(chain, "acme", "invoice.paid", now, invoice="in_1", amount="49.00", currency="EUR")
    await tell(chain, "acme", "ticket.solved", now, ticket="T-1")
    assert sorted(short((await chain.messages("acme", 4))[2:])) == [
        ("resolved", "critical_ticket_open", "T-1"),
        ("resolved", "payment_failed", "in_1"),
    ]


async def test_silence_and_renewal_come_with_time_alone(chain: Deployed) -> None:
    now = datetime.now(UTC)
    for account in ("silent", "busy"):
        await tell(chain, account, "usage.feature_used", now, user="u1", feature="export")
    await tell(
        chain,
        "silent",
        "subscription.started",
        now,
        subscription="s1",
        term_end=(now + 54 * DAY).isoformat(),
        mrr={"amount": "100.00", "currency": "EUR"},
    )
    await chain.messages(None, 0)
    await chain.move_clock_to(10 * DAY)
    later = now + 10 * DAY + timedelta(minutes=1)
    await tell(chain, "busy", "usage.feature_used", later, user="u1", feature="export")
    # An age runs to what the account's own partition has shown: scoring looks at everybody within 15 minutes.
    await chain.move_clock_to(10 * DAY + timedelta(minutes=16))
    silent, renewal = await chain.told("silent", "went_silent", "renewal_window")
    assert silent["data"]["words"] == "last usage was at least 10 days ago"
    assert renewal["data"]["words"] == "term end is at most 45 days away"
    await chain.caught_up()
    assert [m["subject"] for m in chain.heard if m["data"]["rule"] == "went_silent"] == ["silent"]
