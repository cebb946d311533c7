"""Envelope -> something valid, or the first reason why not. `now` is an argument; nothing here knows a clock."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from msgspec import UNSET

from services.ingest.domain.data import check_data
from services.ingest.domain.decode import RUN_WORDS, TEXT_WORDS, TIME_WORDS, TYPE_WORDS, Envelope
from services.ingest.domain.identity import (
    ACCOUNT,
    ACCOUNT_ID_WORDS,
    ALIAS_WORDS,
    Alias,
    Unnameable,
    account_of,
    alias_of,
    subject_of,
)
from services.ingest.domain.outcome import TEXT_LENGTH_MAX, Attributes, Fault, Link, Refused, Valid
from services.ingest.domain.quoting import as_json
from services.ingest.domain.reasons import Reason
from shared.contracts.catalogue import TYPES, EventType
from shared.contracts.topics import PRODUCT_USAGE, Topic
from shared.contracts.types.relationship import IdentityLinked

FUTURE_MAX = timedelta(minutes=5)  # clocks differ; what begins later says so in a field of its own
USAGE_HORIZON = timedelta(days=35)  # the archive keeps live usage this long, so that it can tell a duplicate
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)  # before it there is nothing to count, only unset clocks

_TEXT: Final = re.compile(rf"[^\x00-\x1f\x7f-\x9f]{{1,{TEXT_LENGTH_MAX}}}")
_RUN: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


def validate(envelope: Envelope, now: datetime, stream: Topic | None = None) -> Valid | Refused:
    """`stream`: the raw topic it came over, None over HTTP. `now`: when it was received, aware."""
    try:
        return _valid(envelope, now, stream)
    except Fault as fault:
        return fault.refused(_attributes(envelope))


def _valid(envelope: Envelope, now: datetime, stream: Topic | None) -> Valid:
    if envelope.specversion != "1.0":
        raise _fault(Reason.SPECVERSION_UNSUPPORTED, "/specversion", '"1.0"', envelope.specversion)
    event_id = _text(envelope.id, "/id", Reason.ID_MISSING, Reason.ID_INVALID)
    source = _text(envelope.source, "/source", Reason.SOURCE_MISSING, Reason.SOURCE_INVALID)
    event_type = _type(envelope.type, stream)
    about = _about(envelope.subject)
    run = _run(envelope.importrun)
    time = _time(envelope.time, now, event_type, is_import=run is not None)
    data, typed = check_data(envelope, event_type)
    link = _link(typed, about, time) if isinstance(typed, IdentityLinked) else None
    return Valid(
        id=event_id,
        source=source,
        type=event_type,
        subject=str(about),
        time=time,
        data=data,
        about=link.id if link and link.kind == ACCOUNT else about,
        importrun=run,
        link=link,
    )


def _text(value: Any, pointer: str, missing: Reason, invalid: Reason) -> str:
    if not value or value is UNSET:
        raise _fault(missing, pointer, TEXT_WORDS)
    if not _TEXT.fullmatch(value):
        raise _fault(invalid, pointer, TEXT_WORDS, value)
    return str(value)


def _type(name: Any, stream: Topic | None) -> EventType:
    if not name or name is UNSET:
        raise _fault(Reason.TYPE_MISSING, "/type", TYPE_WORDS)
    event_type = TYPES.get(name)
    if event_type is None:
        raise _fault(Reason.UNKNOWN_TYPE, "/type", TYPE_WORDS, name)
    if stream is not None and event_type.stream != stream:
        expected = f"a type of {stream.name}; this one belongs to {event_type.stream.name}"
        raise _fault(Reason.WRONG_TOPIC, "/type", expected, name)
    return event_type


def _about(subject: Any) -> str | Alias:
    if not subject or subject is UNSET:
        raise _fault(Reason.ACCOUNT_MISSING, "/subject", ALIAS_WORDS)
    return _nameable(subject_of(subject), "/subject", subject, ALIAS_WORDS)


def _nameable(found: str | Alias | Unnameable, pointer: str, value: str, expected: str) -> str | Alias:
    if found is Unnameable.RESERVED:
        raise _fault(Reason.RESERVED_ACCOUNT, pointer, "an account's id, which never begins with @", value)
    if isinstance(found, Unnameable):
        raise _fault(Reason.ACCOUNT_INVALID, pointer, expected, value)
    return found


def _run(run: Any) -> str | None:
    if run is UNSET or run is None:
        return None
    if not _RUN.fullmatch(run):
        raise _fault(Reason.IMPORTRUN_INVALID, "/importrun", RUN_WORDS, run)
    return str(run)


def _time(time: Any, now: datetime, event_type: EventType, *, is_import: bool) -> datetime:
    if time is UNSET or time is None:
        raise _fault(Reason.TIME_MISSING, "/time", TIME_WORDS)
    if time < EARLIEST:
        raise _fault(Reason.TIME_INVALID, "/time", TIME_WORDS, time)
    if time > now + FUTURE_MAX:
        latest = (now + FUTURE_MAX).isoformat(timespec="seconds")
        raise _fault(Reason.TIME_IN_FUTURE, "/time", f"not after {latest}", time)
    if event_type.stream == PRODUCT_USAGE and not is_import and time < now - USAGE_HORIZON:
        earliest = (now - USAGE_HORIZON).isoformat(timespec="seconds")
        raise _fault(Reason.TIME_BEYOND_HORIZON, "/time", f"not before {earliest}, unless imported", time)
    in_utc: datetime = time.astimezone(UTC)
    return in_utc


def _link(linked: IdentityLinked, about: str | Alias, time: datetime) -> Link:
    """An account link is about the account that it names; its subject may be that account or the alias itself."""
    alias = alias_of(linked.source, linked.external_id)
    if isinstance(alias, Unnameable):
        expected = "source without colon or slash, external_id of 1 to 128 printable ASCII characters without space"
        raise _fault(Reason.WRONG_FORMAT, "/data/external_id", expected, linked.external_id)
    if linked.kind == ACCOUNT:
        _nameable(account_of(linked.id), "/data/id", linked.id, ACCOUNT_ID_WORDS)
        if about not in (linked.id, alias):
            expected = f"{linked.id}, the account that data.id names"
            raise _fault(Reason.ACCOUNT_INVALID, "/subject", expected, str(about))
    return Link(kind=linked.kind, alias=alias, id=linked.id, linked_at=time)


def _attributes(envelope: Envelope) -> Attributes:
    def text(value: Any) -> str | None:
        return value[:TEXT_LENGTH_MAX] if isinstance(value, str) else None

    time = envelope.time if isinstance(envelope.time, datetime) and envelope.time >= EARLIEST else None
    return Attributes(id=text(envelope.id), source=text(envelope.source), type=text(envelope.type), time=time)


def _fault(reason: Reason, pointer: str, expected: str, value: Any = UNSET) -> Fault:
    return Fault(reason, pointer, expected, None if value is UNSET else as_json(value))
