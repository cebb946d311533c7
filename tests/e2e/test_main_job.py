"""The main job as its users see it: HTTP in, HTTP and a plain Kafka consumer out."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from json import loads
from typing import Any

import pytest

from tests.e2e.installation import Installation, installed
from tests.processes import until
from tests.reading import everything

FRESH_SECONDS = 1.0
DAYS_OF_USE = 40


@pytest.fixture
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Installation]:
    async with installed(tmp_path_factory.mktemp("main-job") / "data") as running:
        yield running


def event(kind: str, account: str, name: str, at: datetime, /, **data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{account}-{name}",
        "source": "//test.example",
        "type": kind,
        "subject": account,
        "time": at.isoformat(),
        "data": data,
    }


def use(account: str, at: datetime) -> dict[str, Any]:
    return event("usage.feature_used", account, f"use-{at.isoformat()}", at, feature="export", user="u1")


async def send(installation: Installation, events: Sequence[Mapping[str, Any]]) -> str:
    """The position to read one's own write by."""
    async with installation.client() as client:
        answer = await client.post("/v1/events", json=list(events))
    assert answer.status_code == 202, answer.text
    position: str = answer.json()["position"]
    return position


async def health(installation: Installation, account: str, at_least: str) -> dict[str, Any]:
    async with installation.client() as client:
        answer = await client.get(
            f"/v1/accounts/{account}/health", params={"at_least": at_least}, headers={"Prefer": "wait=5"}
        )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def told(installation: Installation, account: str, rule: str) -> list[dict[str, Any]]:
    """What a consumer of outreach.events sees of an account and a rule."""
    messages = [loads(record.value) async for record in everything(installation.bootstrap, "outreach.events")]
    return [one for one in messages if one["subject"] == account and one["data"]["rule"] == rule]


@pytest.mark.timeout(180)
async def test_an_event_moves_the_score_within_a_second_and_the_band_it_crosses_is_told(
    installation: Installation,
) -> None:
    now = datetime.now(UTC)
    history = [use("nordwind", now - timedelta(days=day, minutes=1)) for day in range(30)]
    history += [
        event("account.described", "nordwind", "who", now, name="Nordwind GmbH", owners={"csm": "ana"}),
        event("ticket.opened", "nordwind", "t1", now, ticket="T1", priority="normal"),
        event("contact.joined", "nordwind", "c1", now, contact="C1", champion=True),
        event("invoice.paid", "nordwind", "i0", now, invoice="in_0", amount="10.00", currency="EUR"),
    ]
    before = await health(installation, "nordwind", await send(installation, history))
    assert before["statuses"]["band"]["value"] == "green"
    started = time.monotonic()
    position = await send(
        installation,
        [event("invoice.payment_failed", "nordwind", "i1", now, invoice="in_1", amount="10.00", currency="EUR")],
    )
    after = await health(installation, "nordwind", position)
    seconds = time.monotonic() - started
    print(f"score {before['score']} -> {after['score']} {seconds:.3f} s after the event was sent")
    assert seconds < FRESH_SECONDS
    assert after["statuses"]["band"]["value"] == "yellow"
    assert round(sum(delta["points"] for delta in after["deltas"]), 3) == round(after["score"] - before["score"], 3)

    async def is_told() -> bool:
        return bool(await told(installation, "nordwind", "band_turned_yellow"))

    await until(is_told, "the crossing on outreach.events")
    messages = await told(installation, "nordwind", "band_turned_yellow")
    assert [message["type"] for message in messages] == ["outreach.triggered"]
    assert messages[0]["data"]["owner"] == "ana"


@pytest.mark.timeout(180)
async def test_who_stops_is_silent_while_others_go_on_and_nobody_is_when_the_stream_stops(
    installation: Installation,
) -> None:
    now = datetime.now(UTC)
    use_of_all = [use(account, now - timedelta(days=day)) for day in range(20) for account in ("quiet", "busy")]
    await health(installation, "quiet", await send(installation, use_of_all))
    alerts = await installation.connect("alerts")
    later = timedelta(days=11)
    await alerts.execute("UPDATE clock SET offset_by = $1", later)

    async def all_looked_at() -> bool:
        async with installation.client() as client:
            answer = await client.get("/v1/accounts")
        as_of = [datetime.fromisoformat(account["as_of"]) for account in answer.json()["accounts"]]
        return len(as_of) == 2 and min(as_of) > now + later - timedelta(minutes=1)

    await until(all_looked_at, "a look at everybody, eleven days later")
    assert await told(installation, "quiet", "went_silent") == []
    assert await told(installation, "busy", "went_silent") == []

    at_last = use("busy", datetime.now(UTC) + later)

    async def clock_is_seen() -> bool:
        """A moved clock may go unseen by a process for half a second."""
        async with installation.client() as client:
            answer = await client.post("/v1/events/validate", json=[at_last])
        return bool(answer.json()["accepted"] == 1)

    await until(clock_is_seen, "the moved clock in ingest")
    await send(installation, [at_last])
    # An age runs to what the account's own partition has shown: scoring looks at everybody within 15 minutes.
    await alerts.execute("UPDATE clock SET offset_by = $1", later + timedelta(minutes=16))

    async def quiet_is_told() -> bool:
        return bool(await told(installation, "quiet", "went_silent"))

    await until(quiet_is_told, "the silence of one while the other goes on")
    assert await told(installation, "busy", "went_silent") == []
    await alerts.close()
