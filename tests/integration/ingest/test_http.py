"""POST /v1/events: what each body gets, and that an answer never says more than what is in the log."""

import asyncio
import gzip
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from tests.integration.ingest.deployment import Deployment, event, link

JSON = {"content-type": "application/json"}


def _in(**more: float) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


async def test_an_accepted_event_is_in_the_log_under_its_account(
    deployment: Deployment, client: httpx.AsyncClient, account: str
) -> None:
    sent = event(subject=account)
    answer = await client.post("/v1/events", json=sent, headers={"content-type": "application/cloudevents+json"})
    assert answer.status_code == 202
    body = answer.json()
    assert re.fullmatch(r"\d+:\d+", body.pop("position"))
    result = {"index": 0, "id": sent["id"], "status": "accepted", "account": account}
    assert body == {"accepted": 1, "parked": 0, "refused": 0, "results": [result]}
    (found,) = (await deployment.forwarded([sent["id"]]))[sent["id"]]
    assert (found.account, found.actor, found.data) == (account, "key:backend", sent["data"])


async def test_a_batch_with_one_wrong_event_is_207_and_names_it(client: httpx.AsyncClient, account: str) -> None:
    right, wrong = event(subject=account), event(subject=account, data={"feature": "x", "quantity": "three"})
    headers = {"content-type": "application/cloudevents-batch+json"}
    answer = await client.post("/v1/events", json=[right, wrong], headers=headers)
    assert answer.status_code == 207
    assert answer.json()["accepted"] == answer.json()["refused"] == 1
    assert answer.json()["results"][1] == {
        "index": 1,
        "id": wrong["id"],
        "status": "refused",
        "reason": "wrong_type",
        "pointer": "/data/quantity",
        "value": "three",
        "expected": "a whole number, 0 to 1,000,000,000",
    }


