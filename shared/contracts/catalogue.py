"""Every event type that may come in: its version, the stream it belongs to, the shape of its data."""

from dataclasses import dataclass

from msgspec import Struct

from shared.contracts.topics import BILLING_EVENTS, PRODUCT_USAGE, RELATIONSHIP_EVENTS, SUPPORT_TICKETS, Topic
from shared.contracts.types.billing import CardExpiring, Invoice, Subscription
from shared.contracts.types.relationship import (
    AccountChurned,
    AccountDescribed,
    AccountNews,
    AdvocacyGiven,
    AssessmentRecorded,
    Contact,
    IdentityLinked,
    ImportEnded,
    Milestone,
    SurveyAnswered,
    TouchRecorded,
    WorkAnswered,
)
from shared.contracts.types.support import Ticket
from shared.contracts.types.usage import FeatureUsed, MeasureReported, SessionStarted


@dataclass(frozen=True, slots=True)
class EventType:
    """A type implies its stream; `version` grows only when a reader of the old shape would be wrong."""

    name: str
    stream: Topic
    data: type[Struct]
    version: int = 1


def _family(stream: Topic, noun: str, verbs: str, data: type[Struct]) -> tuple[EventType, ...]:
    return tuple(EventType(f"{noun}.{verb}", stream, data) for verb in verbs.split())


TYPES: dict[str, EventType] = {
    event_type.name: event_type
    for event_type in (
        EventType("usage.feature_used", PRODUCT_USAGE, FeatureUsed),
        EventType("usage.session_started", PRODUCT_USAGE, SessionStarted),
        EventType("measure.reported", PRODUCT_USAGE, MeasureReported),
        *_family(SUPPORT_TICKETS, "ticket", "opened updated replied escalated solved reopened closed", Ticket),
        *_family(BILLING_EVENTS, "subscription", "started changed renewed cancelled", Subscription),
        *_family(BILLING_EVENTS, "invoice", "issued paid payment_failed overdue written_off", Invoice),
        EventType("card.expiring", BILLING_EVENTS, CardExpiring),
        EventType("account.described", RELATIONSHIP_EVENTS, AccountDescribed),
        EventType("identity.linked", RELATIONSHIP_EVENTS, IdentityLinked),
        *_family(RELATIONSHIP_EVENTS, "contact", "joined changed left", Contact),
        EventType("touch.recorded", RELATIONSHIP_EVENTS, TouchRecorded),
        EventType("survey.answered", RELATIONSHIP_EVENTS, SurveyAnswered),
        EventType("assessment.recorded", RELATIONSHIP_EVENTS, AssessmentRecorded),
        *_family(RELATIONSHIP_EVENTS, "milestone", "planned reached dropped", Milestone),
        EventType("advocacy.given", RELATIONSHIP_EVENTS, AdvocacyGiven),
        EventType("account.news", RELATIONSHIP_EVENTS, AccountNews),
        EventType("account.churned", RELATIONSHIP_EVENTS, AccountChurned),
        EventType("work.answered", RELATIONSHIP_EVENTS, WorkAnswered),
        EventType("import.ended", RELATIONSHIP_EVENTS, ImportEnded),
    )
}
