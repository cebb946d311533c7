"""What ingest answers, as structs that OpenAPI is made from."""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

from services.ingest.domain.outcome import Refused, unmatched
from services.ingest.intake import Accepted, Decision, Parked


class EventResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one event. `withheld`: nothing wrong with it, but strict handling took none."""

    index: int
    id: str | None = None
    status: Literal["accepted", "parked", "refused", "withheld"]
    account: str | None = None
    alias: str | None = None
    reason: str | None = None
    pointer: str | None = None
    value: Any = None
    expected: str | None = None


class EventsAnswer(Struct, frozen=True, kw_only=True):
    """`position` is opaque: give it to `?at_least=` to read what these events did. Null where nothing was written."""

    accepted: int
    parked: int
    refused: int
    position: str | None
    results: list[EventResult]


def event_results(decisions: list[Decision], *, is_strict: bool) -> list[EventResult]:
    """One per event, in their order. Strict handling keeps nothing for later, so what would be parked is refused."""
    results = [_result(index, decision, is_strict=is_strict) for index, decision in enumerate(decisions)]
    if is_strict and any(result.status == "refused" for result in results):
        return [result if result.status == "refused" else _withheld(result) for result in results]
    return results


def _result(index: int, decision: Decision, *, is_strict: bool) -> EventResult:
    if isinstance(decision, Accepted):
        return EventResult(index=index, id=decision.valid.id, status="accepted", account=decision.account)
    if isinstance(decision, Parked):
        if not is_strict:
            return EventResult(index=index, id=decision.valid.id, status="parked", alias=str(decision.alias))
        return _refused(index, unmatched(decision.valid, decision.alias))
    return _refused(index, decision)


def _refused(index: int, refused: Refused) -> EventResult:
    return EventResult(
        index=index,
        id=refused.attributes.id,
        status="refused",
        reason=refused.reason.value,
        pointer=refused.pointer or None,
        value=refused.value,
        expected=refused.expected,
    )


def _withheld(result: EventResult) -> EventResult:
    return EventResult(index=result.index, id=result.id, status="withheld")


def events_answer(results: list[EventResult], position: str | None) -> EventsAnswer:
    """With the counts."""
    statuses = [result.status for result in results]
    return EventsAnswer(
        accepted=statuses.count("accepted"),
        parked=statuses.count("parked"),
        refused=statuses.count("refused"),
        position=position,
        results=results,
    )


class Payload(Struct, frozen=True):
    """Original bytes: as text where they are UTF-8, else in base64."""

    encoding: Literal["text", "base64"]
    body: str


class Origin(Struct, frozen=True):
    """Where in a raw topic it came from."""

    topic: str
    partition: int
    offset: int


class Aside(Struct, frozen=True, kw_only=True):
    """What could not be taken, why, and what has become of it. `origin` is null for what came over HTTP."""

    id: int
    state: Literal["open", "replayed", "released", "discarded"]
    reason: str
    remedy: str
    pointer: str
    value: Any
    expected: str
    alias: str | None
    source: str | None
    event_id: str | None
    type: str | None
    time: datetime | None
    origin: Origin | None
    actor: str
    received_at: datetime
    version: str
    size_bytes: int
    settled_at: datetime | None
    settled_by: str | None
    payload: Payload | None = None


class AsidePage(Struct, frozen=True):
    """Newest first. `next` is the cursor of the next page, null on the last one."""

    items: list[Aside]
    next: str | None


class ReplayResult(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of one row. `settled`: it was replayed, released or discarded before, and nothing was done."""

    id: int
    status: Literal["accepted", "refused", "settled", "not_found"]
    account: str | None = None
    state: str | None = None
    reason: str | None = None
    pointer: str | None = None
    value: Any = None
    expected: str | None = None


class ReplayAnswer(Struct, frozen=True, kw_only=True):
    """`next`: give it as `after` to go on with the same reason; null when all have been tried."""

    accepted: int
    refused: int
    position: str | None
    results: list[ReplayResult]
    next: int | None = None
