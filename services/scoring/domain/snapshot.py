"""The snapshot: what we say about an account, and whether it differs from what we said last.

State is what we know, a snapshot is what we said. Source: docs/scoring.md#snapshot
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from services.scoring.domain.signals import Reading, newest_event_at, read
from services.scoring.domain.words import named, rounded
from shared.conditions.one_row import Row
from shared.contracts.health import Cause, Delta, Notable, Quiet, Snapshot, StatusValue

BAND = "band"
CHANGE_DAYS = (1, 7, 30, 90)
DAILY = timedelta(days=1)
COVERAGE_DIGITS = 3
ROWS = 4  # that are scored of each account


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An account to say something of.

    state: all that is known, fresh and settled merged. freshness: newest time per attached stream. previous: the last
    snapshot that was published. touched: types (or streams) of the events since then. history: points that held 1, 7,
    30, 90 days ago. has_memory: False while history comes in, whose band so far means nothing.
    """

    account: str
    partition: int
    next_offset: int
    state: State
    freshness: Mapping[str, datetime]
    previous: Snapshot | None = None
    touched: Collection[str] = ()
    notables: Sequence[Notable] = ()
    quiet: Quiet | None = None
    history: Mapping[int, float | None] = field(default_factory=dict)
    has_memory: bool = True


def build(definitions: Definitions, cases: Sequence[Case], now: datetime) -> list[Snapshot]:
    """What is to be said of each account at `now`; pure. Whether it is worth saying, `differs` decides.

    The score of all of them is one piece of arithmetic, and an account's does not depend on who else is in it. The
    version is max(previous + 1, now in microseconds).
    """
    drafts = [_draft(definitions, case, now) for case in cases]
    scored: dict[int, _Judged] = {}
    for model in definitions.models:
        chosen = [at for at, draft in enumerate(drafts) if draft.model is model]
        if chosen:
            scores = causes.evaluate([row for at in chosen for row in drafts[at].rows], model)
            for number, at in enumerate(chosen):
                scored[at] = _judge(definitions, drafts[at], scores, number * ROWS)
    return [_finish(definitions, draft, scored[at], now) for at, draft in enumerate(drafts)]


