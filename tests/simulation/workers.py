"""A worker of the product in the virtual world: the real loop, outbox and services on twins of both servers."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any

from services.alerts.definitions import Catalogue, load
from services.alerts.worker import AlertsWork
from services.scoring import catalogue_files
from services.scoring.domain.catalogue import content_of, version_of
from services.scoring.worker import Scoring
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox
from shared.kafka.watchdog import Behind, positions_in, watch
from tests.twins import kafka
from tests.twins.broker import Broker
from tests.twins.process import Process
from tests.twins.statements import LOOP, Named, finder
from tests.twins.statements_alerts import ALERTS
from tests.twins.statements_scoring import SCORING
from tests.twins.store import Database, Pool
from tests.twins.tables import Row
from tests.twins.virtual_time import VirtualClock
from tests.unit.services.scoring.acme import packaged

EVENTS, CHANGES, OUTREACH = "health.events", "health.changes", "outreach.events"
READS = {"scoring": EVENTS, "alerts": CHANGES}
SAYS = {"scoring": CHANGES, "alerts": OUTREACH}
PARTITIONS = 2


def scoring_work(pool: Any, *, make: Callable[..., Scoring] = Scoring) -> Scoring:
    """It knows the packaged catalogue already, whose parsing would take longer than a run."""
    work = make(pool, CHANGES, remembered_max=100)
    work._active._definitions = packaged()
    return work


def alerts_work(_: Any, *, make: Callable[..., AlertsWork] = AlertsWork) -> AlertsWork:
    return make(rules(), OUTREACH, 1_000)


@cache
def rules() -> Catalogue:
    return load()


@cache
def definition() -> Row:
    """The packaged catalogue as a row."""
    bodies = catalogue_files.load()
    return {"version": version_of(bodies), "body": content_of(bodies), "active": True}


@dataclass(frozen=True)
class Product:
    """What is simulated. A mutant is this with one part replaced."""

    loop: type[Loop[Any, Any]] = Loop
    outbox: type[Outbox] = Outbox
    consumer: type[kafka.Consumer] = kafka.Consumer
    work: Mapping[str, Callable[[Any], Any]] = field(
        default_factory=lambda: {"scoring": scoring_work, "alerts": alerts_work}
    )
    statements: Mapping[str, Named] = field(default_factory=dict)  # in place of the twins' own

    @property
    def find(self) -> Callable[[str], Any]:
        named: dict[str, Named] = {"shared.kafka": LOOP, "services.scoring": SCORING, "services.alerts": ALERTS}
        return finder({package: {**own, **self.statements.get(package, {})} for package, own in named.items()})

    def scoring(self, make: type[Scoring]) -> "Product":
        """With another Scoring."""
        return replace(self, work={**self.work, "scoring": partial(scoring_work, make=make)})


class Worker:
    """One process of one service."""

    def __init__(
        self,
        product: Product,
        service: str,
        process: Process,
        servers: tuple[Database, Broker],
        ended: Callable[["Worker"], None],
    ) -> None:
        database, broker = servers
        self.service, self.process, self._database = service, process, database
        self.consumer = product.consumer(broker, service, process)
        self.producer = kafka.Producer(broker, process)
        pool: Any = Pool(database, service, process)
        clients: dict[str, Any] = {
            "consumer": self.consumer,
            "outbox": product.outbox(self.producer),  # type: ignore[arg-type, unused-ignore]
            "log_identity": kafka.LogIdentity(broker, process),
            "clock": VirtualClock(pool),
        }
        loop = product.loop(
            service=service, topic=READS[service], pool=pool, work=product.work[service](pool), **clients
        )
        self._stopping = asyncio.Event()
        self._loop = process.begin(loop.run(self._stopping))
        asker: Any = kafka.Consumer(broker, "", process)
        behind = Behind(positions_in(pool, READS[service]), asker, self.consumer.assignment)
        process.begin(watch(service, lambda: loop.claimed_at, behind, end=lambda _: ended(self)))

    def kill(self) -> None:
        """Nothing of it is left but what the servers have; the group waits for its session to end."""
        self.process.kill()
        for session in [one for one in self._database.sessions if one.process is self.process]:
            session.drop()

    async def leave(self) -> None:
        """As SIGTERM does: the batch is finished, the group is told."""
        self._stopping.set()
        await self._loop
        self.kill()
        self.consumer.leave()
