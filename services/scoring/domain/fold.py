"""Fold: events become state. The order of events, and how they are cut into portions, changes nothing.

fold(d, a + b) == merge(fold(d, a), fold(d, b)). Source: docs/scoring.md#fold
"""

from collections.abc import Iterable

from services.scoring.domain.definitions import Definitions
from services.scoring.domain.feeds import ABSENT, Accumulator, FieldFeed, moments
from services.scoring.domain.record import KEYS_MAX, RecordId, State, merge
from shared.contracts.envelope import HealthEvent

KEY_LENGTH_MAX = 128  # as in the contract of events; NUL has no place in a column of text, so it is replaced


def fold(definitions: Definitions, events: Iterable[HealthEvent], *, keys_max: int = KEYS_MAX) -> State:
    """The state that these events of ONE account make, each id once. An event of an unknown type adds nothing.

    Merging the result into what was known before gives what is known now.
    """
    gathered: dict[RecordId, dict[FieldFeed, Accumulator]] = {}
    for moment in moments(events):
        for feed in definitions.feeds.get(moment.event.type, ()):
            key = "" if feed.key is None else feed.key(moment.event.data)
            if key is ABSENT or not isinstance(key, str) or len(key) > KEY_LENGTH_MAX:
                continue
            fields = gathered.setdefault((feed.kind, key.replace("\0", "\ufffd")), {})
            for field in feed.fields:
                accumulator = field.gather(fields.get(field), moment)
                if accumulator is not None:
                    fields[field] = accumulator
    records = {
        record: {field.name: field.close(accumulator) for field, accumulator in fields.items()}
        for record, fields in gathered.items()
        if fields
    }
    return merge(State(records), State(), keys_max=keys_max)
