"""An alerts worker that writes down each batch it commits, so that the same looks can be had again, undisturbed.

What alerts say depends on when we looked and on how records fell into batches. Both are chance under fire; a run
without faults is the same run only if it looks when the other did.
`python -m tests.faults.recorded worker` is the alerts worker with this one addition.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import asyncpg
import msgspec
from aiokafka import ConsumerRecord

from services.alerts.definitions import load
from services.alerts.main import SERVICE, create_app
from services.alerts.settings import Settings
from services.alerts.worker import AlertsWork, Novel, Reading
from shared.contracts.topics import HEALTH_CHANGES, OUTREACH_EVENTS
from shared.http.probe import Address
from shared.http.service import main
from shared.kafka.batch import Batch, Message
from shared.kafka.worker import run_loop
from shared.postgres.pool import Connection, Pool
from shared.settings import Shared

TABLE = "CREATE TABLE committed_batch (n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea NOT NULL)"
RECORDS_OF = dict[int, dict[int, ConsumerRecord]]  # partition -> offset -> record


class Committed(msgspec.Struct, frozen=True):
    """What a batch was. records: partition -> first and last offset.

    clocks: partition -> stream -> newest time, as this batch read them; other workers move those of other partitions.
    """

    now: datetime
    records: dict[int, tuple[int, int]]
    looks: dict[int, list[str]]
    next_offsets: dict[int, int]
    caught_up: list[int]
    clocks: dict[int, dict[str, datetime]]

    def batch(self, log: RECORDS_OF) -> Batch:
        """The same batch, its records taken from the log."""
        records = {p: _between(log[p], first, last) for p, (first, last) in self.records.items()}
        return Batch(self.now, records, self.looks, self.next_offsets, frozenset(self.caught_up))


class Recording:
    """The work it is given, and a row of `committed_batch` in each of its transactions.

    Batches that share a partition wait for each other's claims, so the rows' numbers are in the order of the commits.
    """

    def __init__(self, work: AlertsWork) -> None:
        self._work = work

    async def due(
        self, connection: Connection, partitions: Sequence[int], now: datetime
    ) -> Mapping[int, Sequence[str]]:
        return await self._work.due(connection, partitions, now)

    async def archive(self, tx: Connection, batch: Batch) -> Novel:
        return await self._work.archive(tx, batch)

    async def fold_and_read(self, tx: Connection, batch: Batch, novel: Novel) -> Reading:
        return await self._work.fold_and_read(tx, batch, novel)

    async def decide(self, tx: Connection, batch: Batch, reading: Reading) -> Sequence[Message]:
        messages = await self._work.decide(tx, batch, reading)
        committed = Committed(
            now=batch.now,
            records={p: (found[0].offset, found[-1].offset) for p, found in batch.records.items()},
            looks={p: list(accounts) for p, accounts in batch.looks.items()},
            next_offsets=dict(batch.next_offsets),
            caught_up=sorted(batch.caught_up),
            clocks={p: dict(clock) for p, clock in reading.clocks.items()},
        )
        await tx.execute("INSERT INTO committed_batch (body) VALUES ($1)", msgspec.json.encode(committed))
        return messages

    def source_of(self, record: ConsumerRecord) -> str:
        return self._work.source_of(record)

    async def put_off(self, tx: Connection, looks: Mapping[int, Sequence[str]], now: datetime) -> None:
        await self._work.put_off(tx, looks, now)

    def forget(self) -> None:
        self._work.forget()


async def committed_batches(alerts: asyncpg.Connection) -> list[Committed]:
    """All of them, in the order in which they count."""
    rows = await alerts.fetch("SELECT body FROM committed_batch ORDER BY n")
    return [msgspec.json.decode(row["body"], type=Committed) for row in rows]


async def replayed(
    work: AlertsWork, alerts: asyncpg.Connection, batches: Sequence[Committed], log: RECORDS_OF
) -> AsyncIterator[Message]:
    """What the work says when it gets the same batches one after another, on the schema that `alerts` sees."""
    for committed in batches:
        batch = committed.batch(log)
        async with alerts.transaction():
            novel = await work.archive(alerts, batch)
            await _set_clocks(alerts, committed.clocks)
            messages = await work.decide(alerts, batch, await work.fold_and_read(alerts, batch, novel))
        for message in messages:
            yield message


async def _set_clocks(alerts: asyncpg.Connection, clocks: Mapping[int, Mapping[str, datetime]]) -> None:
    """As the batch read them: what other workers had committed by then is not a matter of this one's order."""
    await alerts.execute("DELETE FROM stream_freshness")
    rows = [(p, stream, newest) for p, clock in clocks.items() for stream, newest in clock.items()]
    await alerts.executemany("INSERT INTO stream_freshness VALUES ($1, $2, $3)", rows)


def _between(records: Mapping[int, ConsumerRecord], first: int, last: int) -> list[ConsumerRecord]:
    return [records[offset] for offset in range(first, last + 1)]


async def run_worker() -> None:
    settings, shared = Settings(), Shared()
    work = AlertsWork(load(), shared.topic(OUTREACH_EVENTS.name), settings.looks_max)
    probes = Address(settings.probe_host, settings.probe_port)

    def make_work(_: Pool) -> Recording:
        return Recording(work)

    await run_loop(shared, SERVICE, HEALTH_CHANGES.name, probes, make_work)


if __name__ == "__main__":
    main(SERVICE, create_app, run_worker)
