"""What people see and do over HTTP, against the service's own processes."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.cli.embedded.pair import Addresses
from shared.contracts.routes import ROUTES
from shared.http.auth import create_key
from tests.integration.alerts.deployed import Deployed, deployed, short, worker
from tests.pair import World, new_world
from tests.processes import until
from tests.unit.services.alerts.said import HOUR, said, ticket, turned

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass
class Served:
    """An alerts worker, the API, and a client with every right."""

    alerts: Deployed
    http: httpx.AsyncClient
    reading: httpx.AsyncClient

    async def opened(self, account: str, rule: str = "band_turned_red") -> str:
        """The id of an alert that has just been told."""
        now = datetime.now(UTC)
        if rule == "band_turned_red":
            await self.alerts.say(said(account, now, **turned("red", "yellow", now)))
        else:
            await self.alerts.say(said(account, now, records=[ticket("T-1", now - 50 * HOUR)]))
        (message,) = await self.alerts.messages(account, 1)
        assert message["data"]["rule"] == rule
        return str(message["data"]["alert"])

    async def act(self, alert: str, verb: str, **body: Any) -> httpx.Response:
        return await self.http.post(f"/v1/outreach/{alert}/{verb}", json=body or None)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(pair: Addresses) -> AsyncIterator[Served]:
    async with new_world(pair, "api_") as world, deployed(world) as alerts, worker(world):
        port, process = serve(world)
        every = await create_key(alerts.sql, "crm")
        reading = await create_key(alerts.sql, "viewer", ["outreach:read"])
        try:
            async with client(port, every) as http, client(port, reading) as reader:
                await answering(http)
                yield Served(alerts, http, reader)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(10)


def serve(world: World) -> tuple[int, subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "services.alerts.main", "api", "--port", str(port)]
    return port, subprocess.Popen(command, env=world.env(), stderr=subprocess.DEVNULL)


def client(port: int, key: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=10, trust_env=False
    )


async def answering(http: httpx.AsyncClient) -> None:
    async def is_ready() -> bool:
        try:
            return (await http.get("/readyz")).is_success
        except httpx.TransportError:
            return False

    await until(is_ready, "the API is ready")


@pytest.fixture
def acme(request: pytest.FixtureRequest) -> str:
    """An account that no other test has."""
    return str(request.node.name)


async def test_one_alert_says_what_why_who_and_until_when(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    body = (await served.http.get(f"/v1/outreach/{alert}")).json()
    assert (body["account"], body["rule"], body["state"]) == (acme, "band_turned_red", "firing")
    assert (body["title"], body["words"]) == ("Health turned red", "band went from yellow to red")
    assert (body["case"]["state"], body["case"]["owner"], body["case"]["is_overdue"]) == ("open", "ana", False)
    assert [step["state"] for step in body["steps"]] == ["open"] * 3
    assert [(c["event"], c["actor"], c["message"]) for c in body["changes"]] == [
        ("triggered", "rule:band_turned_red@1", f"{alert}.1")
    ]


async def test_a_started_case_names_who_took_it_first(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    assert (await served.act(alert, "start")).json()["case"]["started_by"] == "key:crm"
    again = (await served.act(alert, "start")).json()
    assert [change["event"] for change in again["changes"]] == ["triggered", "started", "started"]
    assert again["case"]["started_at"] == again["changes"][1]["at"]


async def test_done_closes_case_steps_and_an_alert_about_what_happened(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    body = (await served.act(alert, "done", outcome="Call held")).json()
    assert (body["state"], body["case"]["state"], body["case"]["outcome"]) == ("resolved", "closed", "Call held")
    assert {step["state"] for step in body["steps"]} == {"done"}
    end = (await served.alerts.messages(acme, 2))[1]
    assert (end["type"], end["data"]["transition"]["event"]) == ("outreach.resolved", "case_closed")
    assert end["id"] == f"{alert}.3"


async def test_done_does_not_end_what_still_holds(served: Served, acme: str) -> None:
    alert = await served.opened(acme, "critical_ticket_open")
    body = (await served.act(alert, "done", outcome="Support has a date")).json()
    assert (body["state"], body["case"]["state"]) == ("firing", "closed")
    await served.alerts.messages(acme, 1)
    await served.alerts.say(said(acme, datetime.now(UTC)))
    assert short(await served.alerts.messages(acme, 2))[1] == ("resolved", "critical_ticket_open", "T-1")


async def test_not_a_problem_counts_against_the_rule(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    before = (await served.http.get(f"/v1/outreach/{alert}")).json()["rule_record"]
    body = (await served.act(alert, "decline", reason="not_a_problem", note="They moved office")).json()
    assert (body["state"], body["case"]["outcome"], body["case"]["reason"]) == ("resolved", "declined", "not_a_problem")
    assert {(step["state"], step["reason"]) for step in body["steps"]} == {("declined", "not_a_problem")}
    assert body["rule_record"]["not_a_problem"] == before["not_a_problem"] + 1
    assert body["rule_record"]["closed"] == before["closed"] + 1


async def test_a_snooze_keeps_quiet_moves_due_times_and_tells_again(served: Served, acme: str) -> None:
    alert = await served.opened(acme, "critical_ticket_open")
    due = datetime.fromisoformat((await served.http.get(f"/v1/outreach/{alert}")).json()["case"]["due_at"])
    until_at = datetime.fromtimestamp(time.time() + 1.5, UTC)
    body = (await served.act(alert, "snooze", until=until_at.isoformat(), reason="They are closed today")).json()
    assert body["gate"]["kind"] == "snoozed"
    assert (body["gate"]["actor"], body["gate"]["reason"]) == ("key:crm", "They are closed today")
    again = (await served.alerts.messages(acme, 2))[1]
    assert again["data"]["transition"]["event"] == "gate_ended"
    assert datetime.fromisoformat(again["time"]) >= until_at
    assert (datetime.fromisoformat(again["data"]["due_at"]) - due).total_seconds() >= 1
    assert (await served.http.get(f"/v1/outreach/{alert}")).json()["gate"] is None


async def test_what_is_over_before_the_snooze_ends_is_told_as_over(served: Served, acme: str) -> None:
    alert = await served.opened(acme, "critical_ticket_open")
    until_at = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    await served.act(alert, "snooze", until=until_at, reason="later")
    await served.alerts.say(said(acme, datetime.now(UTC)))
    end = (await served.alerts.messages(acme, 2))[1]
    assert (end["type"], end["data"]["transition"]["event"]) == ("outreach.resolved", "cleared")


async def test_a_started_case_outlives_its_alert(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    await served.act(alert, "start")
    await served.alerts.say(said(acme, datetime.now(UTC)))
    await served.alerts.messages(acme, 2)
    body = (await served.http.get(f"/v1/outreach/{alert}")).json()
    assert (body["state"], body["case"]["state"]) == ("resolved", "open")
    done = await served.act(alert, "done", outcome="They are fine")
    assert (done.status_code, done.json()["case"]["state"]) == (200, "closed")


async def test_an_unstarted_case_closes_with_its_alert(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    await served.alerts.say(said(acme, datetime.now(UTC)))
    await served.alerts.messages(acme, 2)
    body = (await served.http.get(f"/v1/outreach/{alert}")).json()
    assert (body["case"]["outcome"], body["case"]["closed_by"]) == ("resolved_itself", "rule:band_turned_red@1")


async def test_of_two_who_close_a_case_at_once_one_is_told_that_it_is_closed(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    answers = await asyncio.gather(
        *(served.act(alert, "done", outcome="Call held") for _ in range(4)),
        *(served.act(alert, "decline", reason="too_late") for _ in range(4)),
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 7
    body = (await served.http.get(f"/v1/outreach/{alert}")).json()
    assert [change["number"] for change in body["changes"]] == [1, 2, 3]


async def test_wrong_states_are_named(served: Served, acme: str) -> None:
    alert = await served.opened(acme)
    await served.act(alert, "done", outcome="Call held")
    tomorrow = datetime.fromtimestamp(time.time() + 86_400, UTC).isoformat()
    for verb, body in (
        ("start", {}),
        ("snooze", {"until": tomorrow, "reason": "x"}),
        ("done", {"outcome": "x"}),
        ("decline", {"reason": "too_late"}),
    ):
        answer = await served.act(alert, verb, **body)
        problem = answer.json()
        assert (answer.status_code, answer.headers["content-type"]) == (409, "application/problem+json")
        assert (problem["reason"], problem["state"], problem["case"]) == ("case_closed", "resolved", "closed"), verb


@pytest.mark.parametrize(
    ("verb", "body", "reason"),
    [
        ("snooze", {"until": "2020-01-01T00:00:00Z", "reason": "x"}, "until_invalid"),
        ("snooze", {"until": "2099-01-01T00:00:00Z", "reason": "x"}, "until_invalid"),
        ("snooze", {"until": "2026-12-01T00:00:00", "reason": "x"}, "value_invalid"),
        ("snooze", {"until": "2099-01-01T00:00:00Z"}, "value_invalid"),
        ("decline", {"reason": "no_mood"}, "value_invalid"),
        ("done", {"outcome": ""}, "value_invalid"),
    ],
)
async def test_bad_values_are_refused_by_name(
    served: Served, acme: str, verb: str, body: dict[str, str], reason: str
) -> None:
    alert = await served.opened(acme.split("[", maxsplit=1)[0] + f".{abs(hash(str(body)))}")
    answer = await served.act(alert, verb, **body)
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)
    assert (await served.http.get(f"/v1/outreach/{alert}")).json()["changes"][-1]["event"] == "triggered"


async def test_what_nobody_knows_is_404_and_what_nobody_may_is_403(served: Served) -> None:
    for answer in (await served.http.get("/v1/outreach/al_none"), await served.act("al_none", "start")):
        assert (answer.status_code, answer.json()["reason"]) == (404, "outreach_unknown")
    forbidden = await served.reading.post("/v1/outreach/al_none/start")
    assert (forbidden.status_code, forbidden.json()["scope"]) == (403, "outreach:write")
    nobody = await served.http.get("/v1/outreach", headers={"Authorization": ""})
    assert nobody.status_code == 401


async def test_the_list_is_filtered_and_paged_without_gaps(served: Served, acme: str) -> None:
    for number in range(5):
        await served.opened(f"{acme}.{number}")
    one = (await served.http.get("/v1/outreach", params={"account": f"{acme}.3"})).json()["outreach"]
    assert [item["account"] for item in one] == [f"{acme}.3"]
    filters = {"rule": "band_turned_red", "state": "firing", "owner": "ana", "priority": "urgent"}
    whole = (await served.http.get("/v1/outreach", params=filters)).json()
    pages: list[str] = []
    cursor: str | None = None
    while True:
        after = {} if cursor is None else {"cursor": cursor}
        page = await served.http.get("/v1/outreach", params={**filters, "limit": 2, **after})
        pages += [item["id"] for item in page.json()["outreach"]]
        cursor = page.json()["next"]
        if cursor is None:
            break
    assert pages == [item["id"] for item in whole["outreach"]]
    assert len(pages) >= 5
    assert (await served.http.get("/v1/outreach", params={"owner": "queue:nobody"})).json()["outreach"] == []
    for bad in ({"cursor": "?"}, {"state": "sleeping"}, {"limit": 0}):
        assert (await served.http.get("/v1/outreach", params=bad)).status_code == 422


async def test_the_stream_tells_what_comes_and_goes_on_where_it_left_off(served: Served, acme: str) -> None:
    async with served.http.stream("GET", "/v1/outreach/stream") as stream:
        events = sse(stream)
        await anext(events)  # the position, before anything came
        await served.opened(f"{acme}.1")
        first = await about(events, f"{acme}.1")
    assert first["event"] == "outreach.triggered"
    await served.opened(f"{acme}.2")
    async with served.http.stream("GET", "/v1/outreach/stream", headers={"Last-Event-ID": first["id"]}) as stream:
        events = sse(stream)
        assert (await anext(events))["id"] == first["id"]
        await about(events, f"{acme}.2")


async def about(events: AsyncIterator[dict[str, str]], account: str) -> dict[str, str]:
    """The next event about an account; what other tests have left behind may still come in between."""
    while True:
        event = await anext(events)
        if json.loads(event["data"])["subject"] == account:
            return event


async def test_the_stream_refuses_an_id_that_is_not_its_own(served: Served) -> None:
    for bad in ("latest", "7", "0:1,,", "99:1"):
        answer = await served.http.get("/v1/outreach/stream", headers={"Last-Event-ID": bad})
        assert (answer.status_code, answer.json()["reason"]) == (422, "last_event_id_invalid")


async def test_an_open_stream_does_not_hold_the_process_back(served: Served) -> None:
    port, process = serve(served.alerts.world)
    async with client(port, served.http.headers["Authorization"].split()[1]) as http:
        await answering(http)
        async with http.stream("GET", "/v1/outreach/stream") as stream:
            events = sse(stream)
            await anext(events)
            began = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert [event async for event in events] == []
        process.wait(10)
    assert time.monotonic() - began < 3


async def test_every_route_of_the_table_is_served_and_documented(served: Served) -> None:
    paths = (await served.http.get("/openapi.json")).json()["paths"]
    for route in ROUTES:
        if route.service == "alerts":
            operation = paths[route.path][route.method.lower()]
            wanted = {str(status) for status in (*route.statuses, 401, 403, 503)}
            assert set(operation["responses"]) == wanted, route
            assert all("example" in next(iter(r["content"].values())) for r in operation["responses"].values()), route


async def sse(response: httpx.Response) -> AsyncIterator[dict[str, str]]:
    """Events of a stream, pings left out."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif not line and fields:
            yield fields
            fields = {}
