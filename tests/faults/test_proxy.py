"""The faults are what they claim to be: seen by plain clients of the two servers."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from services.cli.embedded.box import LOOPBACK
from tests.faults.proxy import Proxy, proxy_to
from tests.faults.servers import port_of
from tests.pair import World
from tests.processes import until
from tests.reading import everything

SILENCE_SECONDS = 0.5


@pytest.fixture
async def postgres(world: World, seed: int) -> AsyncIterator[Proxy]:
    async with proxy_to(port_of(world.dsn), seed) as proxy:
        yield proxy


async def connect(world: World, proxy: Proxy) -> asyncpg.Connection:
    through = world.dsn.replace(f":{port_of(world.dsn)}/", f":{proxy.port}/")
    return await asyncpg.connect(through, server_settings={"search_path": world.search_path("scoring")}, timeout=5)


async def test_answers_are_as_late_as_they_should_be(world: World, postgres: Proxy) -> None:
    connection = await connect(world, postgres)
    postgres.delay_seconds = (0.2, 0.3)
    started = asyncio.get_running_loop().time()
    assert await connection.fetchval("SELECT 1") == 1
    assert asyncio.get_running_loop().time() - started >= 0.2
    await connection.close()


async def test_a_reset_is_seen_at_once_and_the_next_connection_works(world: World, postgres: Proxy) -> None:
    connection = await connect(world, postgres)
    asking = asyncio.create_task(connection.execute("SELECT pg_sleep(60)"))
    sql = await world.connect("scoring")
    await until(lambda: _sleeps(sql), "the statement has reached the server")
    postgres.reset()
    with pytest.raises((asyncpg.PostgresConnectionError, ConnectionResetError)):
        await asking
    again = await connect(world, postgres)
    assert await again.fetchval("SELECT 1") == 1
    await again.close()
    await sql.close()


async def _sleeps(sql: asyncpg.Connection) -> bool:
    return bool(await sql.fetchval("SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)'"))


async def test_a_silent_wire_keeps_its_connections_and_never_delivers_what_was_said(
    world: World, postgres: Proxy
) -> None:
    connection = await connect(world, postgres)
    postgres.silence()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.fetchval("SELECT 1"), SILENCE_SECONDS)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connect(world, postgres), SILENCE_SECONDS)
    assert not connection.is_closed()
    postgres.speak()
    again = await connect(world, postgres)
    assert await again.fetchval("SELECT 1") == 1
    await again.close()
    connection.terminate()


async def test_a_refusing_server_is_not_there_until_it_accepts_again(world: World, postgres: Proxy) -> None:
    await postgres.refuse()
    with pytest.raises(ConnectionRefusedError):
        await connect(world, postgres)
    await postgres.accept()
    await (await connect(world, postgres)).close()


async def test_a_cut_commit_has_happened_or_not_and_nobody_is_told_which(world: World, postgres: Proxy) -> None:
    sql = await world.connect("scoring")
    await sql.execute("CREATE TABLE tried (n integer)")
    postgres.commits_to_cut = 30
    unknown = [n for n in range(200) if postgres.commits_to_cut and not await is_told(world, postgres, n)]
    assert len(unknown) == 30
    happened = {row["n"] for row in await sql.fetch("SELECT n FROM tried")}
    assert 0 < len(happened.intersection(unknown)) < 30
    await sql.close()


async def is_told(world: World, postgres: Proxy, number: int) -> bool:
    connection = await connect(world, postgres)
    try:
        async with connection.transaction():
            await connection.execute("INSERT INTO tried VALUES ($1)", number)
    except (asyncpg.PostgresConnectionError, ConnectionResetError):
        return False
    finally:
        connection.terminate()
    return True


async def test_kafka_clients_stay_behind_the_proxy(world: World, seed: int) -> None:
    topic = world.topic("health.events")
    async with proxy_to(port_of(world.bootstrap), seed, is_kafka=True) as proxy:
        through = f"{LOOPBACK}:{proxy.port}"
        producer = AIOKafkaProducer(bootstrap_servers=through, enable_idempotence=True)
        await producer.start()
        await producer.send_and_wait(topic, b"through")
        assert {broker.port for broker in producer.client.cluster.brokers()} == {proxy.port}
        assert [record.value async for record in everything(through, topic)] == [b"through"]
        await producer.stop()
