"""Composition root of scoring: the only file that wires settings, Postgres, Kafka, the API and the worker."""

import contextlib
from collections.abc import AsyncIterator

from fastapi import FastAPI
from sqlalchemy.ext.asyncio import create_async_engine

from services.scoring.api import accounts, answers, health, trace
from services.scoring.api.context import Context
from services.scoring.api.lag import LogEnds
from services.scoring.definitions_store import publish_packaged
from services.scoring.settings import Settings
from services.scoring.worker import Scoring
from shared.clock import Clock
from shared.contracts.topics import HEALTH_CHANGES, HEALTH_EVENTS
from shared.http.auth import Keyring
from shared.http.openapi import add_schemas
from shared.http.probe import Address
from shared.http.service import main, service_app
from shared.kafka.checks import kafka_check, postgres_check
from shared.kafka.clients import asking_client, asking_consumer
from shared.kafka.log_id import LogIdentity
from shared.kafka.overdue import overdue_ended
from shared.kafka.worker import run_loop
from shared.postgres.pool import Pool, open_pool
from shared.settings import Shared

SERVICE = "scoring"


def add_routes(app: FastAPI) -> None:
    """Scoring's routers and the schemas of what they answer."""
    for router in (accounts.router, health.router, trace.router):
        app.include_router(router)
    add_schemas(app, [answers.Health, answers.AccountList, answers.Batch, answers.HistoryPage, answers.Trace])


@contextlib.asynccontextmanager
async def mount(app: FastAPI, settings: Settings) -> AsyncIterator[None]:
    """Add the routes and open what they need, for as long as the app runs."""
    shared = Shared()
    topic = shared.topic(HEALTH_EVENTS.name)
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(open_pool(shared, SERVICE, connections_max=settings.connections_max))
        engine = create_async_engine(
            shared.dsn.replace("postgresql://", "postgresql+asyncpg://", 1),
            connect_args={"server_settings": {"search_path": shared.search_path(SERVICE)}},
        )
        stack.push_async_callback(engine.dispose)
        client = asking_client(shared.kafka)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        identity = LogIdentity(client)
        asker = asking_consumer(shared.kafka)
        await asker.start()
        stack.push_async_callback(asker.stop)
        await stack.enter_async_context(overdue_ended(client, asker))
        log = await identity.of(topic)
        app.state.keyring = Keyring(pool, Clock(pool))
        app.state.scoring = Context(pool, engine, topic, LogEnds(asker, topic, range(log.partitions)))
        app.state.checks |= {
            "scoring.postgres": postgres_check(pool),
            "scoring.kafka": kafka_check(identity, topic),
        }
        add_routes(app)
        yield


def create_app() -> FastAPI:
    """The API of scoring alone: `uvicorn --factory services.scoring.main:create_app`."""
    settings = Settings()
    return service_app("Bellwether scoring", [lambda app: mount(app, settings)])


async def run_worker() -> None:
    """health.events -> state, score, health.changes, until stopped."""
    settings, shared = Settings(), Shared()

    def make_work(pool: Pool) -> Scoring:
        return Scoring(pool, shared.topic(HEALTH_CHANGES.name), settings.remembered_accounts_max)

    await publish_packaged(shared, only_if_none=True)
    probes = Address(settings.probe_host, settings.probe_port)
    await run_loop(shared, SERVICE, HEALTH_EVENTS.name, probes, make_work)


if __name__ == "__main__":
    main(SERVICE, create_app, run_worker)
