"""What needs somebody: the list, and one alert with everything that happened to it."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from sqlalchemy import Select, select, tuple_
from sqlalchemy.dialects.postgresql import asyncpg

from services.alerts import store
from services.alerts.api import examples
from services.alerts.api.answers import OutreachDetail, OutreachList, detail, item
from services.alerts.api.context import Alerts
from services.alerts.domain.decision import Held
from services.alerts.tables import alert, work_case
from shared.contracts.outreach import AlertState, Priority
from shared.http.auth import require
from shared.http.openapi import answer, json_response
from shared.http.paging import Cursor, Limit, decode_cursor, encode_cursor
from shared.http.problem import Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable, responses
from shared.postgres.pool import Connection

router = APIRouter(tags=["outreach"], dependencies=[Depends(require("outreach:read"))])
_PROBLEMS = responses(Unauthorized, Forbidden, Unprocessable, Unavailable)
_ONE_PROBLEMS = responses(Unauthorized, Forbidden, NotFound, Unavailable)
_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]

AlertId = Annotated[
    str, Path(description="alert id; any other text is one that nobody knows", examples=["al_0f8a61c2"])
]


class OutreachUnknown(NotFound):
    """No alert has this id."""

    reason = "outreach_unknown"


@router.get(
    "/v1/outreach",
    summary="What needs somebody, newest first",
    responses={200: answer(OutreachList, examples.LIST), **_PROBLEMS},
)
async def list_outreach(
    alerts: Alerts,
    *,
    state: Annotated[list[AlertState] | None, Query(description="repeat for more; all where none is given")] = None,
    rule: Annotated[str | None, Query(max_length=64, examples=["went_silent"])] = None,
    owner: Annotated[
        str | None, Query(max_length=128, description="whose work it is", examples=["queue:at_risk"])
    ] = None,
    account: Annotated[str | None, Query(max_length=128)] = None,
    priority: Annotated[Priority | None, Query()] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Response:
    """Alerts with their cases. A page follows the one before by `next`, whatever opens in between."""
    query = select(alert.c.id, alert.c.opened_at).order_by(alert.c.opened_at.desc(), alert.c.id.desc()).limit(limit + 1)
    if owner is not None:
        query = query.join(work_case, work_case.c.alert == alert.c.id).where(work_case.c.owner == owner)
    if state:
        query = query.where(alert.c.state.in_(state))
    for column, wanted in (("rule", rule), ("account", account), ("priority", priority)):
        if wanted is not None:
            query = query.where(alert.c[column] == wanted)
    if cursor is not None:
        query = query.where(tuple_(alert.c.opened_at, alert.c.id) < tuple_(*decode_cursor(cursor, store.Time, str)))
    async with alerts.transaction() as connection:
        rows = await _fetch(connection, query)
        page, more = rows[:limit], len(rows) > limit
        by_id = {held.alert.id: held for held in await store.held(connection, [row["id"] for row in page])}
    now = await alerts.clock.refresh()
    items = [item(by_id[row["id"]], alerts.catalogue, now) for row in page]
    after = encode_cursor(page[-1]["opened_at"], page[-1]["id"]) if more else None
    return json_response(OutreachList(outreach=items, next=after))


@router.get(
    "/v1/outreach/{alert_id}",
    summary="One alert: case, steps, every move",
    responses={200: answer(OutreachDetail, examples.DETAIL), **_ONE_PROBLEMS},
)
async def one_outreach(alerts: Alerts, alert_id: AlertId) -> Response:
    """What it is about in words, who works on it, and why and by whom it changed."""
    async with alerts.transaction() as connection:
        found = await store.held(connection, [alert_id])
        if not found:
            raise unknown(alert_id)
        return json_response(await detailed(alerts, connection, found[0]))


async def detailed(alerts: Alerts, connection: Connection, held: Held) -> OutreachDetail:
    """The answer for one alert."""
    changes = await store.changes(connection, held.alert.id)
    record = await store.rule_record(connection, held.alert.rule)
    return detail(held, changes, record, alerts.catalogue, now=await alerts.clock.refresh(connection))


def unknown(alert_id: str) -> OutreachUnknown:
    """404."""
    return OutreachUnknown(f"there is no alert {alert_id!r}", alert=alert_id)


async def _fetch(connection: Connection, query: Select[Any]) -> list[Any]:
    """SQLAlchemy writes the statement, the service's own pool runs it."""
    compiled = query.compile(dialect=_DIALECT, compile_kwargs={"render_postcompile": True})
    values = [compiled.params[name] for name in compiled.positiontup or ()]
    rows: list[Any] = await connection.fetch(compiled.string, *values)
    return rows
