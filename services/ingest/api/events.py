"""POST /v1/events: an honest answer for every event, and `accepted` only after the broker acknowledged."""

import asyncio
import contextlib
import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from services.ingest.api import examples
from services.ingest.api.answers import EventResult, EventsAnswer, event_results, events_answer
from services.ingest.api.body import BodyBroken, read_events
from services.ingest.api.context import Context, Ingest
from services.ingest.api.outages import OutcomeUnknown, named_outages
from services.ingest.domain.outcome import Valid
from services.ingest.domain.reasons import as_markdown
from services.ingest.forward import NotAcknowledged, position_of
from services.ingest.intake import Item
from services.ingest.judging import judge_surely
from shared.http.auth import Principal, require
from shared.http.openapi import answer, json_response
from shared.http.problem import (
    Forbidden,
    TooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
    responses,
)
from shared.postgres.pool import CONNECTION_ERRORS

RETRY_AFTER_SECONDS = 5  # at a few thousand events a second scoring gets through a tenth of the limit meanwhile
JUDGE_AT_ONCE = 500  # events between two turns of the event loop, so that a large batch holds nobody up

router = APIRouter(tags=["events"])

_Caller = Annotated[Principal, Depends(require("events:write"))]
_Prefer = Annotated[str | None, Header(description="`handling=strict`: all events or none (RFC 7240)")]
_STRICT = re.compile(r"(?:^|[,;])\s*handling\s*=\s*\"?strict\"?\s*(?:$|[,;])", re.IGNORECASE)


class Behind(TooManyRequests):
    """Scoring is too far behind: what is sent now would not be seen for a while."""

    reason = "scoring_behind"
    retry_after_seconds = RETRY_AFTER_SECONDS


_DESCRIPTION = f"""Up to 5,000 CloudEvents and 8 MiB decoded, gzip or not; one object or an array.

`202` all taken, `207` some refused, `422` all refused: read `results`. `parked` events are kept until their alias is
bound by `identity.linked`. Sending the same ids again is always safe: an event counts once.

{as_markdown()}
"""
_PROBLEMS = responses(Unauthorized, Forbidden, TooLarge, UnsupportedMediaType, BodyBroken)


@router.post(
    "/v1/events",
    summary="Send events",
    description=_DESCRIPTION,
    status_code=202,
    openapi_extra={"requestBody": examples.EVENTS_BODY},
    responses={
        202: answer(EventsAnswer, examples.ALL_ACCEPTED, "All were taken."),
        207: answer(EventsAnswer, examples.MIXED, "Some were refused; the others were taken."),
        422: answer(EventsAnswer, examples.NONE, "All were refused, or strict handling took none."),
        **_PROBLEMS,
        **responses(Behind, OutcomeUnknown),
    },
)
async def post_events(request: Request, ingest: Ingest, caller: _Caller, prefer: _Prefer = None) -> Response:
    await _check_backlog(ingest)
    items = await _items(request, ingest, caller)
    is_strict = _is_strict(prefer)
    with named_outages():
        if is_strict and (refusal := await _strict_refusal(ingest, items)) is not None:
            return refusal
        taken = await ingest.intake.take(items, await ingest.intake.now())
    if any(isinstance(item.judged, Valid) and item.judged.link for item in items):
        await _release(ingest, caller)
    results = event_results(taken.decisions, is_strict=False)
    status = _status(results)
    return _response(events_answer(results, position_of(taken.next_offsets) or None), status, is_strict=is_strict)


@router.post(
    "/v1/events/validate",
    summary="Try events without effect",
    openapi_extra={"requestBody": examples.EVENTS_BODY},
    responses={
        200: answer(
            EventsAnswer, examples.MIXED | {"position": None}, "What would become of each; nothing is written."
        ),
        **_PROBLEMS,
        **responses(Unavailable),
    },
)
async def validate_events(request: Request, ingest: Ingest, caller: _Caller, prefer: _Prefer = None) -> Response:
    """The answer of POST /v1/events, always with status 200 and without a position."""
    items = await _items(request, ingest, caller)
    is_strict = _is_strict(prefer)
    with named_outages():
        decisions = await ingest.intake.foresee(items)
    return _response(events_answer(event_results(decisions, is_strict=is_strict), None), 200, is_strict=is_strict)


async def _check_backlog(ingest: Context) -> None:
    unread, limit = await ingest.backlog.events(), ingest.settings.backlog_events_max
    if unread > limit:
        raise Behind(f"scoring has {unread} events to read, the limit is {limit}", unread=unread, limit=limit)


async def _items(request: Request, ingest: Context, caller: Principal) -> list[Item]:
    events = await read_events(request, ingest.settings.body_bytes_max)
    now = await ingest.intake.now()
    items = []
    for number, raw in enumerate(events):
        items.append(Item(raw, judge_surely(raw, now), caller.actor))
        if number % JUDGE_AT_ONCE == JUDGE_AT_ONCE - 1:
            await asyncio.sleep(0)
    return items


async def _strict_refusal(ingest: Context, items: Sequence[Item]) -> Response | None:
    """All or nothing is decided before anything is written."""
    results = event_results(await ingest.intake.foresee(items), is_strict=True)
    if all(result.status == "accepted" for result in results):
        return None
    return _response(events_answer(results, None), 422, is_strict=True)


async def _release(ingest: Context, caller: Principal) -> None:
    """What waited for the alias just bound, at once where it can be; the worker's own round takes what is left."""
    with contextlib.suppress(NotAcknowledged, *CONNECTION_ERRORS):
        await ingest.intake.release(caller.actor)


def _is_strict(prefer: str | None) -> bool:
    return prefer is not None and _STRICT.search(prefer) is not None


def _status(results: Sequence[EventResult]) -> int:
    """A batch of nothing is no failure."""
    refused = sum(result.status == "refused" for result in results)
    if not refused:
        return 202
    return 422 if refused == len(results) else 207


def _response(body: EventsAnswer, status: int, *, is_strict: bool) -> Response:
    headers = {"Preference-Applied": "handling=strict"} if is_strict else None
    return json_response(body, status, headers)
