"""What is wrong with bytes that are not plain JSON: nested too deeply, not finite, or simply broken."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from services.ingest.domain.outcome import Attributes, Refused
from services.ingest.domain.quoting import as_json, escaped, shown
from services.ingest.domain.reasons import Reason

DEPTH_MAX = 32  # levels; the deepest declared type has 5 with the envelope

_TOKENS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)
_QUOTE, _OPENING = ord('"'), frozenset(b"[{")
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def too_deep() -> Refused:
    return Refused(reason=Reason.TOO_DEEP, pointer="", expected=f"at most {DEPTH_MAX} levels")


def is_too_deep(text: bytes) -> bool:
    """Looks before anybody recurses, and stops at the first bracket too many: a megabyte of them costs nothing."""
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False
    depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first in _OPENING:
            depth += 1
            if depth > DEPTH_MAX:
                return True
        elif first != _QUOTE:
            depth -= 1
    return False


def has_nul(text: bytes) -> bool:
    """True if a string in it has U+0000, which Postgres cannot keep as text."""
    return b"\\u0000" in text and _NUL.search(text) is not None


def not_json(text: bytes, error: Exception) -> Refused:
    """The refusal of bytes that JSON's reader did not take; a number that is not finite is named with its place."""
    document = _python_json(text)
    for pointer, word in _non_finite(document, ""):
        expected = "a finite number: JSON has no NaN and no infinity"
        attributes = Attributes.read(document)
        return Refused(
            reason=Reason.NOT_FINITE, pointer=pointer, expected=expected, value=as_json(word), attributes=attributes
        )
    return Refused(reason=Reason.BROKEN_JSON, pointer="", expected=f"JSON ({error})", value=shown(text))


def split_loosely(body: bytes) -> list[bytes] | None:
    """A batch with NaN somewhere, taken apart all the same, so that only the event with it is refused."""
    document = _python_json(body)
    if not isinstance(document, list):
        return None
    return [json.dumps(element, ensure_ascii=False).encode("utf-8", "replace") for element in document]


def _python_json(text: bytes) -> Any:
    """By Python's own reader, which takes NaN and Infinity; None where it takes nothing either."""
    if is_too_deep(text):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _non_finite(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield pointer, "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _non_finite(inner, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _non_finite(inner, f"{pointer}/{index}")
