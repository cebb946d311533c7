"""What must be true of alerts whatever was killed, repeated or raced for. Pure: rows and messages in, violations out.

Nothing here knows the store, the worker or the transition table; each check answers with a list of sentences, empty
where all is well, so that a test says `assert violations(...) == []`.

`of_rows(alerts, changes)`
    alerts: all rows of table `alert`; changes: all rows of table `change`; asyncpg records as fetched, in any order.
`of_messages(messages)`
    All of outreach.events as decoded JSON, per account in the order of the topic, repeated deliveries included.
`of_both(changes, messages)`
    Every change that tells is a message, and every message is a change; for a deployment at rest.
`of_reasons(rules, alerts, changes, known)`
    No firing without a reason. rules: id -> Rule, of `Catalogue.rules`. known((account, rule, key), at): the answers of
    the rule's opening condition (of `when`; for `on`: has it happened) for every state of the account that a worker may
    have known at that instant, oldest first, the last being all that had been said by then; true, false or None
    (unknown). `Fold` below makes it from what health.changes carries.
`of_absences(rules, alerts, subjects, known, looked_at)`
    No reason without an alert. subjects: every (account, rule, key) of `when` rules that could hold; looked_at:
    account -> the last instant at which the worker has looked at it, with everything read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain, pairwise
from typing import Any

from services.alerts.domain import company
from services.alerts.domain.evaluation import COMPANY
from services.alerts.domain.rules import OnNotable, OnStatus, Rule, When
from shared.conditions.columns import MISSING_INSTANT, as_instant, microseconds
from shared.conditions.one_row import Row, compile_row
from shared.contracts.health import Snapshot

Subject = tuple[str, str, str]  # account, rule, key
Known = Callable[[Subject, datetime], Sequence[bool | None]]

OPEN = ("pending", "firing")
WAITS_MAX = timedelta(seconds=5)  # a batch's time is of before it waited for the row that somebody else was changing
AGAIN = ("gate_ended", "quiet_ended")  # the same opening may be told again after a snooze


def of_rows(alerts: Iterable[Mapping[str, Any]], changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """Each opening is a chain of its own, and no two openings of a subject overlap."""
    moves: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for change in sorted(changes, key=lambda one: one["number"]):
        moves[change["alert"]].append(change)
    openings: dict[Subject, list[Mapping[str, Any]]] = defaultdict(list)
    for alert in sorted(alerts, key=lambda one: one["n"]):
        openings[_subject(alert)].append(alert)
    found = [said for opened in openings.values() for alert in opened for said in _of_chain(alert, moves[alert["id"]])]
    found += [said for subject, opened in openings.items() for said in _of_openings(subject, opened, moves)]
    known = {alert["id"] for opened in openings.values() for alert in opened}
    return found + [f"{alert} has changes and no row" for alert in moves.keys() - known]


def of_messages(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Ids are unique but for exact repetitions; triggered and resolved take turns about each subject."""
    by_id: dict[str, Mapping[str, Any]] = {}
    found = []
    for message in messages:
        known = by_id.setdefault(message["id"], message)
        if known != message:
            found.append(f"{message['id']} says two things")
    told: dict[Subject, str | None] = {}
    for message in by_id.values():
        data = message["data"]
        subject, alert = (data["account"], data["rule"], data["key"]), data["alert"]
        before, is_trigger = told.get(subject), message["type"] == "outreach.triggered"
        if is_trigger and before is not None and (before != alert or data["transition"]["event"] not in AGAIN):
            found.append(f"{message['id']} triggers {subject}, which {before} has triggered and nobody resolved")
        if not is_trigger and before != alert:
            found.append(f"{message['id']} resolves {subject}, which {alert} has not triggered")
        told[subject] = alert if is_trigger else None
    return found


