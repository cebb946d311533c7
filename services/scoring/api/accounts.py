"""Lists of accounts, filtered and paged, and many at once by id."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Select, func, select, tuple_

from services.scoring.api import examples
from services.scoring.api.answers import AccountList, Batch, listed
from services.scoring.api.context import Scoring
from services.scoring.tables import published
from shared.contracts.health import decode_snapshot
from shared.http.auth import require
from shared.http.openapi import answer, json_response
from shared.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from shared.http.problem import Forbidden, Unauthorized, Unavailable, Unprocessable, responses
from shared.postgres import named_sql

SQL = named_sql.load("services.scoring")
BATCH_MAX = 200  # ids of one batch-get: what a CRM sends in one call

router = APIRouter(tags=["accounts"], dependencies=[Depends(require("health:read"))])
_PROBLEMS = responses(Unauthorized, Forbidden, Unprocessable, Unavailable)

Sort = Literal["score", "-score", "-arr", "account"]
_SCORE = func.coalesce(published.c.score, 100_001)  # unknown after the best when sorted worst first
_SORTS: dict[str, tuple[Any, Any]] = {
    "score": (_SCORE, int),
    "-score": (-_SCORE, int),
    "-arr": (-published.c.arr, float),
    "account": (published.c.account, str),
}


@router.get(
    "/v1/accounts",
    summary="Accounts, worst first",
    responses={200: answer(AccountList, examples.LIST), **_PROBLEMS},
)
async def list_accounts(
    scoring: Scoring,
    *,
    band: Annotated[list[str] | None, Query(description="green, yellow, red, unknown; repeat for more")] = None,
    segment: Annotated[str | None, Query(max_length=64)] = None,
    lifecycle: Annotated[str | None, Query(max_length=64)] = None,
    owner: Annotated[str | None, Query(max_length=128)] = None,
    score_at_most: Annotated[float | None, Query(ge=0, le=100)] = None,
    sort: Sort = "score",
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """What was last said of each account. A page follows the one before by `next`, whatever changes in between."""
    order, value_type = _SORTS[sort]
    query = select(published, order.label("sort_value")).order_by(order, published.c.account).limit(limit + 1)
    for column, wanted in (("segment", segment), ("lifecycle", lifecycle), ("owner", owner)):
        if wanted is not None:
            query = query.where(published.c[column] == wanted)
    if band:
        query = query.where(published.c.band.in_(band))
    if score_at_most is not None:
        query = query.where(published.c.score <= round(score_at_most * 1000))
    if cursor is not None:
        query = query.where(tuple_(order, published.c.account) > tuple_(*decode_cursor(cursor, value_type, str)))
    return json_response(await _page(scoring, query, limit))


async def _page(scoring: Scoring, query: Select[Any], limit: int) -> AccountList:
    async with scoring.engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    page = rows[:limit]
    more = len(rows) > limit
    last = page[-1] if more else None
    after = None if last is None else encode_cursor(_plain(last.sort_value), last.account)
    return AccountList(accounts=[listed(row, decode_snapshot(row.snapshot)) for row in page], next=after)


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | str) else float(value)


class BatchGet(BaseModel):
    """Which accounts."""

    ids: list[Annotated[str, Field(min_length=1, max_length=128)]] = Field(max_length=BATCH_MAX, examples=[["acme"]])


@router.post(
    "/v1/accounts/batch-get",
    summary="Up to 200 accounts by id",
    responses={200: answer(Batch, {"accounts": [examples.HEALTH], "unknown": []}), **_PROBLEMS},
)
async def batch_get(scoring: Scoring, wanted: BatchGet) -> Response:
    """In the order asked; unknown ids are listed under `unknown`, never silently absent."""
    rows = await scoring.pool.fetch(SQL["some_health"], wanted.ids)
    found = {row["account"]: decode_snapshot(row["snapshot"]) for row in rows}
    return json_response(
        Batch(
            accounts=[found[account] for account in wanted.ids if account in found],
            unknown=[account for account in wanted.ids if account not in found],
        )
    )
