"""What the demo asks of the HTTP API: the very routes that anybody would use."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import httpx
from msgspec import Struct, json

from shared.contracts.health import Money, Reason

PAGE = 200
TIMEOUT_SECONDS = 15.0
RECONNECT_SECONDS = 0.5


class Account(Struct):
    """What the demo shows of a row of GET /v1/accounts."""

    account: str
    name: str | None
    score: float | None
    band: str
    owner: str | None
    arr: Money | None
    reasons: list[Reason]

    @property
    def yearly(self) -> Decimal:
        """ARR in its own currency; the made-up fleet has one only."""
        return Decimal(self.arr.amount) if self.arr else Decimal()


class _Page(Struct):
    accounts: list[Account]
    next: str | None = None


class _Work(Struct):
    title: str


class _WorkPage(Struct):
    outreach: list[_Work]
    next: str | None = None


@dataclass(frozen=True, slots=True)
class Sent:
    """The answer to one event over HTTP."""

    status: int
    body: dict[str, Any]


class Api:
    """One origin and one key."""

    def __init__(self, origin: str, key: str) -> None:
        self.origin = origin
        self._client = httpx.AsyncClient(
            base_url=origin, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_SECONDS
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def accounts(self) -> list[Account]:
        """All accounts, worst first."""
        found: list[Account] = []
        parameters: dict[str, str] = {"limit": str(PAGE), "sort": "score"}
        while True:
            page = json.decode(await self._get("/v1/accounts", parameters), type=_Page)
            found += page.accounts
            if page.next is None:
                return found
            parameters["cursor"] = page.next

    async def open_work(self) -> Counter[str]:
        """Title of a rule -> how many alerts of it are open."""
        found: Counter[str] = Counter()
        parameters: dict[str, str] = {"limit": str(PAGE), "state": "firing"}
        while True:
            page = json.decode(await self._get("/v1/outreach", parameters), type=_WorkPage)
            found.update(item.title for item in page.outreach)
            if page.next is None:
                return found
            parameters["cursor"] = page.next

    async def send(self, event: bytes) -> Sent:
        """POST one CloudEvent in structured mode."""
        headers = {"content-type": "application/cloudevents+json"}
        answer = await self._client.post("/v1/events", content=event, headers=headers)
        return Sent(answer.status_code, answer.json())

    async def _get(self, path: str, parameters: Mapping[str, str]) -> bytes:
        answer = await self._client.get(path, params=parameters)
        answer.raise_for_status()
        return answer.content

    async def outreach(self) -> AsyncIterator[dict[str, Any]]:
        """Outreach as it comes, over server-sent events, from now on; reconnects where it left off."""
        last_id = ""
        while True:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
            try:
                async with self._client.stream("GET", "/v1/outreach/stream", headers=headers, timeout=None) as answer:
                    answer.raise_for_status()
                    async for line in answer.aiter_lines():
                        name, _, value = line.partition(":")
                        if name == "id":
                            last_id = value.strip()
                        elif name == "data":
                            yield json.decode(value.strip())
            except httpx.TransportError:
                await asyncio.sleep(RECONNECT_SECONDS)
