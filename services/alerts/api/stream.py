"""outreach.events as server-sent events."""

from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header
from fastapi.sse import EventSourceResponse, ServerSentEvent
from msgspec import Struct, json

from services.alerts.api import examples
from services.alerts.api.context import Alerts
from services.alerts.api.streams import Listening
from shared.http.auth import require
from shared.http.problem import Forbidden, Unauthorized, Unavailable, Unprocessable, responses

router = APIRouter(tags=["outreach"], dependencies=[Depends(require("outreach:read"))])

_STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "events as they come", "content": {"text/event-stream": {"example": examples.STREAM}}}
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


@router.get(
    "/v1/outreach/stream",
    summary="Outreach as it happens (server-sent events)",
    response_class=EventSourceResponse,
    responses={**_STREAM, **responses(Unauthorized, Forbidden, Unprocessable, Unavailable)},
)
async def stream(listening: Annotated[Listening, Depends(_listening)]) -> AsyncIterator[ServerSentEvent]:
    """Each event is the CloudEvent of the topic, named by its type; its id is the position to come back with.

    The same event may come again after a reconnect: its own `id` tells.
    """
    yield ServerSentEvent(comment="outreach.events", id=listening.position)
    async for record in listening.records():
        kind = json.decode(record.value, type=_Typed).type
        yield ServerSentEvent(raw_data=record.value.decode(), event=kind, id=listening.position)
