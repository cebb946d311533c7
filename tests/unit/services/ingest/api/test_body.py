"""A request's bytes: what an attacker sends must not cost more than what a customer sends."""

import gzip
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import Request

from services.ingest.api.body import BodyBroken, read_events
from shared.http.problem import TooLarge, UnsupportedMediaType

BYTES_MAX = 1_000_000
CHUNK = 65_536


def request(body: bytes, **headers: str) -> Request:
    """A request whose body arrives in pieces, as it does from a socket."""
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "POST", "headers": named}, _receiving(body))


def _receiving(body: bytes) -> Callable[[], Awaitable[Any]]:
    pieces = [body[start : start + CHUNK] for start in range(0, len(body), CHUNK)] or [b""]

    async def receive() -> Any:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    return receive


async def test_json_may_be_one_event_or_many() -> None:
    assert await read_events(request(b"{}", content_type="application/json"), BYTES_MAX) == [b"{}"]
    assert await read_events(request(b" [{}, {}]", content_type="application/json"), BYTES_MAX) == [b"{}", b"{}"]


async def test_a_charset_is_taken_if_it_is_utf8() -> None:
    assert await read_events(request(b"{}", content_type="application/json; charset=UTF-8"), BYTES_MAX)
    with pytest.raises(UnsupportedMediaType):
        await read_events(request(b"{}", content_type="application/json; charset=latin-1"), BYTES_MAX)


async def test_the_limit_is_on_decoded_bytes_and_exact() -> None:
    fits = gzip.compress(b"{}".ljust(BYTES_MAX))
    sent = {"content_type": "application/json", "content_encoding": "gzip"}
    assert len(await read_events(request(fits, **sent), BYTES_MAX)) == 1
    with pytest.raises(TooLarge):
        await read_events(request(gzip.compress(b"{}".ljust(BYTES_MAX + 1)), **sent), BYTES_MAX)


async def test_a_gzip_bomb_is_never_inflated_past_the_limit() -> None:
    bomb = gzip.compress(bytes(100 * BYTES_MAX))
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge) as found:
            await read_events(request(bomb, content_type="application/json", content_encoding="gzip"), BYTES_MAX)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.value.members == {"limit_bytes": BYTES_MAX}
    assert peak < 6 * BYTES_MAX


@pytest.mark.parametrize("body", [b"{}", gzip.compress(b"{}")[:-1], gzip.compress(b"{}") + b"more", b""])
async def test_gzip_that_is_none_is_named(body: bytes) -> None:
    with pytest.raises(BodyBroken) as found:
        await read_events(request(body, content_type="application/json", content_encoding="gzip"), BYTES_MAX)
    assert found.value.reason == "broken_gzip"