def _finish(definitions: Definitions, draft: "_Draft", judged: "_Judged", now: datetime) -> Snapshot:
    case, reading, stage = draft.case, draft.reading, draft.stage
    previous = case.previous
    cause = causes.main_cause(judged.deltas, "behaviour" if case.touched else "time")
    changes = _changes(judged.points, case.history)
    stage.add_score(judged.points, judged.coverage, changes)
    before = stage.before.get(BAND) if case.has_memory else None
    band, is_stale = bands.next_band(draft.model.bands, judged.evidence, before, now)
    stage.put(BAND, band)
    stage.add(rule for rule in definitions.statuses if rule.needs_score)
    words = {reason.code: named(reason.words, reading.signals) for reason in definitions.reasons}
    return Snapshot(
        account=case.account,
        version=max(previous.version + 1 if previous else 0, us_of(now)),
        as_of=now,
        partition=case.partition,
        next_offset=case.next_offset,
        freshness=dict(case.freshness),
        newest_event_at=newest_event_at(definitions, case.state),
        score=_points(judged.points),
        coverage=judged.coverage,
        contributions=contributions(judged.parts, draft.inputs, draft.model, previous),
        deltas=judged.deltas,
        changes={f"{days}d": change for days, change in changes.items()},
        signals=dict(reading.signals),
        instants=dict(reading.instants),
        statuses=stage.said(now, cause, stale={BAND} if is_stale else set()),
        reasons=status.reasons_of(definitions.reasons, stage.row, words, previous.reasons if previous else (), now),
        notables=list(case.notables),
        records=reading.records,
        model=draft.model.id,
        cause=cause,
        arr=reading.arr,
        owner=reading.owner,
        name=reading.name,
        quiet=case.quiet,
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
        (snapshot.owner, snapshot.name, snapshot.arr),
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

    def __init__(self, row: Row, before: Mapping[str, StatusValue]) -> None:
        self.before = before
        self._values: dict[str, str] = {}
        self.row = replace(row, statuses=self._values)

    def put(self, name: str, value: str | None) -> None:
        if value is not None:
            self._values[name] = value

    def add(self, rules: Iterable[StatusRule]) -> None:
        for rule in rules:
            self.put(rule.name, status.value_of(rule, self.row, self.before.get(rule.name)))

    def add_score(self, points: int | None, coverage: float, changes: Mapping[int, float | None]) -> None:
        signals = {**self.row.signals, "score": _points(points), "coverage": coverage}
        moved = {("score", days): change for days, change in changes.items()}
        self.row = replace(self.row, signals=signals, changes=moved)

    def said(self, now: datetime, cause: Cause, *, stale: Collection[str]) -> dict[str, StatusValue]:
        return {
            name: status.since(value, self.before.get(name), now, cause, stale=name in stale)
            for name, value in self._values.items()
        }


@dataclass(frozen=True, slots=True)
class _Draft:
    """An account that has been read and given a model, before its score.

    filled: its inputs with what is missing at its last known value, where that is known. before: what the previous
    snapshot was made of; between: the old values, as far as they are not missing now.
    """

    case: Case
    reading: Reading
    stage: _Stage
    model: Model
    inputs: Inputs
    filled: Inputs | None
    before: Inputs
    between: Inputs

    @property
    def rows(self) -> tuple[Inputs, ...]:
        """What is scored of it: now, at last known values, then, half way."""
        return self.inputs, self.filled or self.inputs, self.before, self.between


@dataclass(frozen=True, slots=True)
class _Judged:
    """An account's score. `points` and `parts` in thousandths, points None where nothing is known."""

    points: int | None
    parts: Sequence[int]
    coverage: float
    evidence: bands.Evidence
    deltas: list[Delta]


def _draft(definitions: Definitions, case: Case, now: datetime) -> _Draft:
    reading = read(definitions, case.state, now, case.freshness)
    previous = case.previous
    stage = _Stage(reading.row, previous.statuses if previous else {})
    stage.add(rule for rule in definitions.statuses if not rule.needs_score)
    model = choose_model(definitions, stage.row)
    inputs = Inputs([stage.row.signals.get(factor.signal) for factor in model.factors], _truths(model, stage.row))
    before = _inputs_then(definitions, model, previous) if previous else inputs
    filled = last_known(inputs, model, previous)
    return _Draft(case, reading, stage, model, inputs, filled, before, causes.half_way(before, inputs))


def _judge(definitions: Definitions, draft: _Draft, scored: Scored, first_row: int) -> _Judged:
    model, previous = draft.model, draft.case.previous
    now, at_last_known, then, half_way = range(first_row, first_row + ROWS)
    coverage = float(scored.coverage[now])
    points = _points_of(scored, now)
    filled = _points_of(scored, at_last_known) if draft.filled else None
    evidence = bands.Evidence(points, filled, coverage >= model.coverage_min)
    moved: list[Delta] = []
    if previous:
        was_chosen = previous.model != model.id and definitions.model(previous.model) is not None
        parts = [causes.parts_of(scored, step, model) for step in (then, half_way, now)]
        unmoved = causes.unmoved(draft.between, draft.inputs, model)
        moved = causes.deltas(
            previous.contributions,
            (parts[0], parts[1], parts[2]),
            touched=_touched(definitions, model, draft.case.touched, unmoved),
            model_cause="profile" if was_chosen else "model",
        )
    return _Judged(points, scored.contributions[now].tolist(), round(coverage, COVERAGE_DIGITS), evidence, moved)


def choose_model(definitions: Definitions, row: Row) -> Model:
    """The first whose condition is true; the last one has none."""
    return next(m for m in definitions.models if m.when is None or m.when(row))


def _inputs_then(definitions: Definitions, model: Model, previous: Snapshot) -> Inputs:
    caps = None if previous.model == model.id else _truths(model, _row_then(definitions, previous))
    return put_in(previous, model, caps)


def _touched(
    definitions: Definitions, model: Model, touched: Collection[str], unmoved: frozenset[str]
) -> frozenset[str]:
    """What an event of these types moves, directly or not.

    A cap takes what the factors leave over, and parts are rounded together: an event that moves one factor can move a
    cap, and by a thousandth a factor whose own value stood still.
    """
    moved = frozenset[str]().union(*(definitions.moved_by.get(name, frozenset()) for name in touched))
    return moved | unmoved | {cap.id for cap in model.caps} if moved else moved


def _row_then(definitions: Definitions, previous: Snapshot) -> Row:
    """What the previous snapshot said, for conditions that did not exist then."""
    fresh = {stream: us_of(newest) for stream, newest in previous.freshness.items()}
    return Row(
        us_of(previous.as_of),
        signals=previous.signals,
        instants={name: None if at is None else us_of(at) for name, at in previous.instants.items()},
        ends_us={i.name: fresh[i.stream] for i in definitions.instants if i.stream in fresh},
        statuses={name: value.value for name, value in previous.statuses.items()},
    )


def _truths(model: Model, row: Row) -> list[bool | None]:
    return [cap.holds(row) for cap in model.caps]


def _changes(points: int | None, history: Mapping[int, float | None]) -> dict[int, float | None]:
    now = _points(points)
    then = {days: history.get(days) for days in CHANGE_DAYS}
    return {days: None if now is None or was is None else round(now - was, 3) for days, was in then.items()}


def _points_of(scored: Scored, row: int) -> int | None:
    return int(scored.points[row]) if scored.known[row] else None


def _points(thousandths: int | None) -> float | None:
    return None if thousandths is None else thousandths / THOUSANDTHS
