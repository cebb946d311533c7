"""The reading: everything a state says at an instant, without any opinion about it.

A pure function of (state, now, freshness). Source: docs/scoring.md#signals
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.scoring.domain.definitions import Definitions
from services.scoring.domain.feeds import CENTS
from services.scoring.domain.instants import datetime_of, us_of
from services.scoring.domain.kinds import said, view
from services.scoring.domain.known import Known
from services.scoring.domain.record import ACCOUNT, State, last_time_us
from services.scoring.domain.span import Span
from shared.conditions.one_row import Row
from shared.contracts.health import DeclaredRecord, Money

RECORDS_MAX = 200  # a snapshot is a message: what it carries is bounded, what is left out is counted
RFC_3339_UTC = "+00:00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Values are missing (None), never neutral. `records`: newest first, at most RECORDS_MAX, the rest counted.

    `row` is the same for conditions, with hidden signals, the account's own fields, and how far ages may run.
    """

    signals: Mapping[str, float | None]
    instants: Mapping[str, datetime | None]
    row: Row
    records: list[DeclaredRecord]
    records_left_out: int
    arr: Money | None
    owner: str | None
    name: str | None
    sampled: bool


def read(definitions: Definitions, state: State, now: datetime, freshness: Mapping[str, datetime]) -> Reading:
    """Read a state at `now`. `freshness`: per attached stream its newest time known anywhere; others are not attached.

    Windows and ages end at min(now, freshness of their stream): a pipe that stands still is not silence.
    """
    now_us = us_of(now)
    ends_us = {stream: min(us_of(newest), now_us) for stream, newest in freshness.items()}
    known = Known(state, now_us, ends_us)
    for instant in definitions.instants:
        known.instants[instant.name] = instant.read(known) if instant.stream in ends_us else None
    for signal in definitions.signals:
        known.signals[signal.name] = signal.read(known)
    kind = definitions.kinds["account"]
    fields = {name: said(entry, known.account.get(name), now_us) for name, entry in kind.fields.items()}
    records, left_out = _records(definitions, known)
    return Reading(
        signals={s.name: known.signals[s.name] for s in definitions.signals if not s.is_hidden},
        instants={name: None if us is None else datetime_of(us) for name, us in known.instants.items()},
        row=Row(
            now_us,
            signals=known.signals,
            instants=known.instants,
            ends_us={i.name: ends_us[i.stream] for i in definitions.instants if i.stream in ends_us},
            fields=fields,
        ),
        records=records,
        records_left_out=left_out,
        arr=_arr(definitions, known),
        owner=_text(fields.get(definitions.profile.owner)),
        name=_text(fields.get(definitions.profile.name)),
        sampled=bool(state.sampled),
    )


def newest_event_at(definitions: Definitions, state: State) -> datetime | None:
    """The newest time of an event that the account's state holds."""
    seen = state.records.get(ACCOUNT, {}).get(definitions.profile.seen)
    return datetime_of(seen.last) if isinstance(seen, Span) else None


def _records(definitions: Definitions, known: Known) -> tuple[list[DeclaredRecord], int]:
    found: list[tuple[int, DeclaredRecord]] = []
    for shown in definitions.shown:
        for key, fields in shown.passing(list(known.of_kind(shown.kind.name)), known):
            said = view(shown.kind, fields, shown.fields, known.now_us)
            record = DeclaredRecord(shown.kind.name, key, {name: _as_json(value) for name, value in said.items()})
            found.append((last_time_us(fields), record))
    found.sort(key=lambda item: (-item[0], item[1].kind, item[1].key))
    return [record for _, record in found[:RECORDS_MAX]], max(len(found) - RECORDS_MAX, 0)


def _arr(definitions: Definitions, known: Known) -> Money | None:
    """Recurring revenue of a year. Without a rate two currencies cannot be added: then it is not known."""
    profile = definitions.profile
    kind = definitions.kinds[profile.arr_over]
    names = (profile.arr_cents, profile.arr_currency)
    rows = [
        view(kind, fields, names, known.now_us)
        for _, fields in definitions.arr_passing(list(known.of_kind(profile.arr_over)), known)
    ]
    amounts = [(row[names[0]], row[names[1]]) for row in rows if row[names[0]] is not None]
    currencies = {currency for _, currency in amounts}
    if len(currencies) != 1 or not isinstance(currency := next(iter(currencies)), str):
        return None
    cents = profile.arr_times * sum(amount for amount, _ in amounts if isinstance(amount, int))
    sign, whole = "-" if cents < 0 else "", abs(cents)
    return Money(f"{sign}{whole // CENTS}.{whole % CENTS:02d}", currency)


def _as_json(value: object) -> object:
    return value.isoformat().replace(RFC_3339_UTC, "Z") if isinstance(value, datetime) else value


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
