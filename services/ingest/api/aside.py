"""What was set aside: listed, shown with its original bytes, replayed."""

from base64 import b64encode
from typing import Annotated, Literal

import asyncpg
import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from msgspec import Meta, Raw, Struct

from services.ingest import store
from services.ingest.api import examples
from services.ingest.api.answers import Aside, AsidePage, Origin, Payload, ReplayAnswer, ReplayResult
from services.ingest.api.context import Context, Ingest
from services.ingest.api.outages import OutcomeUnknown, named_outages
from services.ingest.domain.outcome import Refused
from services.ingest.domain.reasons import BY_CODE, Reason
from services.ingest.forward import position_of
from services.ingest.replay import REPLAY_MAX, Replay, Replayed
from shared.http.auth import Principal, require
from shared.http.openapi import answer, json_response
from shared.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from shared.http.problem import Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable, responses

_ANY_ID = 2**63 - 1
PAYLOADS_MAX = 50  # rows of a page with bytes: a record may have a megabyte
_PROBLEMS = responses(Unauthorized, Forbidden, Unavailable)

router = APIRouter(tags=["set aside"])

_Reader = Annotated[Principal, Depends(require("aside:read"))]
_Writer = Annotated[Principal, Depends(require("aside:write"))]
_State = Literal["open", "replayed", "released", "discarded"]
_WithPayload = Annotated[bool, Query(description="with the original bytes; who looks at them is kept in the audit log")]


class AsideUnknown(NotFound):
    """Nothing was set aside under this id."""

    reason = "aside_unknown"


class ByIds(Struct, frozen=True, forbid_unknown_fields=True):
    """Replay these rows."""

    ids: Annotated[list[Annotated[int, Meta(ge=1, le=_ANY_ID)]], Meta(min_length=1, max_length=REPLAY_MAX)]


class ByReason(Struct, frozen=True, forbid_unknown_fields=True):
    """Replay the open rows with this reason, REPLAY_MAX a call, from the one after `after`."""

    reason: Reason
    after: Annotated[int, Meta(ge=0, le=_ANY_ID)] = 0


