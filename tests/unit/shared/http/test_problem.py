"""Every error is a problem, whoever raised it."""

from typing import Annotated

import httpx
import pytest
from fastapi import FastAPI, Query

from shared.http.problem import Conflict, TooManyRequests, Unauthorized, install


@pytest.fixture
async def client() -> httpx.AsyncClient:
    app = FastAPI()
    install(app)

    @app.get("/busy")
    async def busy() -> None:
        raise TooManyRequests("scoring is 40,000 records behind, the limit is 20,000", lag=40_000)

    @app.get("/locked")
    async def locked() -> None:
        raise Conflict("al_1 is resolved", reason="already_resolved")

    @app.get("/who")
    async def who() -> None:
        raise Unauthorized("no key")

    @app.get("/lost")
    async def lost() -> None:
        raise ConnectionRefusedError(111, "refused")

    @app.get("/bug")
    async def bug() -> None:
        raise AssertionError("we were wrong")

    @app.get("/count")
    async def count(n: Annotated[int, Query(le=10)]) -> int:
        return n

    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test")


async def test_a_problem_names_its_reason_and_carries_its_members(client: httpx.AsyncClient) -> None:
    answer = await client.get("/busy")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "2"
    assert answer.json() == {
        "type": "urn:bellwether:problem:behind",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "scoring is 40,000 records behind, the limit is 20,000",
        "reason": "behind",
        "lag": 40_000,
    }


async def test_a_reason_may_be_narrower_than_its_class(client: httpx.AsyncClient) -> None:
    assert (await client.get("/locked")).json()["reason"] == "already_resolved"


async def test_who_has_no_key_is_told_how_to_send_one(client: httpx.AsyncClient) -> None:
    assert (await client.get("/who")).headers["www-authenticate"] == "Bearer"


async def test_a_wrong_parameter_is_named_with_its_value_and_what_was_expected(client: httpx.AsyncClient) -> None:
    answer = await client.get("/count", params={"n": "eleven"})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {
            "pointer": "/query/n",
            "value": "'eleven'",
            "expected": "Input should be a valid integer, unable to parse string as an integer",
        }
    ]


async def test_an_unknown_path_and_a_wrong_method_are_problems_too(client: httpx.AsyncClient) -> None:
    missing, wrong = await client.get("/nothing"), await client.post("/busy")
    assert (missing.status_code, missing.json()["reason"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["reason"]) == (405, "method_not_allowed")


async def test_a_lost_server_is_a_503_and_a_bug_of_ours_a_500_without_its_inside(client: httpx.AsyncClient) -> None:
    lost, bug = await client.get("/lost"), await client.get("/bug")
    assert (lost.status_code, lost.json()["reason"], lost.headers["retry-after"]) == (503, "unavailable", "2")
    assert (bug.status_code, bug.json()["reason"]) == (500, "internal")
    assert "wrong" not in bug.text
