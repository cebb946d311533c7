"""A request's bytes, never more of them than the limit, and the events in them."""

import zlib
from collections.abc import AsyncIterator

from fastapi import Request

from services.ingest.domain.decode import EVENTS_MAX, decode, split
from services.ingest.domain.outcome import Refused
from services.ingest.domain.reasons import Reason
from shared.http.problem import BadRequest, TooLarge, UnsupportedMediaType

ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
EITHER = "application/json"
MEDIA_TYPES = (ONE, BATCH, EITHER)

# A single body of this kind is a request that cannot be read, not an event that is wrong.
_NO_EVENT_AT_ALL = frozenset({Reason.BROKEN_JSON, Reason.NOT_AN_OBJECT, Reason.TOO_DEEP})

_GZIP = 31  # zlib's window bits for "a gzip header, and nothing else"


class BodyBroken(BadRequest):
    """The body is not JSON, or is not what its content type says."""

    reason = "broken_json"


async def read_events(request: Request, bytes_max: int) -> list[bytes]:
    """The events of a request, unread.

    Raises UnsupportedMediaType, TooLarge (naming the limit), BodyBroken.
    """
    media_type = _media_type(request)
    body = await _read(request, bytes_max)
    is_batch = media_type == BATCH or (media_type == EITHER and body.lstrip()[:1] == b"[")
    if not is_batch:
        found = decode(body)
        if isinstance(found, Refused) and found.reason in _NO_EVENT_AT_ALL:
            raise _broken(found)
        return [body]
    events = split(body)
    if isinstance(events, Refused):
        raise _broken(events)
    if len(events) > EVENTS_MAX:
        raise TooLarge(f"{len(events)} events; at most {EVENTS_MAX} a request", limit_events=EVENTS_MAX)
    return events


def _broken(refused: Refused) -> BodyBroken:
    detail = f"the body: {refused.reason.meaning} Expected {refused.expected}. {refused.reason.remedy}"
    return BodyBroken(detail, reason=refused.reason.value)


def _media_type(request: Request) -> str:
    given = request.headers.get("content-type", "")
    media_type, _, parameters = given.lower().partition(";")
    if any(name.startswith("ce-") for name in request.headers):
        detail = f"the event's attributes are in headers (binary mode): put them into the body, content type {ONE}"
        raise UnsupportedMediaType(detail, reason="binary_mode")
    if media_type.strip() not in MEDIA_TYPES:
        raise UnsupportedMediaType(f"content type {given[:100]!r}; one of {', '.join(MEDIA_TYPES)}")
    if "charset=" in parameters and "utf-8" not in parameters:
        raise UnsupportedMediaType(f"content type {given[:100]!r}; JSON is UTF-8")
    return media_type.strip()


async def _read(request: Request, bytes_max: int) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").lower().strip()
    if encoding == "identity":
        chunks: AsyncIterator[bytes] = request.stream()
    elif encoding == "gzip":
        chunks = _unzipped(request.stream(), bytes_max)
    else:
        raise UnsupportedMediaType(f"content encoding {encoding[:100]!r}; gzip or none", reason="encoding_unsupported")
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            raise TooLarge(f"the body is over {bytes_max} bytes decoded", limit_bytes=bytes_max)
    return bytes(body)


async def _unzipped(chunks: AsyncIterator[bytes], bytes_max: int) -> AsyncIterator[bytes]:
    """Never inflates a byte more than the limit and one: a bomb costs what an honest body costs."""
    inflater = zlib.decompressobj(_GZIP)
    left = bytes_max + 1
    try:
        async for chunk in chunks:
            plain = inflater.decompress(chunk, left)
            left -= len(plain)
            yield plain
            if left == 0:
                return  # over the limit, which the caller says
            if inflater.unused_data:
                raise BodyBroken("bytes follow the gzip stream", reason="broken_gzip")
    except zlib.error as error:
        raise BodyBroken(f"the body is not gzip ({error})", reason="broken_gzip") from error
    if not inflater.eof:
        raise BodyBroken("the gzip stream ends too early", reason="broken_gzip")
