"""`data` against the struct of its type: what is wrong, where, and what was expected instead."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from msgspec import UNSET, Struct

from services.ingest.domain.decode import Envelope
from services.ingest.domain.expectation import place_of, words_at
from services.ingest.domain.json_faults import not_json
from services.ingest.domain.outcome import Fault
from services.ingest.domain.quoting import as_json, escaped, shown, value_at
from services.ingest.domain.reasons import Reason
from shared.contracts.catalogue import EventType

# Times inside data may lie ahead or behind, but only where arithmetic in UTC still works.
YEAR_MIN, YEAR_MAX = 1900, 2200

_CONTENT_TYPE = "application/json"


def check_data(envelope: Envelope, event_type: EventType) -> tuple[dict[str, Any], Struct]:
    """(the object as sent, the same as the type's struct). Raises Fault at the first thing that is wrong."""
    content_type = envelope.datacontenttype
    if content_type and content_type.partition(";")[0].strip().lower() != _CONTENT_TYPE:
        raise Fault(Reason.DATA_CONTENT_TYPE, "/datacontenttype", f'"{_CONTENT_TYPE}"', as_json(content_type))
    if envelope.data is UNSET:
        raise Fault(Reason.DATA_MISSING, "/data", words_at(event_type.data, ()))
    raw = bytes(envelope.data)
    try:
        document = msgspec.json.decode(raw)
        if not isinstance(document, dict):
            raise Fault(Reason.DATA_MISSING, "/data", words_at(event_type.data, ()), shown(raw))
        typed = _decoder(event_type.data)(raw)
    except msgspec.DecodeError as error:
        raise _fault(raw, event_type, error) from error
    except UnicodeDecodeError as error:
        raise Fault(Reason.BROKEN_JSON, "/data", f"UTF-8 ({error})") from error
    _check_instants(typed, document)
    return document, typed


@cache
def _decoder(data: type[Struct]) -> Callable[[bytes], Struct]:
    return msgspec.json.Decoder(data).decode


def _fault(raw: bytes, event_type: EventType, error: msgspec.DecodeError) -> Fault:
    message = str(error)
    if not isinstance(error, msgspec.ValidationError) or "out of range" in message.partition(" - at")[0]:
        broken = not_json(raw, error)
        return Fault(broken.reason, f"/data{broken.pointer}", broken.expected, broken.value)
    steps = place_of(message)
    pointer = "".join(f"/{escaped(step)}" for step in steps)
    value = value_at(msgspec.json.decode(raw), pointer)
    return Fault(_reason_of(message), f"/data{pointer}", words_at(event_type.data, steps), value)


def _reason_of(message: str) -> Reason:
    if message.startswith("Object missing"):
        return Reason.FIELD_MISSING
    if ", got " in message:
        return Reason.WRONG_TYPE
    if "matching regex" in message or "datetime" in message:
        return Reason.WRONG_FORMAT
    return Reason.OUT_OF_RANGE


@cache
def _instants(data: type[Struct]) -> tuple[str, ...]:
    """The names of a type's fields that are times."""
    return tuple(field.name for field in msgspec.structs.fields(data) if "datetime.datetime" in repr(field.type))


def _check_instants(typed: Struct, document: dict[str, Any]) -> None:
    for name in _instants(type(typed)):
        value = getattr(typed, name)
        if isinstance(value, datetime) and not YEAR_MIN <= value.year < YEAR_MAX:
            expected = words_at(type(typed), (name,))
            raise Fault(Reason.OUT_OF_RANGE, f"/data/{name}", expected, value_at(document, f"/{name}"))
