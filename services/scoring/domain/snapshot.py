"""The snapshot: what we say about an account, and whether it differs from what we said last.

State is what we know, a snapshot is what we said. Source: docs/scoring.md#snapshot
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from services.scoring.domain import bands, causes, status
from services.scoring.domain.causes import Inputs
from services.scoring.domain.contributions import contributions, last_known, put_in
from services.scoring.domain.definitions import Definitions, StatusRule
from services.scoring.domain.instants import day_of, us_of
from services.scoring.domain.model import THOUSANDTHS, Model
from services.scoring.domain.record import State
from services.scoring.domain.score import Scored
from services.scoring.domain.signals import columns_of, newest_event_at, read
from services.scoring.domain.words import named, rounded
from shared.conditions.columns import Columns, floats, objects, one
from shared.conditions.compile import TRUE, UNKNOWN
from shared.contracts.health import Cause, Delta, Notable, Quiet, Snapshot, StatusValue

BAND = "band"
CHANGE_DAYS = (1, 7, 30, 90)
DAILY = timedelta(days=1)
COVERAGE_DIGITS = 3


def build(
    definitions: Definitions,
    state: State,
    now: datetime,
    freshness: Mapping[str, datetime],
    previous: Snapshot | None,
    *,
    account: str,
    partition: int,
    next_offset: int,
    touched: Collection[str] = (),
    notables: Sequence[Notable] = (),
    quiet: Quiet | None = None,
    history: Mapping[int, float | None] | None = None,
) -> Snapshot:
    """What is to be said of an account at `now`; pure. Whether it is worth saying, `differs` decides.

    state: all that is known, fresh and settled merged. freshness: newest time per attached stream. previous: the last
    snapshot that was published. touched: types (or streams) of the events since then. history: points that held 1, 7,
    30, 90 days ago. The version is max(previous + 1, now in microseconds).
    """
    reading = read(definitions, state, now, freshness)
    stage = _Stage(columns_of(reading, now), previous.statuses if previous else {})
    stage.add(rule for rule in definitions.statuses if not rule.needs_score)
    judged = _judge(definitions, stage.columns, reading.signals, previous)
    moved = _deltas(definitions, judged, previous, touched)
    cause = causes.main_cause(moved, "behaviour" if touched else "time")
    changes = _changes(judged.points, history or {})
    stage.add_score(judged.points, judged.coverage, changes)
    band, is_stale = bands.next_band(judged.model.bands, judged.evidence, stage.before.get(BAND), now)
    stage.put(BAND, band)
    stage.add(rule for rule in definitions.statuses if rule.needs_score)
    words = {reason.code: named(reason.words, reading.signals) for reason in definitions.reasons}
    before = previous.reasons if previous else ()
    return Snapshot(
        account=account,
        version=max(previous.version + 1 if previous else 0, us_of(now)),
        as_of=now,
        partition=partition,
        next_offset=next_offset,
        freshness=dict(freshness),
        newest_event_at=newest_event_at(definitions, state),
        score=_points(judged.points),
        coverage=judged.coverage,
        contributions=contributions(judged.scored, judged.inputs, judged.model, previous),
        deltas=moved,
        changes={f"{days}d": change for days, change in changes.items()},
        signals=dict(reading.signals),
        instants=dict(reading.instants),
        statuses=stage.said(now, cause, stale={BAND} if is_stale else set()),
        reasons=status.reasons_of(definitions.reasons, stage.columns, words, before, now),
        notables=list(notables),
        records=reading.records,
        model=judged.model.id,
        cause=cause,
        arr=reading.arr,
        owner=reading.owner,
        name=reading.name,
        quiet=quiet,
        sampled=reading.sampled,
        records_left_out=reading.records_left_out,
    )


def shown(snapshot: Snapshot) -> tuple[Any, ...]:
    """What people see of it, rounded: whole points, two significant digits, days. Equal means nothing new to say."""
    return (
        None if snapshot.score is None else round(snapshot.score),
        rounded(snapshot.coverage),
        snapshot.model,
        {name: (value.value, value.stale) for name, value in snapshot.statuses.items()},
        [reason.code for reason in snapshot.reasons],
        {name: None if value is None else rounded(value) for name, value in snapshot.signals.items()},
        {name: None if at is None else day_of(us_of(at)) for name, at in snapshot.instants.items()},
        snapshot.records,
        (snapshot.records_left_out, snapshot.sampled),
        (snapshot.owner, snapshot.name, snapshot.arr, snapshot.quiet),
    )


def differs(previous: Snapshot | None, current: Snapshot) -> bool:
    """Is it worth saying: a first one, a notable, something shown that changed, or a day since the last."""
    return (
        previous is None
        or bool(current.notables)
        or current.as_of - previous.as_of >= DAILY
        or shown(previous) != shown(current)
    )


class _Stage:
    """Statuses as they are decided one after the other, each visible to the conditions of the next."""

    def __init__(self, columns: Columns, before: Mapping[str, StatusValue]) -> None:
        self.before = before
        self._values: dict[str, str] = {}
        self._cells: dict[str, Any] = {}
        self.columns = replace(columns, statuses=self._cells)

    def put(self, name: str, value: str | None) -> None:
        if value is not None:
            self._values[name] = value
            self._cells[name] = objects([value])

    def add(self, rules: Iterable[StatusRule]) -> None:
        for rule in rules:
            self.put(rule.name, status.value_of(rule, self.columns, self.before.get(rule.name)))

    def add_score(self, points: int | None, coverage: float, changes: Mapping[int, float | None]) -> None:
        score = {"score": floats([_points(points)]), "coverage": floats([coverage])}
        moved = {("score", days): floats([change]) for days, change in changes.items()}
        self.columns = replace(self.columns, signals={**self.columns.signals, **score}, changes=moved)

    def said(self, now: datetime, cause: Cause, *, stale: Collection[str]) -> dict[str, StatusValue]:
        return {
            name: status.since(value, self.before.get(name), now, cause, stale=name in stale)
            for name, value in self._values.items()
        }


@dataclass(frozen=True, slots=True)
class _Judged:
    """An account under its model. `points` in thousandths, None where nothing is known."""

    model: Model
    inputs: Inputs
    scored: Scored
    points: int | None
    coverage: float
    evidence: bands.Evidence


def _judge(
    definitions: Definitions, columns: Columns, signals: Mapping[str, float | None], previous: Snapshot | None
) -> _Judged:
    model = choose_model(definitions, columns)
    inputs = Inputs([signals.get(factor.signal) for factor in model.factors], _truths(model, columns))
    scored = causes.evaluate(inputs, model)
    points = _points_of(scored)
    known = last_known(inputs, model, previous)
    evidence = bands.Evidence(
        points,
        None if known is None else _points_of(causes.evaluate(known, model)),
        float(scored.coverage[0]) >= model.coverage_min,
    )
    return _Judged(model, inputs, scored, points, round(float(scored.coverage[0]), COVERAGE_DIGITS), evidence)


def choose_model(definitions: Definitions, columns: Columns) -> Model:
    """The first whose condition is true; the last one has none."""
    return next(m for m in definitions.models if m.when is None or int(m.when(columns)[0]) == TRUE)


def _deltas(
    definitions: Definitions, judged: _Judged, previous: Snapshot | None, touched: Collection[str]
) -> list[Delta]:
    if previous is None:
        return []
    model = judged.model
    was_chosen = previous.model != model.id and definitions.model(previous.model) is not None
    caps = None if previous.model == model.id else _truths(model, _columns_then(definitions, previous))
    return causes.deltas(
        previous.contributions,
        put_in(previous, model, caps),
        judged.inputs,
        model,
        touched=frozenset[str]().union(*(definitions.moved_by.get(name, frozenset()) for name in touched)),
        model_cause="profile" if was_chosen else "model",
    )


def _columns_then(definitions: Definitions, previous: Snapshot) -> Columns:
    """What the previous snapshot said, for conditions that did not exist then."""
    ends = {i.name: previous.freshness[i.stream] for i in definitions.instants if i.stream in previous.freshness}
    return one(
        previous.as_of,
        signals=previous.signals,
        instants=previous.instants,
        statuses={name: value.value for name, value in previous.statuses.items()},
        ends=ends,
    )


def _truths(model: Model, columns: Columns) -> list[bool | None]:
    truths = [int(cap.holds(columns)[0]) for cap in model.caps]
    return [None if truth == UNKNOWN else truth == TRUE for truth in truths]


def _changes(points: int | None, history: Mapping[int, float | None]) -> dict[int, float | None]:
    now = _points(points)
    then = {days: history.get(days) for days in CHANGE_DAYS}
    return {days: None if now is None or was is None else round(now - was, 3) for days, was in then.items()}


def _points_of(scored: Scored) -> int | None:
    return int(scored.points[0]) if scored.known[0] else None


def _points(thousandths: int | None) -> float | None:
    return None if thousandths is None else thousandths / THOUSANDTHS
