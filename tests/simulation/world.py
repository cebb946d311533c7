"""A whole deployment in one thread: both services, both servers, and whatever happens to them."""

import asyncio
from datetime import datetime, timedelta
from random import Random

from shared.contracts.envelope import HEADERS, HealthEvent, encode
from shared.contracts.topics import partition_of
from tests.simulation.workers import CHANGES, EVENTS, OUTREACH, PARTITIONS, READS, SAYS, Product, Worker, definition
from tests.twins.broker import Broker, Written
from tests.twins.process import Process
from tests.twins.store import Database
from tests.twins.tables import Row, Tables
from tests.twins.virtual_time import wall

REST_SECONDS_MAX = 400.0  # longer than any session, gap and reload one after the other
LOOK_AGAIN_SECONDS = 1.0
OF_ALL = ("access.clock", "access.identity_key")  # a restore leaves them: time goes on


class NeverRests(AssertionError):
    """Something is left undone though nothing hinders it."""


class World:
    """One run. `random` decides how long everything takes, nothing else."""

    def __init__(self, product: Product, seed: int) -> None:
        self.product, self.random = product, Random(seed)
        self.database = Database(Tables(), product.find)
        self.broker = Broker(PARTITIONS, {SAYS[service]: service for service in SAYS}.get)
        for topic in (EVENTS, CHANGES, OUTREACH):
            self.broker.make(topic)
        row = definition()
        self.database.tables.rows["scoring.definition"][row["version"],] = row
        self.database.tables.rows["access.identity_key"][()] = {"key": bytes(range(32))}
        self.workers: list[Worker] = []
        self.sent: list[HealthEvent] = []
        self.unreadable = 0
        self.restores = self.watchdogs = 0
        self._kept: Tables | None = None
        self._started = 0

    # What people and machines do.

    def start(self, service: str) -> None:
        self._started += 1
        process = Process(f"{service}-{self._started}", Random(self.random.random()))
        self.workers.append(Worker(self.product, service, process, (self.database, self.broker), self._restart))

    def _restart(self, worker: Worker) -> None:
        """What a supervisor does for the watchdog."""
        self.watchdogs += 1
        self.kill(worker)
        self.start(worker.service)

    def kill(self, worker: Worker) -> None:
        self.workers.remove(worker)
        worker.kill()

    async def leave(self, worker: Worker) -> None:
        self.workers.remove(worker)
        await worker.leave()

    def send(self, event: HealthEvent) -> None:
        """As ingest does; the same event again is a duplicate."""
        if event not in self.sent:
            self.sent.append(event)
        self._append(partition_of(event.account, PARTITIONS), event.account.encode(), encode(event))

    def send_unreadable(self, partition: int) -> None:
        self.unreadable += 1
        self._append(partition, b"?", b"{")

    def _append(self, partition: int, key: bytes, value: bytes) -> None:
        self.broker.append(None, EVENTS, partition, key=key, value=value, headers=tuple(HEADERS))

    def move_clock(self, by: timedelta) -> None:
        self.database.tables.rows["access.clock"][()] = {"offset_by": self.offset + by}

    def back_up(self) -> None:
        self._kept = self.database.tables.copy()

    def restore(self) -> None:
        """The store is what it was at the last backup; the logs are whole, and time has gone on."""
        if self._kept is None:
            return
        self.restores += 1
        kept = self._kept.copy()
        kept.rows |= {name: dict(self.database.tables.rows[name]) for name in OF_ALL}
        self.database.restore(kept)

    # What is seen of it.

    @property
    def offset(self) -> timedelta:
        row = self.database.tables.rows["access.clock"].get(())
        return row["offset_by"] if row else timedelta()

    @property
    def now(self) -> datetime:
        return wall() + self.offset

    def rows(self, table: str) -> list[Row]:
        """What is committed."""
        return list(self.database.tables.rows[table].values())

    def written(self, topic: str) -> list[Written]:
        return [one for partition in self.broker.topics[topic].partitions for one in partition.written]

    async def rest(self) -> None:
        """Until everything that was sent is applied and said. Raises NeverRests, or what ended a worker."""
        gives_up_at = asyncio.get_running_loop().time() + REST_SECONDS_MAX
        while undone := self._undone():
            self.raise_failures()
            if asyncio.get_running_loop().time() > gives_up_at:
                raise NeverRests("; ".join(undone))
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        self.raise_failures()

    def raise_failures(self) -> None:
        """A worker that ended by itself failed."""
        for worker in self.workers:
            worker.process.raise_failure()

    def _undone(self) -> list[str]:
        found = [f"{service}: {what}" for service in READS for what in self._undone_of(service)]
        if due := [row["account"] for row in self.rows("scoring.published") if row["look_at"] <= self.now]:
            found.append(f"scoring: looks of {due}")
        if due := [row["account"] for row in self.rows("alerts.look") if self._is_due(row)]:
            found.append(f"alerts: looks of {due}")
        if untold := [row for row in self.rows("alerts.change") if row["tells"] and row["told_at"] is None]:
            found.append(f"alerts: untold {untold}")
        return found

    def _undone_of(self, service: str) -> list[str]:
        logs = self.broker.topics[READS[service]].partitions
        read = {row["partition"]: row["next_offset"] for row in self.rows(f"{service}.position")}
        found = [f"{p} read to {read.get(p)} of {log.end}" for p, log in enumerate(logs) if read.get(p, 0) != log.end]
        said = {(one.record.key, one.record.value) for one in self.written(SAYS[service])}
        unsaid = [row["n"] for row in self.rows(f"{service}.outbox") if (row["key"], row["value"]) not in said]
        return [*found, f"outbox rows {unsaid}"] if unsaid else found

    def _is_due(self, look: Row) -> bool:
        if look["clock"] == "":
            return bool(look["at"] <= self.now)
        newest = self.database.tables.rows["alerts.stream_freshness"].get((look["partition"], look["clock"]))
        return newest is not None and bool(look["at"] <= min(newest["newest"], self.now))
