"""outreach.events as server-sent events."""

import time
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from aiokafka import ConsumerRecord
from fastapi import APIRouter, Depends, Header
from fastapi.responses import StreamingResponse
from fastapi.sse import KEEPALIVE_COMMENT, format_sse_event
from msgspec import Struct, json

from services.alerts.api import examples
from services.alerts.api.context import Alerts
from services.alerts.api.streams import Listening
from shared.http.auth import require
from shared.http.problem import Forbidden, Unauthorized, Unavailable, Unprocessable, responses

router = APIRouter(tags=["outreach"], dependencies=[Depends(require("outreach:read"))])

MEDIA_TYPE = "text/event-stream"
PING_SECONDS = 15.0  # the interval that the specification of server-sent events recommends
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}  # proxies must neither keep nor collect it
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "events as they come",
        "content": {MEDIA_TYPE: {"schema": {"type": "string"}, "example": examples.STREAM}},
    }
}


class _Typed(Struct):
    type: str = "message"


async def _listening(
    alerts: Alerts,
    last_event_id: Annotated[
        str | None,
        Header(description="`id` of the last event seen: what followed comes first. `earliest`: all that is kept."),
    ] = None,
) -> AsyncIterator[Listening]:
    """Opened before the answer begins, so that a refusal is a problem and not a stream that breaks off."""
    async with alerts.streams.listen(last_event_id) as listening:
        yield listening


# FastAPI's own EventSourceResponse describes itself with `itemSchema`, which OpenAPI 3.1 does not know.
@router.get(
    "/v1/outreach/stream",
    summary="Outreach as it happens (server-sent events)",
    response_class=StreamingResponse,
    responses={**_STREAM, **responses(Unauthorized, Forbidden, Unprocessable, Unavailable)},
)
async def stream(listening: Annotated[Listening, Depends(_listening)]) -> StreamingResponse:
    """Each event is the CloudEvent of the topic, named by its type; its id is the position to come back with.

    The same event may come again after a reconnect: its own `id` tells.
    """
    return StreamingResponse(_events(listening), headers=_HEADERS, media_type=MEDIA_TYPE)


async def _events(listening: Listening) -> AsyncIterator[bytes]:
    # An id without data is no event, but the position to come back with if nothing ever comes.
    yield format_sse_event(comment="outreach.events", id=listening.position)
    said_at = time.monotonic()
    async for record in listening.records():
        if record is not None:
            yield _event(record, listening.position)
        elif time.monotonic() - said_at < PING_SECONDS:
            continue
        else:
            yield KEEPALIVE_COMMENT
        said_at = time.monotonic()


def _event(record: ConsumerRecord, position: str) -> bytes:
    """A record that is no JSON was written by mistake: the listener passes it by its id alone."""
    try:
        kind = json.decode(record.value or b"", type=_Typed).type
    except msgspec.MsgspecError:
        return format_sse_event(id=position)
    return format_sse_event(event=kind, data_str=record.value.decode(), id=position)
