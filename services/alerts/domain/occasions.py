"""What happened, of all that a snapshot tells: notables, and changes of statuses. Each counts once per rule and id."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct

from services.alerts.domain.rules import OnNotable, OnStatus, Rule
from services.alerts.domain.vocabulary import Known
from shared.conditions.columns import one
from shared.conditions.compile import TRUE, Evaluate
from shared.contracts.health import Cause, Quiet, Snapshot

FIRST_VALUE = "unknown"  # what a status was before its first value, where the status knows this word


class Occasion(Struct, frozen=True, kw_only=True):
    """A rule's reason to open an alert. `id` is the notable's own, or names the status and when its value began."""

    rule: str
    account: str
    id: str
    key: str
    at: datetime
    cause: Cause
    words: str
    triggered_by: tuple[str, ...]
    quiet: Quiet | None


def occasions(
    rule: Rule, snapshot: Snapshot, known: Known, where: Evaluate | None, now: datetime
) -> Iterator[Occasion]:
    """Those that the rule is about and that are not older than its max_age. `where` is the rule's, compiled."""
    match rule.trigger:
        case OnNotable() as trigger:
            yield from _notables(rule, trigger, snapshot, where, now)
        case OnStatus() as trigger:
            yield from _status(rule, trigger, snapshot, known, now)


def _notables(
    rule: Rule, trigger: OnNotable, snapshot: Snapshot, where: Evaluate | None, now: datetime
) -> Iterator[Occasion]:
    for notable in snapshot.notables:
        if notable.type != trigger.type or _is_old(notable.at, trigger.max_age, now):
            continue
        if where is not None and where(one(now, fields=notable.data))[0] != TRUE:
            continue
        yield Occasion(
            rule=rule.id,
            account=snapshot.account,
            id=notable.id,
            key=notable.key if rule.record else "",
            at=notable.at,
            cause="behaviour",
            words=_notable_words(trigger, notable.key),
            triggered_by=(notable.id,),
            quiet=snapshot.quiet,
        )


def _status(rule: Rule, trigger: OnStatus, snapshot: Snapshot, known: Known, now: datetime) -> Iterator[Occasion]:
    status = snapshot.statuses.get(trigger.status)
    if status is None or _is_old(status.since, trigger.max_age, now):
        return
    values = known.statuses[trigger.status].values
    previous = status.previous or (FIRST_VALUE if FIRST_VALUE in values else None)
    if previous is None or previous == status.value:
        return
    if not _is_meant(trigger, known, previous, status.value):
        return
    yield Occasion(
        rule=rule.id,
        account=snapshot.account,
        id=f"{trigger.status}={status.value}@{status.since.isoformat()}",
        key="",
        at=status.since,
        cause=status.cause,
        words=f"{trigger.status.replace('_', ' ')} went from {previous} to {status.value}",
        triggered_by=tuple(notable.id for notable in snapshot.notables),
        quiet=snapshot.quiet,
    )


def _is_meant(trigger: OnStatus, known: Known, previous: str, value: str) -> bool:
    if (trigger.to and value not in trigger.to) or (trigger.from_ and previous not in trigger.from_):
        return False
    if not (trigger.worse or trigger.better):
        return True
    ranks: Mapping[str, int] = {name: rank for rank, name in enumerate(known.statuses[trigger.status].values)}
    if previous not in ranks or value not in ranks:
        return False
    return ranks[value] > ranks[previous] if trigger.worse else ranks[value] < ranks[previous]


def _notable_words(trigger: OnNotable, key: str) -> str:
    said = trigger.type.replace(".", " ").replace("_", " ")
    return f"{said}: {key}" if key else said


def _is_old(at: datetime, max_age: timedelta, now: datetime) -> bool:
    return now - at > max_age
