"""Merge `dated`: a set of (effective_at, id, source, value). Answers now, as of a day, change, since, the n-th time.

Kept are the newest `keep` of each class and the first `first` of all. A class is a trusted source, or everybody else:
so a talkative source never drives out a trusted one. Source: docs/scoring.md#dated
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct

Scalar = None | bool | int | float | str
Entry = tuple[int, int, str, Scalar]  # effective_at in us, id of the event, its source, the value; None clears


class Dated(Struct, frozen=True, array_like=True, tag=3):
    """`entries` are sorted by time, then id. `trusted`: sources in order of precedence, most trusted first."""

    entries: tuple[Entry, ...]
    keep: int = 1
    first: int = 0
    trusted: tuple[str, ...] = ()


def id_of(event_id: str) -> int:
    """64 bits that stand for an event's id: enough to tell two values of one instant apart, an eighth of the bytes."""
    return int.from_bytes(blake2b(event_id.encode(), digest_size=8).digest(), "big")


def of(entries: Iterable[Entry], keep: int = 1, first: int = 0, trusted: tuple[str, ...] = ()) -> Dated:
    """A set of entries, cut to what is kept. keep >= 1, first >= 0."""
    return Dated(_cut(entries, keep, first, trusted), keep, first, trusted)


def merge(a: Dated, b: Dated) -> Dated:
    """Union, then cut. Commutative, associative, idempotent. Of two declarations the larger holds."""
    return of((*a.entries, *b.entries), max(a.keep, b.keep), max(a.first, b.first), max(a.trusted, b.trusted))


def entry_at(value: Dated, us: int) -> Entry | None:
    """The entry that counts at an instant: of the most trusted source that had said anything by then, the newest."""
    said = [entry for entry in value.entries if entry[0] <= us]
    for source in value.trusted:
        of_source = [entry for entry in said if entry[2] == source]
        if of_source:
            return of_source[-1]
    return said[-1] if said else None


def at(value: Dated, us: int) -> Scalar:
    """What was true at an instant; None if nothing was, or it had been cleared. Future values do not count yet."""
    found = entry_at(value, us)
    return found[3] if found else None


def since(value: Dated, us: int) -> int | None:
    """From when on the value of that instant has held without another in between, as far as is kept."""
    found = entry_at(value, us)
    if found is None:
        return None
    begin = found[0]
    for entry in reversed(value.entries):
        if entry[0] <= us and (found[2] not in value.trusted or entry[2] == found[2]):
            if entry[3] != found[3]:
                break
            begin = entry[0]
    return begin


def change(value: Dated, us: int, before_us: int) -> float | None:
    """By how much the number at `us` differs from the number at `before_us`; None where one of them is none."""
    now, then = at(value, us), at(value, before_us)
    if isinstance(now, int | float) and isinstance(then, int | float):
        return now - then
    return None


def newest_time(value: Dated) -> int:
    """The latest effective time, which may lie in the future."""
    return value.entries[-1][0]


def _cut(entries: Iterable[Entry], keep: int, first: int, trusted: tuple[str, ...]) -> tuple[Entry, ...]:
    # repr, because True == 1: two values of one event in one field must not depend on the order they came in.
    distinct = {(entry[0], entry[1], entry[2], repr(entry[3])): entry for entry in entries}
    ordered = [distinct[order] for order in sorted(distinct)]
    if len(ordered) <= keep:
        return tuple(ordered)
    kept = set(range(first))
    left: dict[str | None, int] = {}
    for index in range(len(ordered) - 1, -1, -1):
        group = ordered[index][2] if ordered[index][2] in trusted else None
        left[group] = left.get(group, keep) - 1
        if left[group] >= 0:
            kept.add(index)
    return tuple(entry for index, entry in enumerate(ordered) if index in kept)
