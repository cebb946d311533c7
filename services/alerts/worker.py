"""health.changes -> alerts, cases, steps, outreach.events: the callbacks that the loop calls within one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import Struct

from services.alerts import store
from services.alerts.definitions import Catalogue
from services.alerts.domain.alert import Found, Past, Subject
from services.alerts.domain.decision import Decision, Held, on_nothing_open, on_open
from services.alerts.domain.evaluation import Row, Truth
from services.alerts.domain.looks import WALL, Look, earliest, looks_of
from services.alerts.domain.messages import message
from services.alerts.domain.occasions import Occasion, occasions
from services.alerts.domain.routing import owner_of
from services.alerts.domain.rules import When
from services.alerts.domain.sentences import sentence
from services.alerts.metrics import CHANGES, OLDER, TOLD, UNREADABLE
from services.alerts.store import Arrived
from shared.conditions.compile import TRUE, UNKNOWN
from shared.contracts.health import Snapshot, decode_change
from shared.contracts.outreach import encode
from shared.kafka.batch import Batch, Message
from shared.postgres.pool import Connection
from shared.telemetry import logger

QUIET_LOOK_MAX = timedelta(hours=1)  # an import's last snapshot speaks for the account no longer than this

_log = logger(__name__)


class Novel(Struct, frozen=True):
    """What a batch brought: views that moved forward, and notables that no rule has had before."""

    moved: Mapping[str, tuple[int, Snapshot]]
    occasions: Sequence[Occasion]


class Reading(Struct, frozen=True):
    """All accounts of the batch, and what their rules say of them."""

    views: Mapping[str, tuple[int, Snapshot]]
    freshness: Mapping[str, datetime]
    found: Mapping[store.Subject, Found]
    rows: Mapping[store.Subject, Row]
    held: Mapping[store.Subject, Held]
    past: Mapping[store.Subject, Past]


class AlertsWork:
    """Gives the loop its callbacks. It keeps nothing between batches: the API writes the same rows."""

    def __init__(self, catalogue: Catalogue, topic: str, looks_max: int) -> None:
        self._catalogue = catalogue
        self._topic = topic
        self._looks_max = looks_max

    def forget(self) -> None:
        """There is nothing to forget."""

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        return await store.due(connection, partitions, now, self._looks_max)

    async def archive(self, tx: Connection, batch: Batch) -> Novel:
        """Views move forward by version only; a notable counts by its id, whatever the version that brings it."""
        arrived = list(_decoded(batch))
        if not arrived:
            return Novel({}, ())
        newest: dict[str, Arrived] = {}
        for one in arrived:
            known = newest.get(one.snapshot.account)
            if known is None or one.snapshot.version > known.snapshot.version:
                newest[one.snapshot.account] = one
        moved = await store.views_forward(tx, newest.values())
        OLDER.inc(len(newest) - len(moved))
        await store.freshness_forward(tx, _newest_times(arrived))
        happened = [o for one in arrived for o in self._occasions(one.snapshot, batch.now)]
        views = {account: (newest[account].partition, newest[account].snapshot) for account in moved}
        return Novel(views, await store.fire(tx, happened))

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: Novel) -> Reading:
        """Evaluate every rule over the accounts that something happened to, and over those whose look is due."""
        wanted = {account for looks in batch.looks.values() for account in looks}
        wanted |= {occasion.account for occasion in novel.occasions}
        views = {**await store.views(tx, batch.partitions, wanted - novel.moved.keys()), **novel.moved}
        freshness = await store.freshness(tx)
        rows, truths = self._evaluate([snapshot for _, snapshot in views.values()], batch.now, freshness)
        held = await store.lock_open(tx, views)
        found = self._found(truths, held, novel, views, batch.now)
        past = await store.past(tx, {subject[0] for subject in found if _may_tell(held.get(subject))})
        return Reading(views, freshness, found, rows, held, past)

    async def decide(self, tx: Connection, batch: Batch, reading: Reading) -> Sequence[Message]:
        """Alerts, cases, steps, when to look next, and what is said about it."""
        decisions = list(self._decisions(reading, batch.now))
        await store.write(tx, decisions)
        messages = await self._messages(tx, reading, batch.now)
        held = {**reading.held, **{_subject(d.held): d.held for d in decisions}}
        gone: dict[tuple[int, str], dict[str, datetime]] = {
            (p, account): {} for p, accounts in batch.looks.items() for account in accounts
        }
        await store.set_looks(tx, {**gone, **self._looks(reading, held, batch.now)})
        _count(decisions)
        return messages

    def _occasions(self, snapshot: Snapshot, now: datetime) -> Iterator[Occasion]:
        for compiled in self._catalogue.compiled.values():
            yield from occasions(compiled.rule, snapshot, self._catalogue.known, compiled.where, now)

    def _evaluate(
        self, snapshots: Sequence[Snapshot], now: datetime, freshness: Mapping[str, datetime]
    ) -> tuple[dict[store.Subject, Row], dict[store.Subject, Truth]]:
        rows: dict[store.Subject, Row] = {}
        truths: dict[store.Subject, Truth] = {}
        for name, compiled in self._catalogue.compiled.items():
            these = [row for snapshot in snapshots for row in compiled.rows(snapshot)]
            for truth in compiled.truths(these, now, freshness):
                subject = (truth.row.snapshot.account, name, truth.row.key)
                rows[subject], truths[subject] = truth.row, truth
        return rows, truths

    def _found(
        self,
        truths: Mapping[store.Subject, Truth],
        held: Mapping[store.Subject, Held],
        novel: Novel,
        views: Mapping[str, tuple[int, Snapshot]],
        now: datetime,
    ) -> dict[store.Subject, Found]:
        """What matters of it: where something may open, and what is open."""
        found: dict[store.Subject, Found] = {}
        for subject, truth in truths.items():
            if truth.holds == TRUE or subject in held:
                found[subject] = self._condition_found(subject, truth, is_look=subject[0] not in novel.moved, now=now)
        for subject in held.keys() - found.keys():
            if subject[1] in self._catalogue.compiled:
                holds, clears = self._catalogue.compiled[subject[1]].absent(views[subject[0]][1])
                found[subject] = Found(holds=holds, clears=clears)
        for occasion in novel.occasions:
            subject = (occasion.account, occasion.rule, occasion.key)
            found[subject] = _occasion_found(occasion, truths.get(subject))
        return found

    def _condition_found(self, subject: store.Subject, truth: Truth, *, is_look: bool, now: datetime) -> Found:
        rule = self._catalogue.rules[subject[1]]
        snapshot = truth.row.snapshot
        said = sentence(rule.trigger.condition, truth.row, rule.record) if isinstance(rule.trigger, When) else ""
        is_quiet = not is_look or now - snapshot.as_of < QUIET_LOOK_MAX
        return Found(
            holds=truth.holds,
            clears=truth.clears,
            cause="time" if is_look else snapshot.cause,
            words=said,
            quiet=snapshot.quiet if is_quiet else None,
        )

    def _decisions(self, reading: Reading, now: datetime) -> Iterator[Decision]:
        for subject, found in reading.found.items():
            account, rule_id, key = subject
            partition, snapshot = reading.views[account]
            rule = self._catalogue.rules[rule_id]
            playbook, past = self._catalogue.playbook_of(rule), reading.past.get(subject, Past())
            held = reading.held.get(subject)
            if held is None:
                about = Subject(partition, account, key, owner_of(snapshot.owner, playbook))
                decision = on_nothing_open(rule, playbook, about, found, past, now=now)
            else:
                decision = on_open(rule, playbook, held, found, past, now=now)
            if decision is not None:
                yield decision

    async def _messages(self, tx: Connection, reading: Reading, now: datetime) -> list[Message]:
        """Every change that tells and was not told: those of this batch, and those that people made over the API."""
        changes = await store.untold(tx, reading.views)
        if not changes:
            return []
        held = {one.alert.id: one for one in await store.held(tx, {change.alert for change in changes})}
        messages = []
        for change in changes:
            alert = held[change.alert].alert
            rule = self._catalogue.rules.get(alert.rule)
            if rule is None:
                _log.warning("rule_gone", rule=alert.rule, alert=alert.id, untold=change.event)
                continue
            partition, snapshot = reading.views[alert.account]
            said = message(rule, self._catalogue.playbook_of(rule), held[change.alert], change, snapshot)
            # Both topics have the same partitions, and an account's is its own for life.
            messages.append(Message(partition, self._topic, partition, alert.account.encode(), encode(said)))
            TOLD.labels(alert.rule, said.type).inc()
        await store.tell(tx, changes, now)
        return messages

    def _looks(
        self, reading: Reading, held: Mapping[store.Subject, Held], now: datetime
    ) -> dict[tuple[int, str], dict[str, datetime]]:
        looks: dict[str, list[Look]] = defaultdict(list)
        for subject, row in reading.rows.items():
            looks[subject[0]].extend(self._row_looks(subject, row, reading.freshness, now, is_open=subject in held))
        for subject, one in held.items():
            looks[subject[0]].extend(self._alert_looks(one, now))
        return {(partition, account): earliest(looks[account]) for account, (partition, _) in reading.views.items()}

    def _row_looks(
        self, subject: store.Subject, row: Row, freshness: Mapping[str, datetime], now: datetime, *, is_open: bool
    ) -> Iterator[Look]:
        compiled = self._catalogue.compiled[subject[1]]
        conditions = [compiled.opening, compiled.end if is_open else None]
        for condition in conditions:
            if condition is not None:
                yield from looks_of(condition, row, now, self._catalogue.known.streams, freshness)

    def _alert_looks(self, held: Held, now: datetime) -> Iterator[Look]:
        """The end of `for`, of a gate, and the due time; each only while it is ahead."""
        alert, case = held.alert, held.case
        rule = self._catalogue.rules.get(alert.rule)
        if rule is None:
            return
        if alert.state == "pending":
            yield from _ahead(alert.since + rule.lasts, now)
        if alert.state == "firing" and alert.gate is not None:
            yield from _ahead(alert.gate.until, now)
        elif alert.state == "firing" and case is not None and case.state == "open" and not case.is_overdue:
            yield from _ahead(case.due_at, now)


def _decoded(batch: Batch) -> Iterator[Arrived]:
    """Records that are snapshots. What is none was written by mistake: counted, logged and passed over."""
    for partition, records in batch.records.items():
        for record in records:
            try:
                yield Arrived(partition, decode_change(record.value or b""), record.value)
            except msgspec.MsgspecError as error:
                UNREADABLE.inc()
                _log.warning("snapshot_unreadable", partition=partition, offset=record.offset, reason=str(error))


def _newest_times(arrived: Iterable[Arrived]) -> dict[tuple[int, str], datetime]:
    newest: dict[tuple[int, str], datetime] = {}
    for one in arrived:
        for stream, at in one.snapshot.freshness.items():
            known = newest.get((one.partition, stream))
            newest[one.partition, stream] = at if known is None else max(at, known)
    return newest


def _occasion_found(occasion: Occasion, truth: Truth | None) -> Found:
    return Found(
        holds=TRUE,
        clears=UNKNOWN if truth is None else truth.clears,
        cause=occasion.cause,
        words=occasion.words,
        triggered_by=occasion.triggered_by,
        quiet=occasion.quiet,
    )


def _may_tell(held: Held | None) -> bool:
    """True where the past matters: an opening needs its number, a telling its cooldown."""
    return held is None or held.alert.state == "pending" or held.alert.gate is not None


def _subject(held: Held) -> store.Subject:
    return held.alert.account, held.alert.rule, held.alert.key


def _ahead(at: datetime, now: datetime) -> Iterator[Look]:
    if at > now:
        yield WALL, at


def _count(decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        for change in decision.changes:
            CHANGES.labels(decision.held.alert.rule, change.event).inc()