def of_both(changes: Iterable[Mapping[str, Any]], messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """What was decided was said, and what was said was decided."""
    decided = {(f"{c['alert']}.{c['number']}", f"outreach.{c['tells']}") for c in changes if c["tells"]}
    said = {(message["id"], message["type"]) for message in messages}
    return [f"{i} was decided to be {t} and never said" for i, t in sorted(decided - said)] + [
        f"{i} was said to be {t} and never decided" for i, t in sorted(said - decided)
    ]


def of_reasons(
    rules: Mapping[str, Rule], alerts: Iterable[Mapping[str, Any]], changes: Iterable[Mapping[str, Any]], known: Known
) -> list[str]:
    """Each firing has a state that a worker could know at its instant in which the condition holds."""
    subjects = {alert["id"]: _subject(alert) for alert in alerts}
    found = []
    for change in changes:
        subject = subjects[change["alert"]]
        if subject[1] in rules and change["before"] in (None, "pending") and change["after"] in OPEN:
            answers = known(subject, change["at"])
            if True not in answers:
                found.append(f"{change['alert']}.{change['number']}: {subject} {change['event']} for no reason")
    return found


def of_absences(
    rules: Mapping[str, Rule],
    alerts: Iterable[Mapping[str, Any]],
    subjects: Iterable[Subject],
    known: Known,
    looked_at: Mapping[str, datetime],
) -> list[str]:
    """What has held for longer than `for` at the last look fires."""
    firing = {_subject(alert) for alert in alerts if alert["state"] == "firing"}
    found = []
    for subject in set(subjects) - firing:
        at, rule = looked_at.get(subject[0]), rules[subject[1]]
        if at is None or not isinstance(rule.trigger, When):
            continue
        if all(known(subject, then)[-1:] == [True] for then in (at - rule.lasts, at)):
            found.append(f"{subject} holds since {at - rule.lasts} and nothing fires")
    return found


class Fold:
    """An evaluation of rules that shares nothing with the worker's: row by row, over what health.changes carries.

    snapshots: every one on the topic, each partition in its order. streams: instant -> stream, of
    `Catalogue.known.streams`: ages of such an instant run to the newest time that the account's partition has shown.
    moved_by: the farthest that a test has moved the clock while workers ran; scoring may see it half a second before
    alerts does, whose snapshots then come from the future.
    """

    def __init__(
        self,
        rules: Mapping[str, Rule],
        streams: Mapping[str, str],
        snapshots: Iterable[Snapshot],
        moved_by: timedelta = timedelta(),
    ) -> None:
        self._rules, self._streams, self._moved_by = rules, streams, moved_by
        self._by_partition: dict[int, list[Snapshot]] = defaultdict(list)
        for snapshot in snapshots:
            self._by_partition[snapshot.partition].append(snapshot)

    def subjects(self) -> set[Subject]:
        """Every (account, rule, key) of a `when` rule that any snapshot could hold for."""
        return {
            (snapshot.account, rule.id, key)
            for snapshots in self._by_partition.values()
            for snapshot in snapshots
            for rule in self._rules.values()
            if isinstance(rule.trigger, When)
            for key in _keys(rule, snapshot)
        }

    def known(self, subject: Subject, at: datetime) -> list[bool | None]:
        """For `of_reasons` and `of_absences`: one answer per snapshot of the partition that had been said by `at`."""
        account, rule_id, key = subject
        rule = self._rules[rule_id]
        answers: list[bool | None] = []
        if account == COMPANY:
            return list(self._of_company(rule, key, at))
        for snapshots in self._by_partition.values():
            if any(snapshot.account == account for snapshot in snapshots):
                said = [one for one in snapshots if one.as_of <= at + self._moved_by]
                answers += self._answers(rule, account, key, said, at)
        return answers

    def _answers(
        self, rule: Rule, account: str, key: str, said: Sequence[Snapshot], at: datetime
    ) -> Iterator[bool | None]:
        reads: dict[str, datetime] = {}
        latest: Snapshot | None = None
        happened = False
        for snapshot in said:
            for stream, newest in snapshot.freshness.items():
                reads[stream] = max(newest, reads.get(stream, newest))
            if snapshot.account == account:
                happened = happened or _happened(rule, snapshot, key)
                if latest is None or snapshot.version > latest.version:
                    latest = snapshot
            if latest is not None:
                yield happened if not isinstance(rule.trigger, When) else self._holds(rule, latest, key, reads, at)

    def _of_company(self, rule: Rule, key: str, at: datetime) -> Iterator[bool | None]:
        """One answer per snapshot, in the order of their time: how far each stream had been heard of by then."""
        heard: dict[str, datetime] = {}
        for snapshot in sorted(chain(*self._by_partition.values()), key=lambda one: one.as_of):
            if snapshot.as_of <= at + self._moved_by:
                heard |= {s: max(newest, heard.get(s, newest)) for s, newest in snapshot.freshness.items()}
                yield self._holds(rule, company.snapshot(0, heard, at), key, {}, at)

    def _holds(
        self, rule: Rule, snapshot: Snapshot, key: str, reads: Mapping[str, datetime], at: datetime
    ) -> bool | None:
        assert isinstance(rule.trigger, When)
        fields = _fields(rule, snapshot, key)
        if fields is None:
            return False
        times = {**snapshot.instants, **fields}
        instants = {name: us for name, value in times.items() if (us := as_instant(value)) != MISSING_INSTANT}
        row = Row(
            now_us=microseconds(at),
            signals=snapshot.signals,
            instants=instants,
            ends_us={name: microseconds(reads[s]) for name, s in self._streams.items() if s in reads},
            statuses={name: status.value for name, status in snapshot.statuses.items()},
            fields=fields,
            changes={("score", int(days[:-1])): points for days, points in snapshot.changes.items()},
        )
        return compile_row(rule.trigger.whole)(row)


def _of_chain(alert: Mapping[str, Any], moves: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    name = alert["id"]
    if [move["number"] for move in moves] != list(range(1, alert["last_change"] + 1)):
        yield f"{name}: changes {[move['number'] for move in moves]} where there were {alert['last_change']}"
    if not moves:
        return
    if moves[0]["before"] is not None or moves[-1]["after"] != alert["state"]:
        yield f"{name}: {moves[0]['before']} -> {moves[-1]['after']} where it is {alert['state']}"
    for earlier, later in pairwise(moves):
        if earlier["after"] != later["before"]:
            yield f"{name}.{later['number']} begins as {later['before']}, the one before ended as {earlier['after']}"
        if later["at"] < earlier["at"] - WAITS_MAX:
            yield f"{name}.{later['number']} is earlier than the one before"
    told = [move["tells"] for move in moves if move["tells"]]
    if "resolved" in told and (told[0] != "triggered" or told.index("resolved") != len(told) - 1):
        yield f"{name} told {told}"
    again = [move for move in moves if move["tells"] == "triggered"][1:]
    for move in again:
        if move["event"] not in AGAIN:
            yield f"{name}.{move['number']} triggers again by {move['event']}"


def _of_openings(
    subject: Subject, opened: Sequence[Mapping[str, Any]], moves: Mapping[str, Sequence[Mapping[str, Any]]]
) -> Iterator[str]:
    if [alert["n"] for alert in opened] != list(range(1, len(opened) + 1)):
        yield f"{subject}: openings {[alert['n'] for alert in opened]}"
    for earlier, later in pairwise(opened):
        if earlier["state"] in OPEN:
            yield f"{subject}: {later['id']} opened while {earlier['id']} is open"
        ended = [move["at"] for move in moves[earlier["id"]] if move["after"] == "resolved"]
        if ended and later["opened_at"] < ended[0]:
            yield f"{subject}: {later['id']} opened before {earlier['id']} ended"


def _subject(alert: Mapping[str, Any]) -> Subject:
    return alert["account"], alert["rule"], alert["key"]


def _keys(rule: Rule, snapshot: Snapshot) -> list[str]:
    return [""] if rule.record is None else [one.key for one in snapshot.records if one.kind == rule.record]


def _fields(rule: Rule, snapshot: Snapshot, key: str) -> Mapping[str, Any] | None:
    """None where the record is not declared."""
    if rule.record is None:
        return {}
    return next((one.fields for one in snapshot.records if (one.kind, one.key) == (rule.record, key)), None)


def _happened(rule: Rule, snapshot: Snapshot, key: str) -> bool:
    match rule.trigger:
        case OnNotable(type=name):
            return any(one.type == name and (not rule.record or one.key == key) for one in snapshot.notables)
        case OnStatus(status=name, to=to):
            status = snapshot.statuses.get(name)
            return status is not None and (not to or status.value in to)
    return False
