"""What may come of one event's bytes: something valid that is about somebody, or a named refusal."""

from datetime import datetime
from typing import Any, Self

from msgspec import Raw, Struct

from services.ingest.domain.identity import Alias
from services.ingest.domain.quoting import as_json
from services.ingest.domain.reasons import Reason
from shared.contracts.catalogue import EventType

TEXT_LENGTH_MAX = 256  # characters of an id or source


class Attributes(Struct, frozen=True, kw_only=True):
    """What could be read of an event's envelope, for the answer and the record; None where it could not."""

    id: str | None = None
    source: str | None = None
    type: str | None = None
    time: datetime | None = None

    @classmethod
    def read(cls, document: Any) -> Self:
        """From any decoded JSON: the texts that are texts, cut to the length that an id may have."""

        def text(name: str) -> str | None:
            value = document.get(name) if isinstance(document, dict) else None
            # Python's own reader lets half a surrogate pair pass, which no database takes.
            return value[:TEXT_LENGTH_MAX].encode("utf-8", "replace").decode() if isinstance(value, str) else None

        return cls(id=text("id"), source=text("source"), type=text("type"))


class Refused(Struct, frozen=True, kw_only=True):
    """Not accepted, because of `reason`. `pointer` is a JSON pointer into the event, `value` what is there, as JSON."""

    reason: Reason
    pointer: str
    expected: str
    value: Raw | None = None
    attributes: Attributes = Attributes()


class Fault(Exception):
    """A refusal in the making, raised by the checks and caught by `validate`."""

    def __init__(self, reason: Reason, pointer: str, expected: str, value: Raw | None = None) -> None:
        super().__init__(reason)
        self.reason, self.pointer, self.expected, self.value = reason, pointer, expected, value

    def refused(self, attributes: Attributes) -> Refused:
        return Refused(
            reason=self.reason, pointer=self.pointer, expected=self.expected, value=self.value, attributes=attributes
        )


class Link(Struct, frozen=True, kw_only=True):
    """An `identity.linked` says: `alias` of this kind is `id`. Of two that differ the later counts."""

    kind: str
    alias: Alias
    id: str
    linked_at: datetime


class Valid(Struct, frozen=True, kw_only=True):
    """An event that may be accepted, about `about`: an account's id, or an alias that must be bound first."""

    id: str
    source: str
    type: EventType
    subject: str
    time: datetime
    data: dict[str, Any]
    about: str | Alias
    importrun: str | None = None
    link: Link | None = None

    @property
    def attributes(self) -> Attributes:
        return Attributes(id=self.id, source=self.source, type=self.type.name, time=self.time)


def unmatched(valid: Valid, alias: Alias) -> Refused:
    """The reason under which an event waits until its alias is bound."""
    return Refused(
        reason=Reason.UNKNOWN_ALIAS,
        pointer="/subject",
        expected="an alias that identity.linked has bound to an account",
        value=as_json(str(alias)),
        attributes=valid.attributes,
    )
