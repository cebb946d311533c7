"""Cursors: where the next page begins, opaque to the caller."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any

import msgspec
from fastapi import Query

from shared.http.problem import Unprocessable

PAGE_MAX = 1_000

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="rows a page")]
Cursor = Annotated[str | None, Query(description="`next` of the page before", max_length=1_000)]


def encode_cursor(*values: Any) -> str:
    """The sort key of the last row of a page."""
    return urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def decode_cursor(cursor: str, *types: Any) -> tuple[Any, ...]:
    """The values back, checked. Raises Unprocessable for a cursor that we did not make."""
    try:
        raw = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        found = msgspec.json.decode(raw, type=list[Any])
        return tuple(msgspec.convert(value, wanted) for value, wanted in zip(found, types, strict=True))
    except (ValueError, msgspec.MsgspecError) as error:
        raise Unprocessable(f"cursor {cursor[:80]!r} is not one of ours", reason="cursor_invalid") from error
