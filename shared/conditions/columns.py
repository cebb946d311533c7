"""What conditions are evaluated over: one array per name, one row per account or per record."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

MISSING_INSTANT = int(np.iinfo(np.int64).min)
DATE_TIME_LENGTH_MIN = len("2026-01-01T00:00:00Z")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

Floats = NDArray[np.float64]
Instants = NDArray[np.int64]
Objects = NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """`n` rows. An array has length n, or 1 where all rows share it. A name without a column is missing.

    signals, changes: NaN is missing. instants: microseconds since 1970, MISSING_INSTANT is missing. statuses, fields:
    None is missing. changes: by (name, days). ends_us: per instant, the newest time of its stream: ages run to
    min(now, end), so that a dead pipe is not silence; without an entry ages run to now.
    """

    n: int
    now_us: int | Instants
    signals: Mapping[str, Floats] = field(default_factory=dict)
    instants: Mapping[str, Instants] = field(default_factory=dict)
    statuses: Mapping[str, Objects] = field(default_factory=dict)
    fields: Mapping[str, Objects] = field(default_factory=dict)
    changes: Mapping[tuple[str, int], Floats] = field(default_factory=dict)
    ends_us: Mapping[str, Instants] = field(default_factory=dict)

    def for_records(
        self, records: Sequence[Mapping[str, Any]], ends: Mapping[str, datetime] | None = None
    ) -> "Columns":
        """One row per record of this one account: its fields, beside everything known of the account.

        A field that is a time (aware datetime, or RFC 3339 text) is an instant too, and hides the account's instant of
        that name. `ends` is as in `one`, for the records' own instants.
        """
        assert self.n == 1, "records belong to one account"
        names = sorted({name for record in records for name in record})
        fields = {name: objects([record.get(name) for record in records]) for name in names}
        times = {name: [as_instant(record.get(name)) for record in records] for name in names}
        found = {
            name: np.array(column, dtype=np.int64)
            for name, column in times.items()
            if any(instant != MISSING_INSTANT for instant in column)
        }
        return replace(
            self,
            n=len(records),
            fields=fields,
            instants={**self.instants, **found},
            ends_us={**self.ends_us, **_instants(ends or {})},
        )


def one(
    now: datetime,
    *,
    signals: Mapping[str, float | None] | None = None,
    instants: Mapping[str, datetime | None] | None = None,
    statuses: Mapping[str, str | None] | None = None,
    fields: Mapping[str, Any] | None = None,
    changes: Mapping[tuple[str, int], float | None] | None = None,
    ends: Mapping[str, datetime] | None = None,
) -> Columns:
    """One account as n = 1. `ends`: per instant the newest time of its stream. Datetimes are aware."""
    return Columns(
        n=1,
        now_us=microseconds(now),
        signals={name: floats([value]) for name, value in (signals or {}).items()},
        instants=_instants(instants or {}),
        statuses={name: objects([value]) for name, value in (statuses or {}).items()},
        fields={name: objects([value]) for name, value in (fields or {}).items()},
        changes={key: floats([value]) for key, value in (changes or {}).items()},
        ends_us=_instants(ends or {}),
    )


def microseconds(instant: datetime) -> int:
    """Whole microseconds since 1970; exact, unlike timestamp()."""
    return (instant - EPOCH) // MICROSECOND


def as_instant(value: object) -> int:
    """Microseconds of an aware datetime or of RFC 3339 text, else MISSING_INSTANT."""
    if isinstance(value, str) and len(value) >= DATE_TIME_LENGTH_MIN and value[10] in "Tt ":
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            return MISSING_INSTANT
    if isinstance(value, datetime) and value.tzinfo is not None:
        return microseconds(value)
    return MISSING_INSTANT


def floats(values: Sequence[float | None]) -> Floats:
    """None becomes NaN."""
    return np.array(values, dtype=np.float64)


def objects(values: Sequence[object]) -> Objects:
    """One cell per value, whatever it holds: a list stays a value."""
    column = np.empty(len(values), dtype=np.object_)
    for index, value in enumerate(values):
        column[index] = value
    return cast("Objects", column)


def _instants(instants: Mapping[str, datetime | None]) -> dict[str, Instants]:
    return {name: np.array([as_instant(value)], dtype=np.int64) for name, value in instants.items()}
