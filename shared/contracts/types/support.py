"""Tickets and their life: the stream `support.tickets`."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct

from shared.contracts.types.fields import Code, Key, Maybe, Time, Title, Tone

EscalationLevel = Annotated[int, Meta(ge=0, le=3)]


class Ticket(Struct, frozen=True, kw_only=True):
    """`ticket.opened`, `.updated`, `.replied`, `.escalated`, `.solved`, `.reopened`, `.closed`.

    It carries what changed; the rest stays.
    """

    ticket: Key
    kind: Maybe[Code] = UNSET
    title: Maybe[Title] = UNSET
    priority: Maybe[Code] = UNSET
    category: Maybe[Code] = UNSET
    topic: Maybe[Code] = UNSET
    feature: Maybe[Key] = UNSET
    requester: Maybe[Key] = UNSET
    escalation_level: Maybe[EscalationLevel] = UNSET
    sentiment: Maybe[Tone] = UNSET
    sentiment_by: Maybe[Code] = UNSET
    reply_by: Maybe[Code] = UNSET
    sla_due_at: Maybe[Time] = UNSET
    sla_breached: Maybe[bool] = UNSET
