"""What cannot be settled is kept beside the log, by name, until a person sends it again; the others go on.

A source of which everything fails is quarantined: its records are set aside untried, so that the others go on at speed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from aiokafka import ConsumerRecord

from shared.kafka.claim import SQL
from shared.kafka.metrics import QUARANTINED, SET_ASIDE
from shared.postgres.pool import Connection
from shared.telemetry import logger

FAILURES_MAX = 5  # of one source in a row; a single bad producer release shows itself within as many events
TRY_AGAIN_SECONDS = 60.0  # one record of a quarantined source is tried; if it passes, the quarantine is over
TEXT_MAX = 1_000  # characters of a source or a reason; the record itself is kept whole
SOURCES_MAX = 1_000  # under suspicion at once; the one suspected longest is forgotten first

_log = logger(__name__)


class EverythingFails(Exception):
    """Since this worker began nothing has passed: the fault is ours, and setting aside would hide it."""


@dataclass(frozen=True, slots=True)
class Bad:
    """A record that is not settled, and why."""

    record: ConsumerRecord
    source: str
    reason: str


class Quarantine:
    """Which sources fail, as far as this worker has seen; a restart learns it again."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._failures: dict[str, int] = {}
        self._try_again_at: dict[str, float] = {}
        self._has_passed = False

    @property
    def is_watching(self) -> bool:
        """Whether any source is under suspicion: only then do records have to be asked for theirs."""
        return bool(self._failures) or not self._has_passed

    def passed(self, sources: set[str]) -> None:
        """Records of these sources were settled."""
        self._has_passed = self._has_passed or bool(sources)
        for source in sources & self._failures.keys():
            self._failures.pop(source)
            if self._try_again_at.pop(source, None) is not None:
                _log.warning("quarantine_over", source=source)
        QUARANTINED.labels(self._service).set(len(self._try_again_at))

    def failed(self, source: str, now: float) -> None:
        """A record of this source is set aside. Raises EverythingFails if none has passed since the start."""
        failures = self._failures[source] = self._failures.pop(source, 0) + 1
        if len(self._failures) > SOURCES_MAX:
            oldest = next(iter(self._failures))
            self._failures.pop(oldest)
            self._try_again_at.pop(oldest, None)
        if not self._has_passed and sum(self._failures.values()) >= FAILURES_MAX:
            raise EverythingFails(
                f"{self._service}: the first {FAILURES_MAX} records since its start all failed and were set aside; "
                f"after the mend: bellwether aside retry {self._service}"
            )
        if failures >= FAILURES_MAX:
            if source not in self._try_again_at:
                _log.error("quarantined", source=source, failures_in_a_row=failures)
            self._try_again_at[source] = now + TRY_AGAIN_SECONDS
        QUARANTINED.labels(self._service).set(len(self._try_again_at))

    def sort(
        self,
        records: Mapping[int, Sequence[ConsumerRecord]],
        source_of: Callable[[ConsumerRecord], str],
        now: float,
    ) -> tuple[Mapping[int, Sequence[ConsumerRecord]], list[Bad]]:
        """What is to be tried, and what is set aside untried."""
        if not self._try_again_at:
            return records, []
        tried: dict[int, list[ConsumerRecord]] = {}
        untried: list[Bad] = []
        for partition, found in records.items():
            for record in found:
                source = source_of(record)
                if self._is_tried(source, now):
                    tried.setdefault(partition, []).append(record)
                else:
                    untried.append(Bad(record, source, "quarantined"))
        return tried, untried

    def _is_tried(self, source: str, now: float) -> bool:
        at = self._try_again_at.get(source)
        if at is None:
            return True
        if now < at:
            return False
        self._try_again_at[source] = now + TRY_AGAIN_SECONDS
        return True


async def keep(tx: Connection, service: str, log_id: str, bad: Sequence[Bad]) -> None:
    """Store them, whole, under where they stood; the same one again changes nothing."""
    if not bad:
        return
    await tx.execute(
        SQL["set_aside"],
        log_id,
        [one.record.topic for one in bad],
        [one.record.partition for one in bad],
        [one.record.offset for one in bad],
        [_storable(one.source) for one in bad],
        [_storable(one.reason) for one in bad],
        [one.record.key or b"" for one in bad],
        [one.record.value or b"" for one in bad],
    )
    for one in bad:
        SET_ASIDE.labels(service, "untried" if one.reason == "quarantined" else "failed").inc()


def _storable(text: str) -> str:
    """What Postgres can hold of it: whoever is set aside may be so for its very name."""
    return text[:TEXT_MAX].encode(errors="replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
