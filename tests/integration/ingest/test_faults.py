"""A broker that does not acknowledge, readers that are behind: what the caller is told."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from tests.integration.ingest.cable import cable_to
from tests.integration.ingest.deployment import Deployment, event, running, serving
from tests.pair import World
from tests.processes import until


@contextlib.contextmanager
def frozen_broker(world: World) -> Iterator[None]:
    """The broker keeps its connections and answers nothing, as on a machine that swaps."""
    port = int(world.bootstrap.rpartition(":")[2])
    listening = [c for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    (pid,) = {c.pid for c in listening if c.laddr and c.laddr.port == port}
    broker = psutil.Process(pid)
    broker.suspend()
    try:
        yield
    finally:
        broker.resume()


async def test_nothing_is_accepted_that_the_broker_has_not_acknowledged(world: World) -> None:
    async with serving(world, INGEST_ACK_SECONDS_MAX="1") as deployment, deployment.client() as client:
        sent = event()
        with frozen_broker(world):
            assert await _is_unknown(client, sent)
        await until(lambda: _is_accepted(client, sent), "the same event is accepted")
        assert len((await deployment.forwarded([sent["id"]]))[sent["id"]]) >= 1


async def _is_unknown(client: httpx.AsyncClient, sent: object) -> bool:
    answer = await client.post("/v1/events", json=sent)
    if answer.status_code != 503:
        return False
    assert answer.json()["reason"] == "outcome_unknown"
    assert "same ids" in answer.json()["detail"]
    assert int(answer.headers["retry-after"]) > 0
    return True


async def _is_accepted(client: httpx.AsyncClient, sent: object) -> bool:
    return (await client.post("/v1/events", json=sent)).status_code == 202


async def test_without_postgres_the_worker_forwards_what_needs_none_and_keeps_the_rest_waiting(world: World) -> None:
    deployment = Deployment(world, "", "")
    server = urlsplit(world.dsn)
    assert server.hostname
    assert server.port
    async with cable_to(server.hostname, server.port) as cable:
        through = world.dsn.replace(f":{server.port}/", f":{cable.port}/")
        first, good, bad = event(), event(), event(time=None)
        async with running(world, "worker", BELLWETHER_POSTGRES=through):
            await deployment.produce("product.usage", [first])
            await deployment.until_forwarded([first["id"]])
            await cable.pull()
            await deployment.produce("product.usage", [good])
            await deployment.until_forwarded([good["id"]])
            (at,) = await deployment.produce("product.usage", [bad])
            await cable.plug_in()
            assert (await deployment.aside_at([at]))[at]["reason"] == "time_missing"


async def test_while_scoring_is_too_far_behind_callers_wait(world: World) -> None:
    async with serving(world, INGEST_BACKLOG_EVENTS_MAX="10") as deployment, deployment.client() as client:
        assert (await client.post("/v1/events", json=[event() for _ in range(11)])).status_code == 202
        await until(lambda: _is_told_to_wait(client), "429")
        await _scoring_has_read(world)
        await until(lambda: _is_accepted(client, event()), "accepted again")
        metrics = (await client.get("/metrics")).text
        assert "bellwether_ingest_backlog_events" in metrics
        assert deployment.world is world


async def _is_told_to_wait(client: httpx.AsyncClient) -> bool:
    answer = await client.post("/v1/events", json=event())
    if answer.status_code != 429:
        return False
    assert answer.json()["reason"] == "scoring_behind"
    assert answer.json()["limit"] == 10
    assert int(answer.headers["retry-after"]) > 0
    return True


async def _scoring_has_read(world: World) -> None:
    reader = AIOKafkaConsumer(
        bootstrap_servers=world.bootstrap, group_id=f"{world.prefix}scoring", enable_auto_commit=False
    )
    await reader.start()
    try:
        partitions = [TopicPartition(world.topic("health.events"), number) for number in range(world.partitions)]
        reader.assign(partitions)
        await reader.commit(await reader.end_offsets(partitions))
    finally:
        await reader.stop()


async def test_ingest_counts_what_it_decides(deployment: Deployment, client: httpx.AsyncClient) -> None:
    await client.post("/v1/events", json=[event(), event(time=None)])
    metrics = (await client.get("/metrics")).text
    assert 'bellwether_ingest_accepted_total{stream="product.usage",via="http"}' in metrics
    assert 'bellwether_ingest_refused_total{reason="time_missing",stream="product.usage",via="http"}' in metrics
    assert (await client.get("/readyz")).json()["status"] == "ready"
