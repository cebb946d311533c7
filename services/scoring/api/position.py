"""Read your own write: wait until a position has been applied, or say that it has not."""

import asyncio
import re
import time
from typing import Annotated

from fastapi import Header, Query

from shared.http.problem import Conflict, Unprocessable
from shared.postgres import named_sql
from shared.postgres.pool import Pool

SQL = named_sql.load("services.scoring")
WAIT_SECONDS_MAX = 10.0  # longer waits hold connections that others need
LOOK_AGAIN_SECONDS = 0.02

_PART = re.compile(r"^(\d{1,5}):(\d{1,18})$")

AtLeast = Annotated[
    str | None,
    Query(
        description="`position` of an earlier answer of POST /v1/events: answer only once it is applied",
        examples=["3:10422"],
        max_length=4_000,
    ),
]
Prefer = Annotated[
    str | None, Header(description=f"`wait=N`: how many seconds to wait for `at_least`, at most {WAIT_SECONDS_MAX:g}")
]


class PositionNotReached(Conflict):
    """`at_least` has not been applied in the time given."""

    reason = "position_not_reached"
    retry_after_seconds = 1


def parse_position(text: str) -> dict[int, int]:
    """partition -> next offset. Raises Unprocessable for what is no position of ours."""
    matches = [_PART.match(part) for part in text.split(",")]
    if not all(matches):
        raise Unprocessable(f"at_least={text[:80]!r} is no position: it comes from an answer of POST /v1/events")
    return {int(match[1]): int(match[2]) for match in matches if match}


def _wait_seconds(prefer: str | None) -> float:
    for preference in (prefer or "").split(","):
        name, _, value = preference.strip().partition("=")
        if name == "wait":
            try:
                return min(max(float(value), 0.0), WAIT_SECONDS_MAX)
            except ValueError as error:
                raise Unprocessable(f"Prefer: wait={value[:40]!r} is no number of seconds") from error
    return 0.0


async def wait_for(pool: Pool, topic: str, at_least: str | None, prefer: str | None) -> None:
    """Return once every partition of `at_least` is applied. Raises PositionNotReached after the time preferred."""
    if at_least is None:
        return
    wanted = parse_position(at_least)
    deadline = time.monotonic() + _wait_seconds(prefer)
    while True:
        applied = {row["partition"]: row["next_offset"] for row in await pool.fetch(SQL["next_offsets"], topic)}
        behind = {p: offset for p, offset in wanted.items() if applied.get(p, 0) < offset}
        if not behind:
            return
        if time.monotonic() >= deadline:
            partition, offset = next(iter(behind.items()))
            raise PositionNotReached(
                f"partition {partition} is applied up to {applied.get(partition, 0)}, at_least asks for {offset}"
            )
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
