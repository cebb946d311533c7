"""Scoring's API and worker as processes on real servers."""

import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import httpx
import pytest

from shared.contracts.health import decode_snapshot
from shared.contracts.routes import Scope
from shared.contracts.topics import partition_of
from shared.http.auth import create_key
from tests.integration.scoring.deployed import NOW, archived, event, send
from tests.pair import World
from tests.processes import running, until

ACCOUNTS = ("acme", "beta", "gamma")


async def key_of(world: World, *scopes: Scope, expired: bool = False) -> dict[str, str]:
    connection = await world.connect("access")
    try:
        key = await create_key(connection, "test", scopes, NOW - timedelta(days=1) if expired else None)
    finally:
        await connection.close()
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
async def client(world: World) -> AsyncIterator[httpx.AsyncClient]:
    """An API with three accounts behind it; acme has used it most, gamma hardly."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    headers = await key_of(world, "health:read")
    connection: asyncpg.Connection = await world.connect("scoring")
    async with (
        running(world, "scoring"),
        running(world, "scoring", "api", "--port", port),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=15) as opened,
    ):
        days = zip(ACCOUNTS, (28, 14, 3), strict=True)
        await send(world, [event(account, n, NOW - timedelta(days=n)) for account, count in days for n in range(count)])

        async def ready() -> bool:
            try:
                answer = await opened.get("/readyz")
            except httpx.TransportError:
                return False
            return answer.status_code == 200 and await archived(connection) == 45

        await until(ready, "an API with three accounts")
        yield opened
    await connection.close()


async def test_what_scoring_answers(world: World, client: httpx.AsyncClient) -> None:
    """One deployment, every route: starting one for each would cost minutes."""
    await _one_account(client)
    await _lists(client)
    await _many(client)
    await _positions(world, client)
    await _history_and_trace(client)
    await _bad_input(client)
    await _keys(world, client)


async def _one_account(client: httpx.AsyncClient) -> None:
    answer = await client.get("/v1/accounts/acme/health")
    assert answer.status_code == 200
    snapshot = decode_snapshot(answer.content)
    assert snapshot.account == "acme"
    assert snapshot.score is not None
    assert round(sum(part.points for part in snapshot.contributions), 3) == snapshot.score
    assert answer.json()["lag_records"] == 0
    unknown = await client.get("/v1/accounts/nobody/health")
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "account_unknown")


async def _lists(client: httpx.AsyncClient) -> None:
    whole = (await client.get("/v1/accounts", params={"sort": "account"})).json()
    assert [account["account"] for account in whole["accounts"]] == list(ACCOUNTS)
    assert whole["next"] is None
    for sort in ("score", "-score", "-arr", "account"):
        paged: list[str] = []
        cursor = None
        while True:
            params = {"sort": sort, "limit": "2"} | ({"cursor": cursor} if cursor else {})
            page = (await client.get("/v1/accounts", params=params)).json()
            paged += [account["account"] for account in page["accounts"]]
            cursor = page["next"]
            if cursor is None:
                break
        assert sorted(paged) == list(ACCOUNTS), sort
    none = (await client.get("/v1/accounts", params={"owner": "nobody"})).json()
    assert none == {"accounts": [], "next": None}
    bands = {account["band"] for account in whole["accounts"]}
    some = (await client.get("/v1/accounts", params=[("band", band) for band in bands])).json()
    assert len(some["accounts"]) == len(ACCOUNTS)


async def _many(client: httpx.AsyncClient) -> None:
    answer = (await client.post("/v1/accounts/batch-get", json={"ids": ["gamma", "nobody", "acme"]})).json()
    assert [account["account"] for account in answer["accounts"]] == ["gamma", "acme"]
    assert answer["unknown"] == ["nobody"]


async def _positions(world: World, client: httpx.AsyncClient) -> None:
    partition = partition_of("acme", world.partitions)
    met = await client.get("/v1/accounts/acme/health", params={"at_least": f"{partition}:1"})
    assert met.status_code == 200
    unmet = await client.get(
        "/v1/accounts/acme/health", params={"at_least": f"{partition}:99999"}, headers={"Prefer": "wait=0.1"}
    )
    assert (unmet.status_code, unmet.json()["reason"]) == (409, "position_not_reached")
    assert unmet.headers["retry-after"] == "1"


async def _history_and_trace(client: httpx.AsyncClient) -> None:
    page = (await client.get("/v1/accounts/acme/history")).json()
    versions = [snapshot["version"] for snapshot in page["snapshots"]]
    assert versions == sorted(versions, reverse=True)
    trace = (await client.get("/v1/trace", params={"source": "//test", "id": "acme-3"})).json()
    assert (trace["account"], trace["seen"]) == ("acme", 1)
    assert trace["said"]["version"] in versions
    unknown = await client.get("/v1/trace", params={"source": "//test", "id": "never"})
    assert (unknown.status_code, unknown.json()["reason"]) == (404, "event_unknown")


async def _bad_input(client: httpx.AsyncClient) -> None:
    for params, reason in (
        ({"cursor": "nonsense"}, "cursor_invalid"),
        ({"limit": "0"}, "value_invalid"),
        ({"sort": "name"}, "value_invalid"),
        ({"score_at_most": "101"}, "value_invalid"),
    ):
        answer = await client.get("/v1/accounts", params=params)
        assert (answer.status_code, answer.json()["reason"]) == (422, reason), params
    bad = await client.get("/v1/accounts/acme/health", params={"at_least": "soon"})
    assert bad.status_code == 422
    assert "'soon'" in bad.json()["detail"]
    many = await client.post("/v1/accounts/batch-get", json={"ids": ["a"] * 201})
    assert many.status_code == 422


async def _keys(world: World, client: httpx.AsyncClient) -> None:
    path = "/v1/accounts/acme/health"
    for headers, status, reason in (
        ({"Authorization": ""}, 401, "key_missing"),
        ({"Authorization": "Bearer bw_nonsense_key"}, 401, "key_invalid"),
        (await key_of(world, "health:read", expired=True), 401, "key_expired"),
        (await key_of(world, "events:write"), 403, "scope_missing"),
    ):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
