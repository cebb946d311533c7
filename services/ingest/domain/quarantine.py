"""How much is kept of a source whose records are refused without end: all at first, then one in many, and the count."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Self

REFUSED_MAX = 1_000  # in a row of one source in one topic; a broken release shows itself within far fewer
KEPT_ONE_IN = 1_000  # from then on, so that a fault that changes is seen
SOURCES_MAX = 10_000  # remembered at once; the one that was refused longest ago is forgotten first


class Quarantine:
    """As far as this worker has seen: a restart keeps REFUSED_MAX more. A source leaves with its first good event."""

    def __init__(
        self,
        refused_max: int = REFUSED_MAX,
        kept_one_in: int = KEPT_ONE_IN,
        in_a_row: Mapping[tuple[str, str], int] = MappingProxyType({}),
    ) -> None:
        self._refused_max = refused_max
        self._kept_one_in = kept_one_in
        self._in_a_row = dict(in_a_row)

    def copy(self) -> Self:
        """To try a batch with: a batch that is begun again must not count twice against its sources."""
        return type(self)(self._refused_max, self._kept_one_in, self._in_a_row)

    def passed(self, topic: str, source: str) -> bool:
        """An event of this source is valid. True if that ends its quarantine."""
        return self._in_a_row.pop((topic, source), 0) > self._refused_max

    def keeps(self, topic: str, source: str) -> bool:
        """Whether this refused record is kept whole; else it is counted."""
        refused = self._in_a_row.pop((topic, source), 0) + 1
        self._in_a_row[topic, source] = refused
        if len(self._in_a_row) > SOURCES_MAX:
            self._in_a_row.pop(next(iter(self._in_a_row)))
        beyond = refused - self._refused_max
        return beyond <= 0 or beyond % self._kept_one_in == 0

    def has_just_begun(self, topic: str, source: str) -> bool:
        """Whether the record just asked about was the first that is only counted."""
        return self._in_a_row.get((topic, source)) == self._refused_max + 1
