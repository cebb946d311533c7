"""The health of one account: now, and what we said before."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Response

from services.scoring.api import examples
from services.scoring.api.answers import Health as HealthAnswer
from services.scoring.api.answers import HistoryPage, health
from services.scoring.api.context import Context, Scoring
from services.scoring.api.position import LOOK_AGAIN_SECONDS, AtLeast, PositionNotReached, Prefer, wait_for
from services.scoring.said import APART
from shared.contracts.health import decode_snapshot
from shared.http.auth import require
from shared.http.openapi import answer, json_response
from shared.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from shared.http.problem import Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable, responses
from shared.postgres import named_sql

SQL = named_sql.load("services.scoring")
_ANY_VERSION = 2**63 - 1
HELD_TRIES_MAX = 50  # a second: a held snapshot is said within two fifths of one

router = APIRouter(tags=["accounts"], dependencies=[Depends(require("health:read"))])
_PROBLEMS = responses(Unauthorized, Forbidden, NotFound, Unprocessable, Unavailable)

Account = Annotated[str, Path(max_length=128, description="account id", examples=["acme"])]


class AccountUnknown(NotFound):
    """No event of this account has been applied."""

    reason = "account_unknown"


@router.get(
    "/v1/accounts/{account}/health",
    summary="Score, reasons and how sure we are",
    responses={
        200: answer(HealthAnswer, examples.HEALTH_NOW),
        **_PROBLEMS,
        **responses(PositionNotReached),
    },
)
async def account_health(
    scoring: Scoring, account: Account, at_least: AtLeast = None, prefer: Prefer = None
) -> Response:
    """The last snapshot. `contributions` sum to `score`, `deltas` to its change; `freshness` is per source."""
    await wait_for(scoring.pool, scoring.topic, at_least, prefer)
    row = await _said(scoring, account, is_own_write=at_least is not None)
    if row is None:
        raise _unknown(account)
    applied = {r["partition"]: r["next_offset"] for r in await scoring.pool.fetch(SQL["next_offsets"], scoring.topic)}
    partition = row["partition"]
    log_end = await scoring.ends.of(partition)
    return json_response(health(decode_snapshot(row["snapshot"]), applied.get(partition, 0), log_end))


@router.get(
    "/v1/accounts/{account}/history",
    summary="Everything we said, newest first",
    responses={
        200: answer(HistoryPage, {"account": "acme", "snapshots": [examples.HEALTH], "next": None}),
        **_PROBLEMS,
    },
)
async def account_history(scoring: Scoring, account: Account, limit: Limit = 50, cursor: Cursor = None) -> Response:
    """As we said it then: a later event never changes an entry."""
    before = _ANY_VERSION if cursor is None else decode_cursor(cursor, int)[0]
    rows: list[Any] = await scoring.pool.fetch(SQL["history_page"], account, before, limit + 1)
    if not rows and cursor is None:
        raise _unknown(account)
    page = rows[:limit]
    after = encode_cursor(page[-1]["version"]) if len(rows) > limit else None
    snapshots = [decode_snapshot(row["body"]) for row in page]
    return json_response(HistoryPage(account=account, snapshots=snapshots, next=after))


async def _said(scoring: Context, account: str, *, is_own_write: bool) -> Any:
    """The account's row. Who reads his own write waits for a snapshot that is held back for a fifth of a second."""
    row = await scoring.pool.fetchrow(SQL["one_health"], account)
    for _ in range(HELD_TRIES_MAX):
        if not is_own_write or row is None or row["look_at"] - row["as_of"] > APART:
            return row
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        row = await scoring.pool.fetchrow(SQL["one_health"], account)
    raise PositionNotReached(f"account {account!r} has been read so far and is about to be said again")


def _unknown(account: str) -> AccountUnknown:
    return AccountUnknown(f"no event of account {account!r} has been applied here", account=account)
