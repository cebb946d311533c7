"""What is known while a state is read: the state, an instant, the ends of its streams, what has been read so far."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.scoring.domain.record import ACCOUNT, Fields, State


@dataclass(slots=True)
class Known:
    """A state at an instant, and what has been read of it so far. `ends_us`: per attached stream min(now, newest)."""

    state: State
    now_us: int
    ends_us: Mapping[str, int]
    signals: dict[str, float | None] = field(default_factory=dict)
    instants: dict[str, int | None] = field(default_factory=dict)
    _by_kind: dict[str, list[tuple[str, Fields]]] | None = None

    @property
    def account(self) -> Fields:
        return self.state.records.get(ACCOUNT, {})

    def of_kind(self, kind: str) -> Sequence[tuple[str, Fields]]:
        """Key and fields of the kind's records, sorted by key: reads must not depend on the order of merges."""
        if self._by_kind is None:
            self._by_kind = {}
            for (name, key), fields in sorted(self.state.records.items(), key=lambda item: item[0]):
                self._by_kind.setdefault(name, []).append((key, fields))
        return self._by_kind.get(kind, ())
