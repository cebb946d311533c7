"""What all rules say of the accounts of a batch: where something may open, and what is open. Pure."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.alerts.domain.alert import Found
from services.alerts.domain.evaluation import CompiledRule, Row, Truth
from services.alerts.domain.gates import Stalled
from services.alerts.domain.occasions import Occasion
from services.alerts.domain.rules import Rule
from services.alerts.domain.sentences import sentence
from shared.conditions.compile import TRUE, UNKNOWN
from shared.contracts.health import Snapshot

QUIET_LOOK_MAX = timedelta(hours=1)  # an import's last snapshot speaks for the account no longer than this

About = tuple[str, str, str]  # account, rule, key
Views = Mapping[str, tuple[int, Snapshot]]  # account -> its partition and latest snapshot
Clocks = Mapping[int, Mapping[str, datetime]]  # partition -> stream -> newest time that it has shown
Rules = Mapping[str, CompiledRule]


def evaluate(rules: Rules, views: Views, clocks: Clocks, now: datetime) -> dict[About, Truth]:
    """Every rule over every account, or over each of its records."""
    judged = [(snapshot, clocks.get(partition, {})) for partition, snapshot in views.values()]
    truths: dict[About, Truth] = {}
    for name, compiled in rules.items():
        rows: list[Row] = [row for snapshot, reads in judged for row in compiled.rows(snapshot, reads)]
        for truth in compiled.truths(rows, now):
            truths[truth.row.snapshot.account, name, truth.row.key] = truth
    return truths


def findings(
    rules: Rules,
    truths: Mapping[About, Truth],
    views: Views,
    *,
    is_open: Collection[About],
    arrived: Collection[str],
    occasions: Sequence[Occasion],
    now: datetime,
) -> dict[About, Found]:
    """What matters of it: where something may open, and what is open.

    arrived: accounts of which this batch brings a snapshot; the others are looked at. occasions: what is new.
    """
    found = {
        about: _of_condition(rules[about[1]].rule, truth, is_look=about[0] not in arrived, now=now)
        for about, truth in truths.items()
        if truth.holds == TRUE or about in is_open
    }
    for about in set(is_open) - found.keys():
        if about[1] in rules:
            holds, clears = rules[about[1]].absent(views[about[0]][1])
            found[about] = Found(holds=holds, clears=clears)
    for occasion in occasions:
        about = (occasion.account, occasion.rule, occasion.key)
        found[about] = _of_occasion(occasion, truths.get(about))
    return found


def held_back(rules: Rules, found: Mapping[About, Found], stalled: Mapping[str, Stalled]) -> dict[About, Found]:
    """What rests on a stream that has stopped says so."""
    resting = {about: rules[about[1]].streams & stalled.keys() for about in found if about[1] in rules}
    return {
        about: replace(one, stalled=stalled[min(resting[about])]) if resting.get(about) else one
        for about, one in found.items()
    }


def _of_condition(rule: Rule, truth: Truth, *, is_look: bool, now: datetime) -> Found:
    snapshot = truth.row.snapshot
    is_quiet = not is_look or now - snapshot.as_of < QUIET_LOOK_MAX
    return Found(
        holds=truth.holds,
        clears=truth.clears,
        cause="time" if is_look else snapshot.cause,
        words=sentence(rule, truth.row, now),
        quiet=snapshot.quiet if is_quiet else None,
    )


def _of_occasion(occasion: Occasion, truth: Truth | None) -> Found:
    return Found(
        holds=TRUE,
        clears=UNKNOWN if truth is None else truth.clears,
        cause=occasion.cause,
        words=occasion.words,
        triggered_by=occasion.triggered_by,
        quiet=occasion.quiet,
    )
