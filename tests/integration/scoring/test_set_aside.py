"""What scoring cannot settle is kept, listed, sent again after the mend, and then counts once."""

import asyncio
import sys

from aiokafka import AIOKafkaProducer

from shared.contracts.envelope import encode
from shared.contracts.topics import partition_of
from tests.integration.scoring.deployed import NOW, archived, event, send
from tests.pair import ROOT, World
from tests.processes import running, until


async def bellwether(world: World, *arguments: str) -> str:
    """What the command prints. It must succeed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", "from services.cli.main import main; main()", *arguments,
        cwd=ROOT, env=world.env(COLUMNS="200"), stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode == 0
    return output.decode()


async def test_a_record_of_an_unknown_type_waits_for_a_release_that_knows_it(world: World) -> None:
    unknown = event("acme", 1, NOW)
    body = encode(unknown).replace(unknown.type.encode(), b"usage.of_tomorrow")
    scoring = await world.connect("scoring")
    writer = AIOKafkaProducer(bootstrap_servers=world.bootstrap, acks="all")
    await writer.start()
    async with running(world, "scoring"):
        await send(world, [event("acme", 0, NOW)])

        async def applied(count: int) -> bool:
            return await archived(scoring) == count

        await until(lambda: applied(1), "the event before it")
        partition = partition_of("acme", world.partitions)
        await writer.send_and_wait(world.topic("health.events"), body, b"acme", partition)
        await send(world, [event("acme", 2, NOW)])
        await until(lambda: applied(2), "the event behind it")
        listed = await bellwether(world, "aside", "list", "scoring")
        assert f"{world.topic('health.events')}/{partition}@1" in listed
        assert "type 'usage.of_tomorrow' is not known" in listed
        # The mend: a release that knows the type. Here the kept bytes become ones that this release knows.
        await scoring.execute("UPDATE set_aside SET value = $1", encode(unknown))
        assert await bellwether(world, "aside", "retry", "scoring") == "1 records sent again to scoring\n"
        await until(lambda: applied(3), "the event that had waited")
        assert await bellwether(world, "aside", "retry", "scoring") == "0 records sent again to scoring\n"
        assert "usage.of_tomorrow" not in await bellwether(world, "aside", "list", "scoring")
        assert await scoring.fetchval("SELECT max(seen) FROM usage_event") == 1
    await writer.stop()
    await scoring.close()
