"""Bytes -> envelope, or why not. Nothing is trusted: size first, then depth, then JSON, then the attributes' types.

A name given twice in an object: the last one counts, here and for everybody after us, since `data` is written anew.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from services.ingest.domain.identity import ALIAS_WORDS
from services.ingest.domain.json_faults import has_nul, is_too_deep, not_json, split_loosely, too_deep
from services.ingest.domain.outcome import Attributes, Refused
from services.ingest.domain.quoting import shown, value_at
from services.ingest.domain.reasons import Reason

EVENT_BYTES_MAX = 262_144  # a quarter of Kafka's record limit, so that what we add always fits
EVENTS_MAX = 5_000  # of one request: what one batch of scoring holds


class Envelope(Struct, frozen=True):
    """A CloudEvent as it came, with nothing required yet and `data` not looked at."""

    specversion: str | UnsetType | None = UNSET
    id: str | UnsetType | None = UNSET
    source: str | UnsetType | None = UNSET
    type: str | UnsetType | None = UNSET
    subject: str | UnsetType | None = UNSET
    time: Annotated[datetime, Meta(tz=True)] | UnsetType | None = UNSET
    datacontenttype: str | UnsetType | None = UNSET
    importrun: str | UnsetType | None = UNSET
    data: Raw | UnsetType = UNSET


TEXT_WORDS = "a text of 1 to 256 characters, none of them a control character"
TYPE_WORDS = "one of the types under GET /v1/schemas"
TIME_WORDS = "RFC 3339 with an offset, 1970 or later, such as 2026-11-23T13:12:04Z"
RUN_WORDS = "1 to 64 letters, digits, dots, dashes, underscores"

_WRONG_ATTRIBUTE = {
    "specversion": (Reason.SPECVERSION_UNSUPPORTED, '"1.0"'),
    "id": (Reason.ID_INVALID, TEXT_WORDS),
    "source": (Reason.SOURCE_INVALID, TEXT_WORDS),
    "type": (Reason.UNKNOWN_TYPE, TYPE_WORDS),
    "subject": (Reason.ACCOUNT_INVALID, ALIAS_WORDS),
    "time": (Reason.TIME_INVALID, TIME_WORDS),
    "datacontenttype": (Reason.DATA_CONTENT_TYPE, '"application/json"'),
    "importrun": (Reason.IMPORTRUN_INVALID, RUN_WORDS),
}

_envelope = msgspec.json.Decoder(Envelope)
_elements = msgspec.json.Decoder(list[Raw])


def decode(text: bytes) -> Envelope | Refused:
    """The envelope of one event, or the refusal of bytes and attributes that cannot be one."""
    if (refused := _unreadable(text)) is not None:
        return refused
    try:
        return _envelope.decode(text)
    except msgspec.ValidationError:
        return _wrong_attribute(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return not_json(text, error)


def _unreadable(text: bytes) -> Refused | None:
    """What is not worth reading, found without reading it."""
    if is_too_deep(text[:EVENT_BYTES_MAX]):
        return too_deep()
    if len(text) > EVENT_BYTES_MAX:
        expected = f"at most {EVENT_BYTES_MAX} bytes, not {len(text)}"
        return Refused(reason=Reason.TOO_LARGE, pointer="", expected=expected)
    if has_nul(text):
        return Refused(reason=Reason.NUL_CHARACTER, pointer="", expected="text without U+0000")
    return None


def split(body: bytes) -> list[bytes] | Refused:
    """The events of a batch, unread. A refusal is of the whole body."""
    try:
        return [bytes(element) for element in _elements.decode(body)]
    except RecursionError:
        return too_deep()
    except msgspec.ValidationError:
        expected = "a JSON array of CloudEvents"
        return Refused(reason=Reason.NOT_AN_OBJECT, pointer="", expected=expected, value=shown(body))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return split_loosely(body) or not_json(body, error)


def _wrong_attribute(text: bytes) -> Refused:
    """Reads the event again, one attribute at a time, to name the one that is wrong."""
    try:
        document: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return not_json(text, error)
    if not isinstance(document, dict):
        return Refused(reason=Reason.NOT_AN_OBJECT, pointer="", expected="a JSON object", value=shown(text))
    attributes = Attributes.read(document)
    for name, (reason, expected) in _WRONG_ATTRIBUTE.items():
        if not _fits(name, document):
            value = value_at(document, f"/{name}")
            return Refused(reason=reason, pointer=f"/{name}", expected=expected, value=value, attributes=attributes)
    raise AssertionError("the decoder refused an envelope whose attributes all fit")


def _fits(name: str, document: dict[str, Any]) -> bool:
    try:
        msgspec.convert({name: document[name]} if name in document else {}, Envelope)
    except msgspec.ValidationError:
        return False
    return True
