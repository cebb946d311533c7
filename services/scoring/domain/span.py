"""Merge `span`: the first and the last time. Answers recency, silence, tenure, attached since."""

from msgspec import Struct


class Span(Struct, frozen=True, array_like=True, tag=1):
    """Microseconds since 1970; first <= last."""

    first: int
    last: int


def of(us: int) -> Span:
    """One time."""
    return Span(us, us)


def merge(a: Span, b: Span) -> Span:
    """The earlier first, the later last. Commutative, associative, idempotent."""
    return Span(min(a.first, b.first), max(a.last, b.last))
