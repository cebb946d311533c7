"""The shapes of the catalogue's YAML entries: msgspec checks what may stand in them, `catalogue` what it means."""

from typing import Any, Literal

from msgspec import Struct, field

Scalar = None | bool | int | float | str
ConditionYaml = dict[str, Any]
Take = Literal["count", "sum", "mean", "median", "min", "max"]


class _Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An unknown key is a mistake, never ignored."""


class ValueEntry(_Entry, frozen=True, kw_only=True):
    """A value out of an event: of `path` if the event has it, else by the type's verb, else `const`, else none.

    `kind` says what it is and how it is kept: an instant as microseconds, cents as whole hundredths; what is something
    else is not taken. `low`, `high` (paths) and `to` bring a number on a scale of its own onto 0..to.
    """

    path: str | None = None
    verbs: dict[str, Scalar] = {}
    const: Scalar = None
    kind: Literal["text", "number", "flag", "instant", "cents"] = "text"
    low: str | None = None
    high: str | None = None
    to: float | None = None


class AmountEntry(_Entry, frozen=True, kw_only=True):
    """What a sum adds: the number at `path` times `times`, rounded to a whole; without one, `otherwise`.

    `each`: what it adds per event that has the number, whatever it is.
    """

    path: str
    times: int = 1
    each: int | None = None
    otherwise: int | None = field(name="else", default=None)


class FieldEntry(_Entry, frozen=True, kw_only=True):
    """One field of a record: its merge, the event types that feed it (default: all of its kind), what it takes.

    where, unless: only events with these values, none with those.
    """

    merge: Literal["sum", "span", "days", "dated"]
    types: list[str] = field(name="from", default_factory=list)
    where: dict[str, Scalar | list[Scalar]] = {}
    unless: dict[str, Scalar | list[Scalar]] = {}
    amount: AmountEntry | None = None
    value: str | ValueEntry | None = None
    at: str | None = None
    keep: int = 1
    first: int = 0
    trusted: list[str] = []
    default: Scalar = None
    show: Literal["first", "last"] = "last"


class FeedEntry(_Entry, frozen=True, kw_only=True):
    """Which event types feed a kind, and the path of the key in their data. Without a key: the account itself."""

    types: list[str] = field(name="from")
    key: str | None = None


class ShowEntry(_Entry, frozen=True, kw_only=True):
    """Which records of a kind a snapshot carries, and which of their fields."""

    fields: list[str]
    where: ConditionYaml | None = None


class RecordEntry(_Entry, frozen=True, kw_only=True):
    """`record:` a kind."""

    record: str
    source: list[str]
    feeds: list[FeedEntry]
    fields: dict[str, FieldEntry]
    show: ShowEntry | None = None


class WindowEntry(_Entry, frozen=True, kw_only=True):
    """A field over `days` days, the last one `ago` days before the end. `whole`: missing while history is shorter."""

    field: str
    days: int
    ago: int = 0
    whole: bool = False


class LevelEntry(_Entry, frozen=True, kw_only=True):
    """Active days of a sum, decayed."""

    field: str
    half_life_days: float


class OverEntry(_Entry, frozen=True, kw_only=True):
    """An aggregate over the records of a kind: those that pass `where`, and were active in a window.

    same: a field that must agree among them, such as a currency; else the aggregate is missing. if_ever: missing, not
    zero, while no record of the account has ever been active.
    """

    over: str
    take: Take = "count"
    of: str | None = None
    same: str | None = None
    where: ConditionYaml | None = None
    active: WindowEntry | None = None
    if_ever: bool = False


class LatestEntry(_Entry, frozen=True, kw_only=True):
    """The number an account's dated field has now; missing once it is older than `valid_days`."""

    field: str
    valid_days: int | None = None


class ScaledEntry(_Entry, frozen=True, kw_only=True):
    """Another signal in another unit."""

    of: str
    by: float


