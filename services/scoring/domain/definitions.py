"""The catalogue, compiled: what fold, reading, score and snapshot are told to do. `catalogue` makes it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from services.scoring.domain.aggregates import Passing
from services.scoring.domain.entries import ProfileEntry
from services.scoring.domain.feeds import KindFeed, Passes, Read
from services.scoring.domain.kinds import RecordKind
from services.scoring.domain.known import Known
from services.scoring.domain.model import Model
from shared.conditions.lint import Vocabulary
from shared.conditions.one_row import Holds


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """`types`: the events that move it, directly or through what it is derived from."""

    name: str
    is_hidden: bool
    read: Callable[[Known], float | None]
    types: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Instant:
    """A time that rules may wait for; its age runs to the newest time of `stream`."""

    name: str
    stream: str
    read: Callable[[Known], int | None]
    types: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class StatusRule:
    """`values`: (value, condition or None) in order; the first that holds wins. `needs_score`: read after the band."""

    name: str
    values: tuple[tuple[str, Holds | None], ...]
    has_memory: bool
    needs_score: bool


@dataclass(frozen=True, slots=True, eq=False)
class Reason:
    """A named risk."""

    code: str
    holds: Holds
    words: str


@dataclass(frozen=True, slots=True, eq=False)
class NotableRule:
    """Which events of a type are told one by one."""

    passes: Passes | None
    key: Read | None
    carry: tuple[tuple[str, Read], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Which records of a kind a snapshot carries."""

    kind: RecordKind
    fields: tuple[str, ...]
    passing: Passing


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Definitions:
    """One version of the catalogue. `signals`, `instants`, `statuses` are in an order in which each can be read.

    `moved_by`: per event type, and per stream, the ids of the factors and caps that such an event can move.
    """

    version: str
    feeds: Mapping[str, tuple[KindFeed, ...]]
    kinds: Mapping[str, RecordKind]
    signals: tuple[Signal, ...]
    instants: tuple[Instant, ...]
    statuses: tuple[StatusRule, ...]
    models: tuple[Model, ...]
    reasons: tuple[Reason, ...]
    notables: Mapping[str, tuple[NotableRule, ...]]
    shown: tuple[Shown, ...]
    profile: ProfileEntry
    arr_passing: Passing
    vocabulary: Vocabulary
    moved_by: Mapping[str, frozenset[str]]

    def model(self, model_id: str) -> Model | None:
        """The model of that id, if this version has it."""
        return next((model for model in self.models if model.id == model_id), None)
