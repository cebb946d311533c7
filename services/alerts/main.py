"""Composition root of alerts: the only file that wires settings, Postgres, Kafka, the API and the worker."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI

from services.alerts.api import answers, outreach, stream, work
from services.alerts.api.context import Context
from services.alerts.api.streams import Streams
from services.alerts.definitions import load
from services.alerts.settings import Settings
from services.alerts.worker import AlertsWork
from shared.clock import Clock
from shared.contracts.topics import HEALTH_CHANGES, OUTREACH_EVENTS
from shared.http.auth import Keyring
from shared.http.openapi import add_schemas
from shared.http.probe import Address
from shared.http.service import main, service_app
from shared.kafka.checks import kafka_check, postgres_check
from shared.kafka.clients import asking_client
from shared.kafka.log_id import LogIdentity
from shared.kafka.overdue import overdue_ended
from shared.kafka.worker import run_loop
from shared.postgres.pool import Pool, open_pool
from shared.settings import Shared

SERVICE = "alerts"


def add_routes(app: FastAPI) -> None:
    """Alerts' routers and the schemas of what they answer; the stream first, or its path would be read as an id."""
    for router in (stream.router, outreach.router, work.router):
        app.include_router(router)
    add_schemas(app, [answers.OutreachList, answers.OutreachDetail])


@contextlib.asynccontextmanager
async def mount(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Add the routes and open what they need, for as long as the app runs."""
    shared = Shared()
    topic = shared.topic(OUTREACH_EVENTS.name)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(shared, SERVICE, connections_max=settings.connections_max))
        client = asking_client(shared.kafka)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        await stack.enter_async_context(overdue_ended(client))
        clock = Clock(pool)
        identity = LogIdentity(client)
        log = await identity.of(topic)
        streams = Streams(shared.kafka, topic, log.partitions, settings.streams_max)
        stack.enter_context(streams.ended_by_signals())
        stack.callback(streams.end)
        app.state.keyring = Keyring(pool, clock)
        app.state.alerts = Context(pool, clock, load(), streams)
        app.state.checks |= {
            "alerts.postgres": postgres_check(pool),
            "alerts.kafka": kafka_check(identity, topic),
        }
        add_routes(app)
        yield


def create_app() -> FastAPI:
    """The API of alerts alone: `uvicorn --factory services.alerts.main:create_app`."""
    settings = Settings()
    return service_app("Bellwether alerts", [lambda app: mount(app, settings)])


async def run_worker() -> None:
    """health.changes -> alerts, cases, outreach.events, until stopped."""
    settings, shared = Settings(), Shared()
    catalogue = load()

    def make_work(_: Pool) -> AlertsWork:
        return AlertsWork(catalogue, shared.topic(OUTREACH_EVENTS.name), settings.looks_max)

    probes = Address(settings.probe_host, settings.probe_port)
    await run_loop(shared, SERVICE, HEALTH_CHANGES.name, probes, make_work)


if __name__ == "__main__":
    main(SERVICE, create_app, run_worker)
