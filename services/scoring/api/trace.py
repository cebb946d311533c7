"""Where is my event, and what did it do?"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.scoring.api import examples
from services.scoring.api.answers import Trace, said
from services.scoring.api.context import Scoring
from services.scoring.api.health import SQL
from shared.contracts.envelope import decode
from shared.contracts.identity import hash_of
from shared.http.auth import require
from shared.http.openapi import answer, json_response
from shared.http.problem import Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable, responses

router = APIRouter(tags=["events"], dependencies=[Depends(require("health:read"))])


class EventUnknown(NotFound):
    """No event with this source and id has been applied."""

    reason = "event_unknown"


@router.get(
    "/v1/trace",
    summary="One event: when it came, where it is, what it changed",
    responses={
        200: answer(Trace, examples.TRACE),
        **responses(Unauthorized, Forbidden, EventUnknown, Unprocessable, Unavailable),
    },
)
async def trace(
    scoring: Scoring,
    source: Annotated[str, Query(max_length=512, examples=["//app.example/api"])],
    id: Annotated[str, Query(max_length=512, examples=["e1"])],  # noqa: A002  CloudEvents calls it so
) -> Response:
    """`seen` above 1 means it came again, and changed nothing then."""
    key = await scoring.pool.fetchval("SELECT key FROM identity_key")
    for row in await scoring.pool.fetch(SQL["trace"], hash_of(key, source, id)):
        event = decode(row["body"])
        if (event.source, event.id) == (source, id):
            first = await scoring.pool.fetchrow(SQL["said_after"], row["account"], row["applied_at"])
            return json_response(
                Trace(
                    source=source,
                    id=id,
                    account=row["account"],
                    type=event.type,
                    time=event.time,
                    accepted_at=event.receivedat,
                    actor=event.actor,
                    position=f"{row['partition']}:{row['log_offset'] + 1}",
                    applied_at=row["applied_at"],
                    seen=row["seen"],
                    said=None if first is None else said(first),
                )
            )
    raise EventUnknown(
        f"no event {id!r} of source {source!r} has been applied; GET /v1/aside lists what was refused or is parked"
    )