# Each bad input by its name: what is sent, the reason, the pointer.
REFUSED: dict[str, tuple[dict[str, Any], str, str | None]] = {
    "wrong type": ({"data": {"feature": "x", "quantity": "three"}}, "wrong_type", "/data/quantity"),
    "unknown type": ({"type": "usage.imagined"}, "unknown_type", "/type"),
    "no account": ({"subject": None}, "account_missing", "/subject"),
    "no time": ({"time": None}, "time_missing", "/time"),
    "no id": ({"id": None}, "id_missing", "/id"),
    "no source": ({"source": None}, "source_missing", "/source"),
    "no type": ({"type": None}, "type_missing", "/type"),
    "no data": ({"data": None}, "data_missing", "/data"),
    "a field missing": ({"data": {"quantity": 1}}, "field_missing", "/data/feature"),
    "a number out of range": ({"data": {"feature": "x", "quantity": -1}}, "out_of_range", "/data/quantity"),
    "time beyond the horizon": ({"time": _in(days=-36)}, "time_beyond_horizon", "/time"),
    "time in the future": ({"time": _in(hours=2)}, "time_in_future", "/time"),
    "time without an offset": ({"time": "2026-11-23T13:12:04"}, "time_invalid", "/time"),
    "@ subject": ({"subject": "@company"}, "reserved_account", "/subject"),
    "bad account id": ({"subject": "acme inc"}, "account_invalid", "/subject"),
    "another specversion": ({"specversion": "0.3"}, "specversion_unsupported", "/specversion"),
    "a nul": ({"data": {"feature": "a\0b"}}, "nul_character", None),
    "over 256 KiB": ({"data": {"feature": "x", "note": "x" * 300_000}}, "too_large", None),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_each_bad_event_is_refused_with_its_own_reason(client: httpx.AsyncClient, name: str) -> None:
    changes, reason, pointer = REFUSED[name]
    answer = await client.post("/v1/events", json=event(**changes))
    assert answer.status_code == 422
    (result,) = answer.json()["results"]
    assert (result["status"], result["reason"], result.get("pointer")) == ("refused", reason, pointer)
    assert result["expected"]


@pytest.mark.parametrize("number", [b"NaN", b"-Infinity", b"1e999"])
async def test_a_number_that_is_not_finite_is_refused_with_its_place(client: httpx.AsyncClient, number: bytes) -> None:
    body = msgspec.json.encode(event()).replace(b'"quantity":1', b'"quantity":' + number)
    answer = await client.post("/v1/events", content=body, headers=JSON)
    assert answer.status_code == 422
    (result,) = answer.json()["results"]
    assert (result["reason"], result["pointer"]) == ("not_finite", "/data/quantity")


async def test_what_cannot_be_read_in_a_batch_is_refused_alone(client: httpx.AsyncClient, account: str) -> None:
    deep = b'{"data":' + b"[" * 200 + b"]" * 200 + b"}"
    body = b"[" + msgspec.json.encode(event(subject=account)) + b',"text",' + deep + b"]"
    answer = await client.post("/v1/events", content=body, headers=JSON)
    assert answer.status_code == 207
    assert [result.get("reason") for result in answer.json()["results"]] == [None, "not_an_object", "too_deep"]


async def test_nan_in_one_event_of_a_batch_refuses_only_that_one(client: httpx.AsyncClient, account: str) -> None:
    body = msgspec.json.encode([event(subject=account), event(subject=account, data={"feature": "x", "quantity": 77})])
    answer = await client.post("/v1/events", content=body.replace(b'"quantity":77', b'"quantity":NaN'), headers=JSON)
    assert answer.status_code == 207
    assert [result.get("reason") for result in answer.json()["results"]] == [None, "not_finite"]


async def test_effective_at_may_lie_in_the_future(client: httpx.AsyncClient, account: str) -> None:
    data = {"subscription": "s1", "effective_at": _in(days=90)}
    answer = await client.post("/v1/events", json=event(subject=account, type="subscription.changed", data=data))
    assert answer.status_code == 202


async def test_old_usage_is_accepted_as_part_of_an_import(client: httpx.AsyncClient, account: str) -> None:
    answer = await client.post("/v1/events", json=event(subject=account, time=_in(days=-400), importrun="im_1"))
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("body", "headers", "status", "reason"),
    [
        (b'{"id": ', JSON, 400, "broken_json"),
        (b"", JSON, 400, "broken_json"),
        (b'"text"', JSON, 400, "not_an_object"),
        (b'{"a":' * 200_000, JSON, 400, "too_deep"),
        (b"[1,", JSON, 400, "broken_json"),
        (b"[" * 1_000_000, JSON, 400, "too_deep"),
        (b"{}", {"content-type": "application/cloudevents-batch+json"}, 400, "not_an_object"),
        (b"{}", {"content-type": "text/csv"}, 415, "media_type_unsupported"),
        (b"{}", {}, 415, "media_type_unsupported"),
        (b"{}", JSON | {"ce-id": "e1"}, 415, "binary_mode"),
        (b"{}", JSON | {"content-encoding": "br"}, 415, "encoding_unsupported"),
        (b"{}", JSON | {"content-encoding": "gzip"}, 400, "broken_gzip"),
        (gzip.compress(b"{}")[:-4], JSON | {"content-encoding": "gzip"}, 400, "broken_gzip"),
        (b" " * 9_000_000, JSON, 413, "too_large"),
        (b"[" + b"{}," * 5_000 + b"{}]", JSON, 413, "too_large"),
    ],
)
async def test_a_request_that_cannot_be_read_is_a_problem_with_a_reason(
    client: httpx.AsyncClient, body: bytes, headers: dict[str, str], status: int, reason: str
) -> None:
    answer = await client.post("/v1/events", content=body, headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_gzip_bomb_costs_no_more_than_an_honest_body(client: httpx.AsyncClient) -> None:
    bomb = gzip.compress(bytes(200_000_000))  # 200 KB that would become 200 MB
    answer = await client.post("/v1/events", content=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_large")
    assert answer.json()["limit_bytes"] == 8_388_608


async def test_5000_events_in_gzip_are_accepted_in_one_request(client: httpx.AsyncClient, account: str) -> None:
    body = gzip.compress(msgspec.json.encode([event(subject=f"{account}-{n % 50}") for n in range(5_000)]))
    answer = await client.post("/v1/events", content=body, headers=JSON | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["accepted"]) == (202, 5_000)
    assert re.fullmatch(r"\d+:\d+(,\d+:\d+)*", answer.json()["position"])


async def test_strict_handling_takes_all_or_nothing(
    deployment: Deployment, client: httpx.AsyncClient, account: str, alias: str
) -> None:
    right, wrong, unmatched = event(subject=account), event(time=None), event(subject=alias)
    answer = await client.post("/v1/events", json=[right, wrong], headers={"Prefer": "handling=strict"})
    assert (answer.status_code, answer.headers["preference-applied"]) == (422, "handling=strict")
    assert [result["status"] for result in answer.json()["results"]] == ["withheld", "refused"]
    answer = await client.post("/v1/events", json=[right, unmatched], headers={"Prefer": "handling=strict"})
    assert [result.get("reason") for result in answer.json()["results"]] == [None, "unknown_alias"]
    assert await deployment.forwarded([right["id"]]) == {right["id"]: []}
    assert await deployment.rows("SELECT 1 FROM aside WHERE event_id = $1", unmatched["id"]) == []
    answer = await client.post("/v1/events", json=[right], headers={"Prefer": "wait=2, handling=strict"})
    assert answer.status_code == 202


async def test_validate_says_the_same_and_writes_nothing(
    deployment: Deployment, client: httpx.AsyncClient, account: str, alias: str
) -> None:
    events = [event(subject=account), event(time=None), event(subject=alias), link(f"{alias}9", account)]
    tried = await client.post("/v1/events/validate", json=events)
    assert (tried.status_code, tried.json()["position"]) == (200, None)
    assert await deployment.forwarded([events[0]["id"]]) == {events[0]["id"]: []}
    assert await deployment.rows("SELECT 1 FROM aside WHERE event_id = $1", events[2]["id"]) == []
    assert await deployment.rows("SELECT 1 FROM alias WHERE id = $1", account) == []
    done = await client.post("/v1/events", json=events)
    assert tried.json()["results"] == done.json()["results"]


async def test_an_empty_batch_is_no_failure(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/events", json=[])
    assert (answer.status_code, answer.json()["accepted"]) == (202, 0)


async def test_who_may_not_send_is_told_why(deployment: Deployment) -> None:
    expired = await deployment.new_key("events:write", expires_at=datetime.now(UTC) - timedelta(hours=1))
    reader = await deployment.new_key("aside:read")
    for key, status, reason in (
        ("bw_aaaaaaaa_wrong", 401, "key_invalid"),
        (expired, 401, "key_expired"),
        (reader, 403, "scope_missing"),
    ):
        async with deployment.client(key) as client:
            answer = await client.post("/v1/events", json=event())
            assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    async with httpx.AsyncClient(base_url=deployment.url) as nobody:
        answer = await nobody.post("/v1/events", json=event())
        assert (answer.status_code, answer.json()["reason"]) == (401, "key_missing")


async def test_requests_side_by_side_each_get_their_own_answer(
    deployment: Deployment, client: httpx.AsyncClient, account: str
) -> None:
    sent = [event(subject=f"{account}-{n}") for n in range(50)]
    answers = await asyncio.gather(*(client.post("/v1/events", json=one) for one in sent))
    assert [answer.json()["results"][0]["id"] for answer in answers] == [one["id"] for one in sent]
    found = await deployment.forwarded([one["id"] for one in sent])
    assert all(len(copies) == 1 for copies in found.values())


async def test_every_schema_that_is_listed_is_served(client: httpx.AsyncClient) -> None:
    listed = (await client.get("/v1/schemas")).json()["schemas"]
    ticket = next(entry for entry in listed if entry["name"] == "ticket.opened")
    assert (ticket["version"], ticket["stream"]) == (1, "support.tickets")
    for entry in listed:
        schema = await client.get(entry["href"])
        assert schema.headers["content-type"] == "application/schema+json"
        assert schema.json()["title"] == f"{entry['name']}.{entry['version']}"
    missing = await client.get("/v1/schemas/ticket.opened/9")
    assert (missing.status_code, missing.json()["reason"]) == (404, "schema_unknown")
