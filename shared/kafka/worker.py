"""Run a loop as a process: open what it needs, serve its probes, stop cleanly on SIGTERM and SIGINT."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable

from shared.beside import beside
from shared.clock import Clock
from shared.http.probe import Address, Check, serve_probes
from shared.kafka.batch import N, R, Work
from shared.kafka.checks import batch_check, kafka_check, postgres_check
from shared.kafka.clients import asking_client, asking_consumer, consumer, producer
from shared.kafka.log_id import LogIdentity
from shared.kafka.loop import Loop
from shared.kafka.outbox import Outbox
from shared.kafka.overdue import overdue_ended
from shared.kafka.watchdog import Behind, end_process, positions_in, watch
from shared.postgres.pool import Pool, open_pool
from shared.settings import Shared
from shared.telemetry import configure_logging

STOP_SECONDS_MAX = 5.0  # what a supervisor may count on
CONNECTIONS_MAX = 4  # the batch, a look, a probe, the watchdog


@contextlib.asynccontextmanager
async def stop_on_signals() -> AsyncIterator[asyncio.Event]:
    """An event that SIGTERM and SIGINT set."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield stopping
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def end_when_late(service: str, stopping: asyncio.Event) -> None:
    """A server that keeps its connections and says nothing would hold up the end of the process for a minute.

    To be ended between any two steps of a batch loses nothing.
    """
    await stopping.wait()
    await asyncio.sleep(STOP_SECONDS_MAX)
    end_process(f"{service}: not stopped within {STOP_SECONDS_MAX:g} s, as a server does not answer")


async def is_starting() -> str | None:
    """What readiness says before there is anything to ask."""
    return "still starting"


async def run_loop(
    settings: Shared, service: str, topic: str, probes: Address, make_work: Callable[[Pool], Work[N, R]]
) -> None:
    """The whole life of a worker process of `service` on `topic`. `make_work` gets the pool."""
    topic = settings.topic(topic)
    configure_logging(f"{service}-worker")
    async with contextlib.AsyncExitStack() as stack:
        stopping = await stack.enter_async_context(stop_on_signals())
        await stack.enter_async_context(beside(end_when_late(service, stopping)))
        checks: dict[str, Check] = {"started": is_starting}
        await stack.enter_async_context(serve_probes(probes, checks))
        pool: Pool = await stack.enter_async_context(open_pool(settings, service, connections_max=CONNECTIONS_MAX))
        client = asking_client(settings.kafka)
        await client.bootstrap()
        stack.push_async_callback(client.close)
        identity = LogIdentity(client)
        await identity.of(topic)  # a missing topic ends the process here, by name
        reader, writer = consumer(settings.kafka, settings.group(service)), producer(settings.kafka)
        asker = asking_consumer(settings.kafka)
        for kafka in (writer, reader, asker):
            await kafka.start()
            stack.push_async_callback(kafka.stop)
        await stack.enter_async_context(overdue_ended(client, reader, writer.client, asker))
        loop = Loop(
            service=service,
            topic=topic,
            pool=pool,
            consumer=reader,
            outbox=Outbox(writer),
            log_identity=identity,
            clock=Clock(pool),
            work=make_work(pool),
        )
        checks |= {"postgres": postgres_check(pool), "kafka": kafka_check(identity, topic)}
        checks["batch"] = batch_check(lambda: loop.trouble)
        del checks["started"]
        behind = Behind(positions_in(pool, topic), asker, reader.assignment)
        async with beside(watch(service, lambda: loop.claimed_at, behind)):
            await loop.run(stopping)
