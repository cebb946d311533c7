"""State: what we know of one account, as records (kind, key) -> fields. The account itself is kind `account`, key "".

A record is stored as a row of its own (`encode_record`), a small state nobody has merged yet as one blob (`encode`).
"""

from collections.abc import Iterable
from hashlib import blake2b

from msgspec import Struct, msgpack

from services.scoring.domain import dated, days, span, sum
from services.scoring.domain.dated import Dated
from services.scoring.domain.days import Days
from services.scoring.domain.instants import DAY_US
from services.scoring.domain.span import Span
from services.scoring.domain.sum import Sum

Value = Sum | Span | Days | Dated
Fields = dict[str, Value]
RecordId = tuple[str, str]  # kind, key

ACCOUNT: RecordId = ("account", "")
KEYS_MAX = 5_000  # of one kind: 2,000 persons are usual for a large customer, a million would be an attack or a bug
KINDS_MAX = 64  # a catalogue has about ten
_SAMPLED = "sampled"  # on the account: the kinds of which some keys were left out


class State(Struct, frozen=True):
    """Whoever holds a state never changes the dicts inside it."""

    records: dict[RecordId, Fields] = {}

    @property
    def sampled(self) -> frozenset[str]:
        """The kinds of which only the keys with the smallest hashes are kept; counts over them are a sample."""
        mark = self.records.get(ACCOUNT, {}).get(_SAMPLED)
        return frozenset(str(entry[3]) for entry in mark.entries) if isinstance(mark, Dated) else frozenset()


def merge(a: State, b: State, *, keys_max: int = KEYS_MAX) -> State:
    """Both together; the inputs stay as they are. Commutative and associative, as its merges are.

    Over `keys_max` keys of a kind, those with the smallest hashes stay: a key that is out never comes back, so what is
    kept is complete and the rest a fair sample, in any order. Raises TypeError if a field has two kinds of merge.
    """
    small, large = (a, b) if len(a.records) < len(b.records) else (b, a)
    records = dict(large.records)
    for record, fields in small.records.items():
        known = records.get(record)
        records[record] = fields if known is None else merge_fields(known, fields)
    return State(_capped(records, keys_max))


def merge_fields(a: Fields, b: Fields) -> Fields:
    """Two parts of what is known of one record."""
    result = dict(a)
    for name, value in b.items():
        known = result.get(name)
        result[name] = value if known is None else _merge_value(name, known, value)
    return result


def encode_record(fields: Fields) -> bytes:
    """One record as MessagePack; equal fields give equal bytes."""
    return _encoder.encode(_sorted(fields))


def decode_record(body: bytes) -> Fields:
    """Raises msgspec.DecodeError or msgspec.ValidationError where the bytes are no record."""
    return _record_decoder.decode(body)


def encode(state: State) -> bytes:
    """A whole (fresh) state in one blob; equal states give equal bytes."""
    by_kind: dict[str, dict[str, Fields]] = {}
    for kind, key in sorted(state.records):
        by_kind.setdefault(kind, {})[key] = _sorted(state.records[kind, key])
    return _encoder.encode(by_kind)


def decode(body: bytes) -> State:
    """Raises msgspec.DecodeError or msgspec.ValidationError where the bytes are no state."""
    by_kind = _state_decoder.decode(body)
    return State({(kind, key): fields for kind, keys in by_kind.items() for key, fields in keys.items()})


def of_rows(rows: Iterable[tuple[str, str, bytes]]) -> State:
    """A state from its stored rows (kind, key, body)."""
    return State({(kind, key): decode_record(body) for kind, key, body in rows})


def last_time_us(fields: Fields) -> int:
    """The newest time that the record knows of, in microseconds; to the day where only days are kept."""
    return max(map(_last_us, fields.values()), default=0)


def _merge_value(name: str, a: Value, b: Value) -> Value:
    match a, b:
        case Days(), Days():
            return days.merge(a, b)
        case Sum(), Sum():
            return sum.merge(a, b)
        case Span(), Span():
            return span.merge(a, b)
        case Dated(), Dated():
            return dated.merge(a, b)
    raise TypeError(
        f"{name} was {type(a).__name__} and is {type(b).__name__}: a field keeps its merge; name a new field"
    )


def _capped(records: dict[RecordId, Fields], keys_max: int) -> dict[RecordId, Fields]:
    if len(records) <= keys_max:
        return records
    by_kind: dict[str, list[str]] = {}
    for kind, key in records:
        by_kind.setdefault(kind, []).append(key)
    for kind, keys in by_kind.items():
        if len(keys) > keys_max:
            for key in sorted(keys, key=_key_hash)[keys_max:]:
                del records[kind, key]
            records[ACCOUNT] = merge_fields(records.get(ACCOUNT, {}), {_SAMPLED: _mark(kind)})
    return records


def _mark(kind: str) -> Dated:
    return dated.of([(0, dated.id_of(kind), "", kind)], keep=KINDS_MAX)


def _key_hash(key: str) -> tuple[bytes, str]:
    return blake2b(key.encode(), digest_size=8).digest(), key


def _last_us(value: Value) -> int:
    match value:
        case Span(last=last):
            return last
        case Days(newest=newest):
            return newest * DAY_US
        case Sum():
            return sum.newest_day(value) * DAY_US
        case Dated():
            return dated.newest_time(value)


def _sorted(fields: Fields) -> Fields:
    return {name: _in_order(fields[name]) for name in sorted(fields)}


def _in_order(value: Value) -> Value:
    if isinstance(value, Sum):
        return Sum(_by_number(value.days), _by_number(value.weeks), value.older)
    return value


def _by_number(amounts: dict[int, int]) -> dict[int, int]:
    return dict(sorted(amounts.items()))


_encoder = msgpack.Encoder()
_record_decoder = msgpack.Decoder(Fields)
_state_decoder = msgpack.Decoder(dict[str, dict[str, Fields]])
