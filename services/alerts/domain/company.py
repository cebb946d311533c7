"""The company as an account: what is known of the streams that feed all others. Its snapshot is made on the spot."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from services.alerts.domain.evaluation import COMPANY, CompiledRule
from services.alerts.domain.gates import Stalled
from shared.conditions.columns import microseconds
from shared.conditions.compile import TRUE
from shared.contracts.health import DeclaredRecord, Snapshot

LOOK_EVERY = timedelta(minutes=1)  # how late a stream may be called stopped, or heard again
STREAM = "stream"
RULE = "source_stalled"  # the rule whose condition also closes the gate of this name


def newest(clocks: Iterable[Mapping[str, datetime]]) -> dict[str, datetime]:
    """stream -> its newest time over the clocks of all partitions: anybody's event is a sign of life of the stream."""
    found: dict[str, datetime] = {}
    for clock in clocks:
        for stream, at in clock.items():
            found[stream] = max(at, found.get(stream, at))
    return found


def snapshot(partition: int, heard: Mapping[str, datetime], now: datetime) -> Snapshot:
    """One record per stream that was ever heard. heard: stream -> its newest time over everything read."""
    return Snapshot(
        account=COMPANY,
        version=microseconds(now),
        as_of=now,
        partition=partition,
        next_offset=0,
        freshness=dict(heard),
        newest_event_at=max(heard.values(), default=None),
        score=None,
        coverage=0.0,
        contributions=[],
        deltas=[],
        changes={},
        signals={},
        instants={},
        statuses={},
        reasons=[],
        notables=[],
        records=[
            DeclaredRecord(STREAM, stream, {"name": stream, "newest": at.isoformat()})
            for stream, at in sorted(heard.items())
        ],
        model="",
        cause="time",
    )


def stalled(rule: CompiledRule | None, heard: Mapping[str, datetime], now: datetime) -> dict[str, Stalled]:
    """The streams for which the rule's condition holds: what nobody is told of until they are heard again."""
    if rule is None:
        return {}
    rows = list(rule.rows(snapshot(0, heard, now), {}))
    holding = [truth.row.key for truth in rule.truths(rows, now) if truth.holds == TRUE]
    return {stream: Stalled(stream, heard[stream]) for stream in holding}
