"""How each kind of signal is read out of a state: windows, levels, aggregates over records, ages, derived ones.

Missing in, missing out. A window ends on the UTC day of min(now, newest time of its stream); N days are that day and
the N - 1 before it. A stream that is not attached makes its signals missing; attached, "never seen" is zero.
Source: docs/scoring.md#signals
"""

from collections.abc import Callable, Sequence
from math import fsum

from services.scoring.domain import dated, days, sum
from services.scoring.domain.aggregates import Kinds, as_number, compile_number, compile_time, over_types
from services.scoring.domain.entries import (
    InstantEntry,
    LatestEntry,
    LevelEntry,
    OverEntry,
    ScaledEntry,
    SignalEntry,
    WindowEntry,
)
from services.scoring.domain.instants import DAY_US, day_of
from services.scoring.domain.kinds import is_time
from services.scoring.domain.known import Known
from services.scoring.domain.span import Span

Read = Callable[[Known], float | None]


def compile_signal(entry: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    """How the signal is read, and which event types change it directly.

    Raises UnknownName, BadCondition; ValueError if not exactly one way of reading is written.
    """
    ways = {name: getattr(entry, name) for name in _WAYS if getattr(entry, name) is not None}
    if len(ways) != 1:
        raise ValueError(f"write exactly one of {', '.join(_WAYS)}; found {', '.join(ways) or 'none'}")
    [(way, written)] = ways.items()
    if way in ("total", "level", "active_days", "records", "latest", "days_since") and entry.stream is None:
        raise ValueError(f"{way} needs stream: the raw topic whose newest time ends its window")
    read, types = _WAYS[way](written, entry, kinds)
    return (read if entry.needs is None else _needing(entry.needs, read)), types


def _needing(name: str, read: Read) -> Read:
    return lambda known: read(known) if known.signals.get(name) else None


def compile_instant(entry: InstantEntry, kinds: Kinds) -> tuple[Callable[[Known], int | None], frozenset[str]]:
    """How the instant is read, in microseconds, and which event types change it. Raises as `compile_signal` does."""
    account = kinds["account"]
    match entry.first, entry.last, entry.latest, entry.records:
        case str() as name, None, None, None:
            return _span_end(name, kinds, lambda value: value.first)
        case None, str() as name, None, None:
            return _span_end(name, kinds, lambda value: value.last)
        case None, None, str() as name, None if is_time(account.field(name, "dated")):
            return lambda known: _dated_time(known, name), account.types[name]
        case None, None, None, OverEntry() as over:
            return compile_time(over, entry.stream, kinds), over_types(over, kinds)
    raise ValueError("write exactly one of first, last (a span), latest (a dated field that says times), records")


def _span_end(
    name: str, kinds: Kinds, end: Callable[[Span], int]
) -> tuple[Callable[[Known], int | None], frozenset[str]]:
    def read(known: Known) -> int | None:
        value = known.account.get(name)
        return end(value) if isinstance(value, Span) else None

    return read, _account_field(name, kinds, "span")


def _dated_time(known: Known, name: str) -> int | None:
    value = known.account.get(name)
    found = dated.at(value, known.now_us) if isinstance(value, dated.Dated) else None
    return found if isinstance(found, int) else None


def _account_field(name: str, kinds: Kinds, *merges: str) -> frozenset[str]:
    kind = kinds["account"]
    kind.field(name, *merges)
    return kind.types[name]


def _total(entry: WindowEntry, signal: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(signal.stream or "")
        if end_us is None:
            return None
        value = known.account.get(entry.field)
        end_day = day_of(end_us) - entry.ago
        if not isinstance(value, sum.Sum):
            return None if entry.whole else 0.0
        if entry.whole and not sum.reaches_back_to(value, end_day - entry.days + 1):
            return None
        return float(sum.window(value, end_day, entry.days))

    return read, _account_field(entry.field, kinds, "sum")


def _level(entry: LevelEntry, signal: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(signal.stream or "")
        value = known.account.get(entry.field)
        if end_us is None:
            return None
        if not isinstance(value, sum.Sum):
            return 0.0
        return sum.level(value, day_of(end_us), entry.half_life_days)

    return read, _account_field(entry.field, kinds, "sum")


def _active_days(entry: WindowEntry, signal: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(signal.stream or "")
        if end_us is None:
            return None
        value = known.account.get(entry.field)
        if not isinstance(value, days.Days):
            return 0.0
        return _as_float(days.count(value, day_of(end_us) - entry.ago, entry.days))

    return read, _account_field(entry.field, kinds, "days")


def _latest(entry: LatestEntry, signal: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        end_us = known.ends_us.get(signal.stream or "")
        value = known.account.get(entry.field)
        if end_us is None or not isinstance(value, dated.Dated):
            return None
        found = dated.entry_at(value, known.now_us)
        if found is None or (entry.valid_days is not None and found[0] <= end_us - entry.valid_days * DAY_US):
            return None
        return as_number(found[3])

    return read, _account_field(entry.field, kinds, "dated")


def _records(entry: OverEntry, signal: SignalEntry, kinds: Kinds) -> tuple[Read, frozenset[str]]:
    return compile_number(entry, signal.stream or "", kinds), over_types(entry, kinds)


def _days_since(names: list[str], signal: SignalEntry, _: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        end_us, since = known.ends_us.get(signal.stream or ""), _first_known(names, known)
        return None if end_us is None or since is None else float(max(end_us - since, 0) // DAY_US)

    return read, frozenset()


def _days_until(names: list[str], _: SignalEntry, __: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        until = _first_known(names, known)
        return None if until is None else float((until - known.now_us) // DAY_US)

    return read, frozenset()


def _days_between(names: list[str], _: SignalEntry, __: Kinds) -> tuple[Read, frozenset[str]]:
    first, second = names

    def read(known: Known) -> float | None:
        begin, end = known.instants.get(first), known.instants.get(second)
        return None if begin is None or end is None else float((end - begin) // DAY_US)

    return read, frozenset()


def _first_known(names: Sequence[str], known: Known) -> int | None:
    return next((at for name in names if (at := known.instants.get(name)) is not None), None)


def _derived(combine: Callable[[list[float]], float | None]) -> Callable[..., tuple[Read, frozenset[str]]]:
    def compiled(names: list[str], _: SignalEntry, __: Kinds) -> tuple[Read, frozenset[str]]:
        def read(known: Known) -> float | None:
            values = [known.signals.get(name) for name in names]
            present = [value for value in values if value is not None]
            return combine(present) if len(present) == len(names) else None

        return read, frozenset()

    return compiled


def _scaled(entry: ScaledEntry, _: SignalEntry, __: Kinds) -> tuple[Read, frozenset[str]]:
    def read(known: Known) -> float | None:
        value = known.signals.get(entry.of)
        return None if value is None else value * entry.by

    return read, frozenset()


def _ratio(values: list[float]) -> float | None:
    return values[0] / values[1] if values[1] else None


def _share(values: list[float]) -> float | None:
    whole = values[0] + values[1]
    return values[0] / whole if whole else None


_WAYS: dict[str, Callable[..., tuple[Read, frozenset[str]]]] = {
    "total": _total,
    "level": _level,
    "active_days": _active_days,
    "records": _records,
    "latest": _latest,
    "days_since": _days_since,
    "days_until": _days_until,
    "days_between": _days_between,
    "ratio": _derived(_ratio),
    "difference": _derived(lambda values: values[0] - values[1]),
    "add": _derived(fsum),
    "share": _derived(_share),
    "scaled": _scaled,
}


def _as_float(value: int | None) -> float | None:
    return None if value is None else float(value)
