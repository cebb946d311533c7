"""health.changes -> alerts, cases, steps, outreach.events: the callbacks that the loop calls within one transaction."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from aiokafka import ConsumerRecord
from msgspec import Struct

from services.alerts import store
from services.alerts.definitions import Catalogue
from services.alerts.domain import company
from services.alerts.domain.alert import Found, Past, Subject
from services.alerts.domain.decision import Decision, Held, on_nothing_open, on_open
from services.alerts.domain.evaluation import COMPANY, Row
from services.alerts.domain.findings import Clocks, Views, evaluate, findings, held_back
from services.alerts.domain.gates import Stalled
from services.alerts.domain.looks import WALL, Look, alert_looks, earliest, row_looks
from services.alerts.domain.messages import message
from services.alerts.domain.occasions import Occasion, occasions
from services.alerts.domain.routing import owner_of
from services.alerts.metrics import CHANGES, OLDER, TOLD
from services.alerts.store import Arrived
from shared.contracts.health import Snapshot, decode_change
from shared.contracts.outreach import encode
from shared.contracts.topics import partition_of
from shared.kafka.batch import Batch, Message
from shared.postgres.pool import Connection
from shared.telemetry import logger

PUT_OFF = timedelta(minutes=15)  # a look that fails is tried again after this; more often would fill the log

_log = logger(__name__)


class Novel(Struct, frozen=True):
    """What a batch brought: views that moved forward, and notables that no rule has had before."""

    moved: Views
    occasions: Sequence[Occasion]


class Reading(Struct, frozen=True):
    """All accounts of the batch, and what their rules say of them.

    clocks: partition -> stream -> newest time that it has shown. stalled: the streams that have stopped.
    """

    views: Views
    clocks: Clocks
    stalled: Mapping[str, Stalled]
    found: Mapping[store.Subject, Found]
    rows: Mapping[store.Subject, Row]
    held: Mapping[store.Subject, Held]
    past: Mapping[store.Subject, Past]


class AlertsWork:
    """Gives the loop its callbacks. Of the accounts it keeps nothing between batches: the API writes the same rows."""

    def __init__(self, catalogue: Catalogue, topic: str, looks_max: int) -> None:
        self._catalogue = catalogue
        self._topic = topic
        self._looks_max = looks_max
        self._company_at: datetime | None = None

    def forget(self) -> None:
        """The company is looked at again at once."""
        self._company_at = None

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        """Whose look is due; the company's is every minute, by whoever has its partition."""
        found = await store.due(connection, partitions, now, self._looks_max)
        # A clock that was moved back is no reason to wait until it has come as far again.
        if self._company_at is None or not now < self._company_at <= now + PUT_OFF:
            self._company_at = now + company.LOOK_EVERY
            count = await store.partitions(connection)
            if count is not None and (home := partition_of(COMPANY, count)) in partitions:
                found[home] = [COMPANY, *(account for account in found.get(home, ()) if account != COMPANY)]
        return found

    def source_of(self, record: ConsumerRecord) -> str:
        """The account: what of a snapshot can fail is what it says of it. Raises for what is no snapshot."""
        return decode_change(record.value or b"").account

    async def put_off(self, tx: Connection, looks: Mapping[int, Sequence[str]], now: datetime) -> None:
        """Not before PUT_OFF is over, on any clock."""
        later = {(partition, account): {WALL: now + PUT_OFF} for partition, found in looks.items() for account in found}
        await store.set_looks(tx, later)
        if any(COMPANY in found for found in looks.values()):
            self._company_at = now + PUT_OFF

    async def archive(self, tx: Connection, batch: Batch) -> Novel:
        """Views move forward by version only; a notable counts by its id, whatever the version that brings it."""
        arrived = _arrived(batch)
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
        rules = self._catalogue.compiled
        clocks = await store.clocks(tx)
        newest = company.newest(clocks.values())
        views = await self._views(tx, batch, novel, newest)
        truths = evaluate(rules, views, clocks, batch.now)
        held = await store.lock_open(tx, views)
        found = findings(
            rules, truths, views, is_open=held, arrived=novel.moved, occasions=novel.occasions, now=batch.now
        )
        stalled = company.stalled(rules.get(company.RULE), newest, batch.now)
        past = await store.past(tx, {subject[0] for subject in found if _may_tell(held.get(subject))})
        rows = {subject: truth.row for subject, truth in truths.items()}
        return Reading(views, clocks, stalled, held_back(rules, found, stalled), rows, held, past)

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

    async def _views(self, tx: Connection, batch: Batch, novel: Novel, newest: Mapping[str, datetime]) -> Views:
        """Of whom something arrived or happened, and who is looked at; the company's is made on the spot."""
        wanted = {account for looks in batch.looks.values() for account in looks}
        wanted |= {occasion.account for occasion in novel.occasions}
        views = {**await store.views(tx, batch.partitions, wanted - novel.moved.keys()), **novel.moved}
        for partition, looks in batch.looks.items():
            if COMPANY in looks:
                views[COMPANY] = partition, company.snapshot(partition, newest, batch.now)
        return views

    def _occasions(self, snapshot: Snapshot, now: datetime) -> Iterator[Occasion]:
        for compiled in self._catalogue.compiled.values():
            yield from occasions(compiled.rule, snapshot, self._catalogue.known, compiled.where, now)

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
        streams = self._catalogue.known.streams
        for subject, row in reading.rows.items():
            if subject[0] != COMPANY:  # it is looked at every minute in any case
                compiled = self._catalogue.compiled[subject[1]]
                looks[subject[0]].extend(row_looks(compiled, row, now, streams, is_open=subject in held))
        for (account, rule_id, _), one in held.items():
            known = self._catalogue.compiled.get(rule_id)
            if known is not None:
                reads = reading.clocks.get(reading.views[account][0], {})
                stopped = known.streams & reading.stalled.keys()
                looks[account].extend(alert_looks(known.rule, one, stopped, reads, now))
        return {(partition, account): earliest(looks[account]) for account, (partition, _) in reading.views.items()}


def _arrived(batch: Batch) -> list[Arrived]:
    """Only scoring writes this topic. Raises for what is no snapshot, which the loop then sets aside."""
    return [
        Arrived(partition, decode_change(record.value or b""), record.value)
        for partition, records in batch.records.items()
        for record in records
    ]


def _newest_times(arrived: Iterable[Arrived]) -> dict[tuple[int, str], datetime]:
    newest: dict[tuple[int, str], datetime] = {}
    for one in arrived:
        for stream, at in one.snapshot.freshness.items():
            known = newest.get((one.partition, stream))
            newest[one.partition, stream] = at if known is None else max(at, known)
    return newest


def _may_tell(held: Held | None) -> bool:
    """True where the past matters: an opening needs its number, a telling its cooldown."""
    return held is None or held.alert.state == "pending" or held.alert.gate is not None


def _subject(held: Held) -> store.Subject:
    return held.alert.account, held.alert.rule, held.alert.key


def _count(decisions: Iterable[Decision]) -> None:
    for decision in decisions:
        for change in decision.changes:
            CHANGES.labels(decision.held.alert.rule, change.event).inc()
