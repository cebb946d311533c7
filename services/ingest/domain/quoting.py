"""JSON pointers, and values as an answer repeats them: short, and valid JSON whatever was sent."""

from typing import Any

import msgspec
from msgspec import Raw

VALUE_LENGTH_MAX = 200  # bytes of the offending value that an answer repeats


def as_json(value: Any) -> Raw:
    """A Python value for an answer."""
    return shown(msgspec.json.encode(value))


def shown(raw: bytes | Raw) -> Raw:
    """JSON itself where it is short, else a JSON string of its beginning."""
    text = bytes(raw)
    if len(text) <= VALUE_LENGTH_MAX and _is_json(text):
        return Raw(text)
    return Raw(msgspec.json.encode(text[:VALUE_LENGTH_MAX].decode("utf-8", "replace")))


def escaped(name: str) -> str:
    """A name as a JSON pointer writes it (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def value_at(document: Any, pointer: str) -> Raw | None:
    """What `pointer` leads to in a decoded document, for an answer; None where it leads nowhere."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict) and name in document:
            document = document[name]
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return as_json(document)


def _is_json(text: bytes) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
