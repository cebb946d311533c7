"""Composition root of ingest: the only file that wires settings, Postgres, Kafka, the API and the worker."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from services.ingest.api import answers, aside, events, schemas
from services.ingest.api.context import Context
from services.ingest.backlog import Backlog
from services.ingest.behind import opened
from services.ingest.forward import Forwarder
from services.ingest.intake import Intake
from services.ingest.positions import Group
from services.ingest.settings import Settings
from services.ingest.timekeeping import Timekeeper
from services.ingest.worker import Worker
from shared.beside import beside
from shared.clock import Clock
from shared.contracts.topics import HEALTH_EVENTS
from shared.http.auth import Keyring
from shared.http.openapi import add_schemas
from shared.http.probe import Address, Check, serve_probes
from shared.http.service import main, service_app
from shared.kafka.checks import batch_check, kafka_check
from shared.kafka.clients import asking_admin, asking_client, asking_consumer, consumer
from shared.kafka.log_id import LogIdentity
from shared.kafka.overdue import overdue_ended
from shared.kafka.watchdog import watch
from shared.kafka.worker import end_when_late, is_starting, stop_on_signals
from shared.postgres.pool import Pool, open_pool
from shared.settings import Shared

SERVICE = "ingest"
SCORING_GROUP = "scoring"  # whose committed offsets say how far behind the readers are
WORKER_CONNECTIONS_MAX = 4  # the batch, a release, the clock, the watchdog

ANSWERS = (
    answers.EventsAnswer,
    answers.AsidePage,
    answers.Aside,
    answers.ReplayAnswer,
    schemas.SchemaList,
)


def add_routes(app: FastAPI) -> None:
    """Ingest's routers and the schemas of what they answer."""
    for router in (events.router, aside.router, schemas.router):
        app.include_router(router)
    add_schemas(app, ANSWERS)


@contextlib.asynccontextmanager
async def mount(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Add the routes and open what they need, for as long as the app runs."""
    shared = Shared()
    topic = shared.topic(HEALTH_EVENTS.name)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(shared, SERVICE, connections_max=settings.connections_max))
        intake, identity = await _intake(stack, shared, settings, pool)
        asker = asking_consumer(shared.kafka)
        await asker.start()
        stack.push_async_callback(asker.stop)
        admin = asking_admin(shared.kafka)
        await admin.start()
        stack.push_async_callback(admin.close)
        await stack.enter_async_context(overdue_ended(asker, admin))
        partitions = range(intake.forwarder.partitions)
        backlog = Backlog(asker, Group(admin, shared.group(SCORING_GROUP)), topic, partitions)
        app.state.keyring = Keyring(pool, intake.timekeeper.clock)
        app.state.ingest = Context(settings, intake, backlog)
        app.state.checks |= {"ingest.kafka": _log_check(identity, topic, intake.forwarder.partitions)}
        add_routes(app)
        yield


def create_app() -> FastAPI:
    """The API of ingest alone: `uvicorn --factory services.ingest.main:create_app`."""
    settings = Settings()
    return service_app("Bellwether ingest", [lambda app: mount(app, settings)])


async def run_worker() -> None:
    """Raw topics -> health.events, until stopped."""
    settings, shared = Settings(), Shared()
    topic = shared.topic(HEALTH_EVENTS.name)
    async with contextlib.AsyncExitStack() as stack:
        stopping = await stack.enter_async_context(stop_on_signals())
        await stack.enter_async_context(beside(end_when_late(SERVICE, stopping)))
        checks: dict[str, Check] = {"started": is_starting}
        await stack.enter_async_context(serve_probes(Address(settings.probe_host, settings.probe_port), checks))
        pool = await stack.enter_async_context(open_pool(shared, SERVICE, connections_max=WORKER_CONNECTIONS_MAX))
        intake, identity = await _intake(stack, shared, settings, pool)
        reader = consumer(shared.kafka, shared.group(SERVICE))
        await reader.start()
        stack.push_async_callback(reader.stop)
        admin = asking_admin(shared.kafka)
        await admin.start()
        stack.push_async_callback(admin.close)
        await stack.enter_async_context(overdue_ended(reader, admin))
        group = Group(admin, shared.group(SERVICE))
        del checks["started"]
        checks["kafka"] = _log_check(identity, topic, intake.forwarder.partitions)
        worker = Worker(
            consumer=reader,
            group=group,
            intake=intake,
            log_identity=identity,
            topic_prefix=shared.prefix,
            release_every_seconds=settings.release_every_seconds,
        )
        checks["batch"] = batch_check(lambda: worker.trouble)
        behind = await stack.enter_async_context(opened(shared, pool, reader.assignment))
        async with beside(watch(SERVICE, lambda: worker.progressed_at, behind)):
            await worker.run(stopping)


async def _intake(
    stack: contextlib.AsyncExitStack, shared: Shared, settings: Settings, pool: Pool
) -> tuple[Intake, LogIdentity]:
    """Raises TopicGone before `bellwether migrate` has made the topics."""
    topic = shared.topic(HEALTH_EVENTS.name)
    client = asking_client(shared.kafka)
    await client.bootstrap()
    stack.push_async_callback(client.close)
    await stack.enter_async_context(overdue_ended(client))
    identity = LogIdentity(client)
    log = await identity.of(topic)
    forwarder = Forwarder(shared.kafka, topic, log.partitions)
    await forwarder.start()
    stack.push_async_callback(forwarder.stop)
    timekeeper = Timekeeper(Clock(pool), pool)
    stack.push_async_callback(timekeeper.stop)
    return Intake(pool, forwarder, timekeeper, settings.ack_seconds_max), identity


def _log_check(identity: LogIdentity, topic: str, partitions: int) -> Check:
    """Ready while the broker answers: only aliases, keys and what is set aside need Postgres.

    An account's partition is for life, so a log with another count is not one to write to.
    """
    answers_at_all = kafka_check(identity, topic)

    async def check() -> str | None:
        if (away := await answers_at_all()) is not None:
            return away
        found = (await identity.of(topic)).partitions
        return None if found == partitions else f"{topic} has {found} partitions, it had {partitions} at the start"

    return check


if __name__ == "__main__":
    main(SERVICE, create_app, run_worker)