@router.get(
    "/v1/aside",
    summary="What could not be taken, newest first",
    responses={200: answer(AsidePage, examples.ASIDE_PAGE), **_PROBLEMS, **responses(Unprocessable)},
)
async def list_aside(
    ingest: Ingest,
    caller: _Reader,
    *,
    reason: Annotated[Reason | None, Query(description="only this reason; unknown_alias are the parked ones")] = None,
    state: Annotated[_State | None, Query(description="only this state")] = "open",
    source: Annotated[str | None, Query(max_length=256, description="only this CloudEvents source")] = None,
    payload: _WithPayload = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Response:
    """Refusals from topics and everything unmatched. Refusals over HTTP were answered, and are not kept."""
    before = _ANY_ID if cursor is None else decode_cursor(cursor, int)[0]
    size = min(limit, PAYLOADS_MAX) if payload else limit
    wanted = store.AsideFilter(reason and reason.value, state, source)
    with named_outages():
        rows = await store.aside_page(ingest.intake.pool, wanted, before, size + 1, with_payload=payload)
        page = rows[:size]
        if payload and page:
            await store.note_look(ingest.intake.pool, [row["id"] for row in page], caller.actor)
    after = encode_cursor(page[-1]["id"]) if len(rows) > size else None
    return json_response(AsidePage([_aside(row) for row in page], after))


@router.get(
    "/v1/aside/{aside_id}",
    summary="One thing that was set aside",
    responses={200: answer(Aside, examples.ASIDE), **_PROBLEMS, **responses(AsideUnknown)},
)
async def get_aside(
    ingest: Ingest,
    caller: _Reader,
    *,
    aside_id: Annotated[str, Path(examples=["118"])],
    payload: _WithPayload = False,
) -> Response:
    with named_outages():
        row = await _find(ingest, aside_id, with_payload=payload)
        if payload:
            await store.note_look(ingest.intake.pool, [row["id"]], caller.actor)
    return json_response(_aside(row))


@router.post(
    "/v1/aside/replay",
    summary="Try again",
    openapi_extra={"requestBody": examples.REPLAY_BODY},
    responses={
        200: answer(ReplayAnswer, examples.REPLAY),
        **_PROBLEMS,
        **responses(Unprocessable, OutcomeUnknown),
    },
)
async def replay_aside(request: Request, ingest: Ingest, caller: _Writer) -> Response:
    """Each goes through every rule again, at its own time. What was settled before is named and left alone."""
    asked = _asked(await request.body())
    replay = Replay(ingest.intake)
    if isinstance(asked, ByReason):
        with named_outages():
            replayed, after = await replay.by_reason(asked.reason.value, asked.after, caller.actor)
        ids = sorted(replayed.accepted.keys() | replayed.refused.keys())
        return json_response(_replay_answer(ids, replayed, {}, after))
    ids = list(dict.fromkeys(asked.ids))
    with named_outages():
        replayed, states = await replay.by_ids(ids, caller.actor)
    return json_response(_replay_answer(ids, replayed, states, None))


async def _find(ingest: Context, aside_id: str, *, with_payload: bool) -> asyncpg.Record:
    number = int(aside_id) if aside_id.isascii() and aside_id.isdigit() and len(aside_id) < 19 else 0
    row = await store.one_aside(ingest.intake.pool, number, with_payload=with_payload)
    if row is None:
        raise AsideUnknown(f"nothing was set aside under {aside_id[:40]!r}")
    return row


def _asked(body: bytes) -> ByIds | ByReason:
    try:
        document = msgspec.json.decode(body)
        if isinstance(document, dict) and "ids" in document:
            return msgspec.convert(document, ByIds)
        return msgspec.convert(document, ByReason)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        detail = f'{error}: send {{"ids": [...]}} with at most {REPLAY_MAX}, or {{"reason": "..."}}'
        raise Unprocessable(detail) from error


def _replay_answer(ids: list[int], replayed: Replayed, states: dict[int, str], after: int | None) -> ReplayAnswer:
    return ReplayAnswer(
        accepted=len(replayed.accepted),
        refused=len(replayed.refused),
        position=position_of(replayed.next_offsets) if replayed.accepted else None,
        results=[_replay_result(row_id, replayed, states) for row_id in ids],
        next=after,
    )


def _replay_result(row_id: int, replayed: Replayed, states: dict[int, str]) -> ReplayResult:
    if row_id in replayed.accepted:
        return ReplayResult(id=row_id, status="accepted", account=replayed.accepted[row_id])
    if row_id in replayed.refused:
        refused: Refused = replayed.refused[row_id]
        return ReplayResult(
            id=row_id,
            status="refused",
            reason=refused.reason.value,
            pointer=refused.pointer or None,
            value=refused.value,
            expected=refused.expected,
        )
    if row_id in states:
        return ReplayResult(id=row_id, status="settled", state=states[row_id])
    return ReplayResult(id=row_id, status="not_found")


def _aside(row: asyncpg.Record) -> Aside:
    has_origin = row["topic"] is not None
    return Aside(
        id=row["id"],
        state=row["state"],
        reason=row["reason"],
        remedy=BY_CODE[row["reason"]].remedy,
        pointer=row["pointer"],
        value=None if row["value"] is None else Raw(row["value"].encode()),
        expected=row["expected"],
        alias=row["alias_source"] and f"{row['alias_source']}:{row['alias_id']}",
        source=row["source"],
        event_id=row["event_id"],
        type=row["type"],
        time=row["time"],
        origin=Origin(row["topic"], row["partition"], row["record_offset"]) if has_origin else None,
        actor=row["actor"],
        received_at=row["received_at"],
        version=row["version"],
        size_bytes=row["size"],
        settled_at=row["settled_at"],
        settled_by=row["settled_by"],
        payload=_payload(row["payload"]),
    )


def _payload(payload: bytes | None) -> Payload | None:
    if payload is None:
        return None
    try:
        return Payload("text", payload.decode())
    except UnicodeDecodeError:
        return Payload("base64", b64encode(payload).decode())