class SignalEntry(_Entry, frozen=True, kw_only=True):
    """`signal:` a number. Exactly one of the keys from `total` on says how it is read.

    `stream`: whose newest time ends its window; while it is not attached the signal is missing. Derived ones have none.
    `needs`: another signal; while that is missing or zero, this one is missing. `hidden`: only others are derived from
    it, snapshots do not carry it.
    """

    signal: str
    source: list[str]
    unit: str
    stream: str | None = None
    label: str | None = None
    low: float | None = None
    high: float | None = None
    whole: bool = False
    hidden: bool = False
    needs: str | None = None
    total: WindowEntry | None = None
    level: LevelEntry | None = None
    active_days: WindowEntry | None = None
    records: OverEntry | None = None
    latest: LatestEntry | None = None
    days_since: list[str] | None = None
    days_until: list[str] | None = None
    days_between: list[str] | None = None
    ratio: list[str] | None = None
    difference: list[str] | None = None
    add: list[str] | None = None
    share: list[str] | None = None
    scaled: ScaledEntry | None = None


class InstantEntry(_Entry, frozen=True, kw_only=True):
    """`instant:` a time: the first or last of a span, the value of a dated field, the least or greatest of records."""

    instant: str
    source: list[str]
    stream: str
    first: str | None = None
    last: str | None = None
    latest: str | None = None
    records: OverEntry | None = None


class FactorEntry(_Entry, frozen=True, kw_only=True):
    """`factor:` points for a signal: straight lines between the knots [value, points 0..100], flat beyond the ends."""

    factor: str
    source: list[str]
    dimension: str
    weight: int
    signal: str
    curve: list[tuple[float, float]]
    words: str
    missing: str


class CapEntry(_Entry, frozen=True, kw_only=True):
    """The score is at most `at` while `when` holds."""

    cap: str
    source: list[str]
    at: float
    when: ConditionYaml
    words: str


class EdgesEntry(_Entry, frozen=True, kw_only=True):
    """A band is entered at `enter` points and left below `leave`."""

    enter: float
    leave: float


class BandsEntry(_Entry, frozen=True, kw_only=True):
    """`dwell`: how long a band has lasted before it may improve; it worsens at once."""

    green: EdgesEntry
    yellow: EdgesEntry
    dwell: str = "0s"


class ModelEntry(_Entry, frozen=True, kw_only=True):
    """`model:` which factors, weighted by dimension; the first model whose `when` holds scores an account."""

    model: str
    version: int
    source: list[str]
    dimensions: dict[str, int]
    factors: list[str]
    bands: BandsEntry
    coverage_min: float
    caps: list[CapEntry] = []
    when: ConditionYaml | None = None


class StatusValueEntry(_Entry, frozen=True, kw_only=True):
    """One value; without `when` it is what remains."""

    id: str
    when: ConditionYaml | None = None


class StatusEntry(_Entry, frozen=True, kw_only=True):
    """`status:` the first value whose condition holds. Without memory it is pure, and may choose a model."""

    status: str
    source: list[str]
    values: list[StatusValueEntry]
    memory: bool = False


class ReasonEntry(_Entry, frozen=True, kw_only=True):
    """`reason:` a named risk, on while `when` holds."""

    reason: str
    source: list[str]
    when: ConditionYaml
    words: str


class NotableEntry(_Entry, frozen=True, kw_only=True):
    """`notable:` an event type that is worth telling one by one. `carry`: which of its fields may leave the house."""

    notable: str
    source: list[str]
    where: dict[str, Scalar | list[Scalar]] = {}
    key: str | None = None
    carry: list[str] = []


class ProfileEntry(_Entry, frozen=True, kw_only=True):
    """`profile:` where an account's last sign of life (a span), name, owner and ARR are read."""

    profile: str
    source: list[str]
    seen: str
    name: str
    owner: str
    arr_over: str
    arr_cents: str
    arr_currency: str
    arr_times: int
    arr_where: ConditionYaml


Entry = (
    RecordEntry
    | SignalEntry
    | InstantEntry
    | FactorEntry
    | ModelEntry
    | StatusEntry
    | ReasonEntry
    | NotableEntry
    | ProfileEntry
)
KINDS: dict[str, type[Entry]] = {
    "factor": FactorEntry,  # first, because a factor also names its signal
    "record": RecordEntry,
    "signal": SignalEntry,
    "instant": InstantEntry,
    "model": ModelEntry,
    "status": StatusEntry,
    "reason": ReasonEntry,
    "notable": NotableEntry,
    "profile": ProfileEntry,
}
