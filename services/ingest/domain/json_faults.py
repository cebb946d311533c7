"""What is wrong with bytes that are not plain JSON: nested too deeply, not finite, or simply broken."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from services.ingest.domain.outcome import Refused
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
    """The refusal of bytes that JSON's reader did not take. `text` is known not to be too deep."""
    if (place := _non_finite(text)) is not None:
        pointer, word = place
        expected = "a finite number: JSON has no NaN and no infinity"
        return Refused(reason=Reason.NOT_FINITE, pointer=pointer, expected=expected, value=as_json(word))
    return Refused(reason=Reason.BROKEN_JSON, pointer="", expected=f"JSON ({error})", value=shown(text))


def _non_finite(text: bytes) -> tuple[str, str] | None:
    """(pointer, word) of the first number that is not finite; Python's own reader knows the words."""
    try:
        document = json.loads(text, parse_int=float)
    except (ValueError, RecursionError):
        return None
    return next(_walk(document, ""), None)


def _walk(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, float) and not math.isfinite(value):
        yield pointer, "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _walk(inner, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _walk(inner, f"{pointer}/{index}")
