"""What repeats is archived as seen again, and moves no sum."""

from datetime import timedelta

from services.scoring.domain.record import State
from services.scoring.store import load
from shared.contracts.topics import partition_of
from tests.integration.scoring.deployed import NOW, archived, event, send
from tests.pair import World
from tests.processes import running, until


async def test_an_account_told_everything_twice_is_known_as_if_it_was_told_once(world: World) -> None:
    connection = await world.connect("scoring")

    async def seen(times: int) -> bool:
        return bool(await connection.fetchval("SELECT sum(seen) FROM usage_event") == times)

    once, twice = ([event(account, n, NOW - timedelta(minutes=n)) for n in range(5)] for account in ("once", "twice"))
    try:
        async with running(world, "scoring"):
            await send(world, [*once, *twice])
            await until(lambda: seen(10), "everything told once")
            await send(world, twice)
            await until(lambda: seen(15), "one account told twice")
        assert await archived(connection) == 10
        partitions = {account: partition_of(account, world.partitions) for account in ("once", "twice")}
        known = await load(connection, partitions, 0)
        assert known["twice"].state == known["once"].state != State()
    finally:
        await connection.close()
