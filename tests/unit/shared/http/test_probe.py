"""What readiness answers while a process starts."""

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from shared.http.probe import Check, add_probes


async def test_a_check_that_goes_while_it_is_asked_is_answered_as_it_was() -> None:
    checks: dict[str, Check] = {}

    async def starting() -> str | None:
        del checks["started"]
        return "still starting"

    checks["started"] = starting
    app = FastAPI()
    add_probes(app, checks)
    async with AsyncClient(transport=ASGITransport(app), base_url="http://process") as client:
        first, second = await client.get("/readyz"), await client.get("/readyz")
    assert (first.status_code, first.json()["missing"]) == (503, {"started": "still starting"})
    assert (second.status_code, second.json()["checks"]) == (200, {})
