"""Why nobody is told about an alert that fires, and until when."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

GateKind = Literal["snoozed", "cooldown", "source_stalled"]


class Stalled(Struct, frozen=True):
    """A stream that has stopped, and the newest time that was heard of it."""

    stream: str
    newest: datetime


class Gate(Struct, frozen=True, kw_only=True):
    """Closed from `since` until `until`; where that is None, until the stream that has stopped is heard again.

    The alert fires behind it; whoever closed it is the `actor`.
    """

    kind: GateKind
    since: datetime
    until: datetime | None
    reason: str
    actor: str

    def is_over(self, now: datetime, stalled: Stalled | None) -> bool:
        """At `until` it is. `stalled`: what has stopped of all that the rule reads."""
        return stalled is None if self.until is None else now >= self.until


def gate_for(
    stalled: Stalled | None, cooldown: timedelta, told_at: datetime | None, now: datetime, actor: str
) -> Gate | None:
    """The first gate that is closed: a stream that has stopped, then the rule's cooldown since the last telling."""
    if stalled is not None:
        reason = f"{stalled.stream} has stopped: the newest of it is of {stalled.newest.isoformat(timespec='seconds')}"
        return Gate(kind="source_stalled", since=now, until=None, reason=reason, actor=actor)
    if told_at is not None and now < told_at + cooldown:
        reason = f"the same was told at {told_at.isoformat(timespec='seconds')}"
        return Gate(kind="cooldown", since=now, until=told_at + cooldown, reason=reason, actor=actor)
    return None
