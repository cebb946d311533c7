"""Subscriptions, invoices, cards: the stream `billing.events`."""

from typing import Annotated

from msgspec import UNSET, Meta, Struct

from shared.contracts.types.fields import Amount, Code, Count, Currency, Decimal, Key, Maybe, Text, Time

Months = Annotated[int, Meta(ge=1, le=120)]


class Line(Struct, frozen=True, kw_only=True):
    """One position of a subscription."""

    sku: Key
    quantity: Count
    unit_price: Decimal
    product: Maybe[Key] = UNSET
    list_price: Maybe[Decimal] = UNSET
    recurring: bool = True


class Subscription(Struct, frozen=True, kw_only=True):
    """`subscription.started`, `.changed`, `.renewed`, `.cancelled`.

    `effective_at` says from when it counts, and may lie ahead.
    """

    subscription: Key
    state: Maybe[Code] = UNSET
    effective_at: Maybe[Time] = UNSET
    term_start: Maybe[Time] = UNSET
    term_end: Maybe[Time] = UNSET
    break_at: Maybe[Time] = UNSET
    auto_renew: Maybe[bool] = UNSET
    billing_period_months: Maybe[Months] = UNSET
    mrr: Maybe[Amount] = UNSET
    seats: Maybe[Count] = UNSET
    plan: Maybe[Key] = UNSET
    lines: Maybe[list[Line]] = UNSET
    reason: Maybe[Code] = UNSET
    comment: Maybe[Text] = UNSET
    replaces: Maybe[Key] = UNSET


class Invoice(Struct, frozen=True, kw_only=True):
    """`invoice.issued`, `.paid`, `.payment_failed`, `.overdue`, `.written_off`."""

    invoice: Key
    subscription: Maybe[Key] = UNSET
    amount: Maybe[Decimal] = UNSET
    currency: Maybe[Currency] = UNSET
    due_at: Maybe[Time] = UNSET
    recurring_amount: Maybe[Decimal] = UNSET
    attempt: Maybe[Count] = UNSET
    next_attempt_at: Maybe[Time] = UNSET
    failure_code: Maybe[Code] = UNSET


class CardExpiring(Struct, frozen=True, kw_only=True):
    """`card.expiring`."""

    card: Key
    expires_at: Time
