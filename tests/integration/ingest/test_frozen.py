"""Servers that keep their connections and say nothing: callers are answered in bounded time, and all comes back."""

import asyncio
import time
from collections import Counter
from typing import Any

import httpx
import pytest

from services.ingest.timekeeping import WAIT_SECONDS_MAX
from shared.kafka.worker import STOP_SECONDS_MAX
from tests.faults.servers import frozen, port_of
from tests.integration.ingest.composed import shared_of, working
from tests.integration.ingest.deployment import Deployment, event, running, serving
from tests.integration.ingest.logs import has_committed
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

CALLERS = 40  # five times the connections that the API has to Postgres
ANSWER_SECONDS_MAX = 20.0
ACK_SECONDS_MAX = 3.0
FROZEN_SECONDS = 12.0


async def answered(client: httpx.AsyncClient, sent: dict[str, Any]) -> tuple[int, str, float]:
    """Status, reason, and after how many seconds; a caller who is to come back is told when."""
    began = time.monotonic()
    answer = await client.post("/v1/events", json=sent)
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        assert int(answer.headers["retry-after"]) > 0
    return answer.status_code, answer.json().get("reason", ""), time.monotonic() - began


async def is_accepted(client: httpx.AsyncClient, sent: dict[str, Any]) -> bool:
    return (await answered(client, sent))[0] == httpx.codes.ACCEPTED


@pytest.mark.parametrize("server", ["Postgres", "Kafka"])
async def test_callers_are_told_in_time_to_come_back_while_a_server_is_frozen(world: World, server: str) -> None:
    address = {"Postgres": world.dsn, "Kafka": world.bootstrap}[server]
    subject = {"Postgres": "stripe:cus_1", "Kafka": "acme"}[server]  # an alias is looked up, an account is not
    async with (
        serving(world, INGEST_ACK_SECONDS_MAX=str(ACK_SECONDS_MAX)) as deployment,
        deployment.client() as client,
    ):
        assert await is_accepted(client, event())
        with frozen(port_of(address)):
            answers = await asyncio.gather(*(answered(client, event(subject=subject)) for _ in range(CALLERS)))
        print(Counter((status, reason) for status, reason, _ in answers), f"{max(a[2] for a in answers):.1f} s")
        assert {status for status, _, _ in answers} == {503}
        assert max(seconds for _, _, seconds in answers) < ANSWER_SECONDS_MAX
        await until(lambda: is_accepted(client, event()), "accepted again")


async def test_events_that_need_no_postgres_hardly_wait_for_a_frozen_one(world: World) -> None:
    async with serving(world) as deployment, deployment.client() as client:
        assert await is_accepted(client, event())  # which makes the key known for five seconds
        with frozen(port_of(world.dsn)):
            status, _, seconds = await answered(client, event())
        assert (status, seconds < WAIT_SECONDS_MAX + 2.0) == (202, True)


async def test_a_batch_that_postgres_is_too_slow_for_is_read_again_in_a_smaller_one(world: World) -> None:
    deployment = Deployment(world, "", "")
    await deployment.rows(
        "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.03); RETURN new; END $$"
    )
    await deployment.rows("CREATE TRIGGER slow BEFORE INSERT ON aside FOR EACH ROW EXECUTE FUNCTION slow()")
    await deployment.produce("product.usage", [event(time=None) for _ in range(200)])  # 6 s, of which 4 are given
    async with working(shared_of(world), partitions=world.partitions):
        await until(lambda: has_committed(world, "product.usage", 200), "all committed", 60.0)
    assert len(await deployment.rows("SELECT 1 FROM aside")) == 200


@pytest.mark.parametrize("server", ["Postgres", "Kafka"])
async def test_a_worker_goes_on_by_itself_when_a_frozen_server_thaws(world: World, server: str) -> None:
    address = {"Postgres": world.dsn, "Kafka": world.bootstrap}[server]
    deployment = Deployment(world, "", "")
    first, second = [event(), event(time=None)], [event(), event(time=None)]
    async with working(shared_of(world), partitions=world.partitions) as at_work:
        await deployment.produce("product.usage", first)
        await until(lambda: has_committed(world, "product.usage", 2), "committed")
        if server == "Postgres":
            with frozen(port_of(address)):
                await deployment.produce("product.usage", second)
                await until(lambda: has_troubles(at_work.worker), "the worker in trouble")
        else:
            with frozen(port_of(address)):
                await asyncio.wait([at_work.task], timeout=FROZEN_SECONDS)  # above the session timeout
            await deployment.produce("product.usage", second)
        await until(lambda: has_committed(world, "product.usage", 4), "committed after the thaw", 60.0)
        assert not at_work.task.done()
    assert len(await deployment.rows("SELECT 1 FROM aside")) == 2


async def has_troubles(worker: Any) -> bool:
    return bool(worker._troubles)


@pytest.mark.parametrize("server", ["Postgres", "Kafka"])
async def test_a_worker_stops_when_asked_though_a_server_is_frozen(world: World, server: str) -> None:
    address = {"Postgres": world.dsn, "Kafka": world.bootstrap}[server]
    deployment = Deployment(world, "", "")
    async with running(world, "worker") as worker:
        await deployment.produce("product.usage", [event()])
        await until(lambda: has_committed(world, "product.usage", 1), "committed")
        if server == "Postgres":
            with frozen(port_of(address)):
                await deployment.produce("product.usage", [event(time=None)])
                await stops(worker)
        else:
            with frozen(port_of(address)):
                await stops(worker)


async def stops(worker: Any) -> None:
    began = time.monotonic()
    worker.terminate()
    await asyncio.to_thread(worker.wait, 60.0)
    print(f"stopped after {time.monotonic() - began:.1f} s")
    assert time.monotonic() - began < STOP_SECONDS_MAX + 3.0
