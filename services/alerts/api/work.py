"""What people do with an alert. Each verb holds the alert's row, stores its actor, and leaves a row of history."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, Field

from services.alerts import store
from services.alerts.api import examples
from services.alerts.api.answers import OutreachDetail
from services.alerts.api.context import Alerts
from services.alerts.api.outreach import AlertId, detailed, unknown
from services.alerts.domain import verbs
from services.alerts.domain.cases import DECLINE_REASONS, CaseClosed
from services.alerts.domain.decision import Decision, Held
from services.alerts.domain.transitions import WrongState
from services.alerts.metrics import CHANGES, DECLINED
from shared.http.auth import Principal, require
from shared.http.openapi import answer, json_response
from shared.http.problem import Conflict, Forbidden, NotFound, Unauthorized, Unavailable, Unprocessable, responses

router = APIRouter(tags=["outreach"])
_PROBLEMS = responses(Unauthorized, Forbidden, NotFound, Conflict, Unprocessable, Unavailable)

Caller = Annotated[Principal, Depends(require("outreach:write"))]
Verb = Callable[[Held, datetime], Decision]
DeclineReason = Literal["not_a_problem", "already_handled", "wrong_data", "no_contact_wanted", "too_late", "not_ours"]


class SnoozeUntilInvalid(Unprocessable):
    """A snooze ends in the future, and within 90 days."""

    reason = "until_invalid"


class Snooze(BaseModel):
    """Until when nobody is told, and why."""

    until: AwareDatetime = Field(examples=["2026-11-30T08:00:00Z"])
    reason: str = Field(min_length=1, max_length=500, examples=["They are closed until Monday"])


class Done(BaseModel):
    """What came of it."""

    outcome: str = Field(min_length=1, max_length=500, examples=["Call held: new champion is the head of finance"])


class Decline(BaseModel):
    """Why nothing is done about it. `not_a_problem` counts against the rule."""

    reason: DeclineReason = Field(description="; ".join(f"{code}: {words}" for code, words in DECLINE_REASONS.items()))
    note: str = Field(default="", max_length=500, examples=["They moved to the new product last week"])


@router.post(
    "/v1/outreach/{alert_id}/start",
    summary="Take the case",
    responses={200: answer(OutreachDetail, examples.STARTED), **_PROBLEMS},
)
async def start(alerts: Alerts, caller: Caller, alert_id: AlertId) -> Response:
    """Taking it is acknowledging it: whoever is first stays. A started case outlives its alert."""
    return await _act(alerts, alert_id, lambda held, now: verbs.start(held, caller.actor, now))


@router.post(
    "/v1/outreach/{alert_id}/snooze",
    summary="Not now",
    responses={200: answer(OutreachDetail, examples.DETAIL), **_PROBLEMS},
)
async def snooze(alerts: Alerts, caller: Caller, alert_id: AlertId, wanted: Snooze) -> Response:
    """Due times move by as much. When it ends and the condition still holds, people are told again."""
    return await _act(
        alerts, alert_id, lambda held, now: verbs.snooze(held, wanted.until, wanted.reason, caller.actor, now=now)
    )


@router.post(
    "/v1/outreach/{alert_id}/done",
    summary="Close the case with an outcome",
    responses={200: answer(OutreachDetail, examples.DETAIL), **_PROBLEMS},
)
async def done(alerts: Alerts, caller: Caller, alert_id: AlertId, wanted: Done) -> Response:
    """Open steps count as done. An alert about something that happened ends with its case; one about something that
    still holds stays until it is over, and nobody is told again.
    """
    return await _act(
        alerts,
        alert_id,
        lambda held, now: verbs.done(
            held, wanted.outcome, caller.actor, now, ends_with_case=alerts.catalogue.ends_with_case(held.alert.rule)
        ),
    )


@router.post(
    "/v1/outreach/{alert_id}/decline",
    summary="Close the case without acting, for one of six reasons",
    responses={200: answer(OutreachDetail, examples.DETAIL), **_PROBLEMS},
)
async def decline(alerts: Alerts, caller: Caller, alert_id: AlertId, wanted: Decline) -> Response:
    """As `done`, with a reason instead of an outcome."""

    def declined(held: Held, now: datetime) -> Decision:
        decision = verbs.decline(
            held,
            wanted.reason,
            caller.actor,
            now,
            note=wanted.note,
            ends_with_case=alerts.catalogue.ends_with_case(held.alert.rule),
        )
        DECLINED.labels(held.alert.rule, wanted.reason).inc()
        return decision

    return await _act(alerts, alert_id, declined)


async def _act(alerts: Alerts, alert_id: str, verb: Verb) -> Response:
    """Lock, decide, store, and have the worker look: it alone speaks on the topic."""
    async with alerts.transaction() as connection:
        held = await store.lock_one(connection, alert_id)
        if held is None:
            raise unknown(alert_id)
        now = await alerts.clock.refresh(connection)  # not before the row is ours: others may have changed it meanwhile
        decision = _decided(held, verb, now)
        await store.write(connection, [decision])
        await store.look_now(connection, decision.held.alert, now)
        answered = await detailed(alerts, connection, decision.held)
    for change in decision.changes:
        CHANGES.labels(held.alert.rule, change.event).inc()
    return json_response(answered)


def _decided(held: Held, verb: Verb, now: datetime) -> Decision:
    state, case = held.alert.state, held.case
    try:
        return verb(held, now)
    except (WrongState, CaseClosed) as wrong:
        reason = "case_closed" if isinstance(wrong, CaseClosed) else "wrong_state"
        raise Conflict(str(wrong), reason=reason, state=state, case=case and case.state) from wrong
    except verbs.BadInstant as bad:
        raise SnoozeUntilInvalid(str(bad)) from bad
