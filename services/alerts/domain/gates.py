"""Why nobody is told about an alert that fires, and until when."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import Struct

GateKind = Literal["snoozed", "cooldown"]


class Gate(Struct, frozen=True, kw_only=True):
    """Closed from `since` until `until`. The alert fires behind it; whoever closed it is the `actor`."""

    kind: GateKind
    since: datetime
    until: datetime
    reason: str
    actor: str

    def is_over(self, now: datetime) -> bool:
        """At `until` it is."""
        return now >= self.until


def gate_for(
    snooze: Gate | None, cooldown: timedelta, told_at: datetime | None, now: datetime, actor: str
) -> Gate | None:
    """The first gate that is closed: a person's snooze, then the rule's cooldown since the last telling."""
    if snooze is not None and not snooze.is_over(now):
        return snooze
    if told_at is not None and now < told_at + cooldown:
        reason = f"the same was told at {told_at.isoformat(timespec='seconds')}"
        return Gate(kind="cooldown", since=now, until=told_at + cooldown, reason=reason, actor=actor)
    return None
