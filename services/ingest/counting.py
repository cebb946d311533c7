"""What is refused of a quarantined source leaves one row aside per partition, which says how much and where it lies."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from hashlib import blake2b

from msgspec import Struct, json

from services.ingest.domain.outcome import Refused
from services.ingest.domain.quarantine import Quarantine
from services.ingest.domain.reasons import Reason
from services.ingest.intake import Item
from services.ingest.metrics import QUARANTINED, REFUSED
from services.ingest.store import SQL
from shared.http.service import VERSION
from shared.postgres.pool import Connection
from shared.telemetry import logger

_log = logger(__name__)


class Counted(Struct, frozen=True):
    """So many records of one source in one partition, from the row's offset to the last; `reason` is the newest."""

    records: int
    last_offset: int
    reason: str


def sort(items: Iterable[Item], quarantine: Quarantine) -> tuple[list[Item], list[Item]]:
    """What is to be taken, and what is only counted. `quarantine` learns from it."""
    taken: list[Item] = []
    counted: list[Item] = []
    for item in items:
        assert item.record is not None
        topic, source = item.record.topic, item.judged.attributes.source or ""
        if not isinstance(item.judged, Refused):
            if quarantine.passed(topic, source):
                _log.warning("quarantine_over", topic=topic, source=source)
            taken.append(item)
        elif quarantine.keeps(topic, source):
            taken.append(item)
        else:
            counted.append(item)
            if quarantine.has_just_begun(topic, source):
                _log.error("quarantined", topic=topic, source=source, reason=item.judged.reason.value)
    return taken, counted


async def count(tx: Connection, items: Sequence[Item], now: datetime) -> None:
    """Once per record, however often it is read: only what lies behind the last offset counts."""
    runs: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        runs[_origin(item)].append(item)
    rows = await tx.fetch(SQL["counted_before"], list(runs))
    before = {row["origin"]: json.decode(row["value"], type=Counted) for row in rows}
    changed = [_row(origin, run, before.get(origin), now) for origin, run in runs.items()]
    await tx.execute(SQL["count_refused"], *map(list, zip(*changed, strict=True)))
    for item in items:
        assert item.record is not None
        assert isinstance(item.judged, Refused)
        REFUSED.labels("topic", item.record.topic, item.judged.reason.value).inc()
        QUARANTINED.labels(item.record.topic).inc()


def _origin(item: Item) -> str:
    assert item.record is not None
    source = blake2b((item.judged.attributes.source or "").encode(), digest_size=16).hexdigest()
    return f"{item.record.log_id}/{item.record.partition}/quarantine/{source}"


def _row(origin: str, run: Sequence[Item], before: Counted | None, now: datetime) -> tuple[object, ...]:
    first, last = run[0].record, run[-1].record
    assert first is not None
    assert last is not None
    assert isinstance(run[-1].judged, Refused)
    after = -1 if before is None else before.last_offset
    counted = Counted(
        records=(before.records if before else 0) + sum(item.record.offset > after for item in run if item.record),
        last_offset=max(after, last.offset),
        reason=run[-1].judged.reason.value,
    )
    return (
        origin,
        first.topic,
        first.partition,
        first.offset,
        run[0].actor,
        Reason.QUARANTINED.value,
        "",
        json.encode(counted).decode(),
        "records that pass; `value` says how many did not, and where the last one lies",
        run[0].judged.attributes.source,
        run[-1].raw,
        VERSION,
        now,
    )
