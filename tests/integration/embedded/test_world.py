"""The fixture that gives each test a deployment of its own."""

from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.topics import TOPICS
from tests.pair import PARTITIONS, World


async def test_a_world_has_every_topic_and_every_schema_under_its_prefix(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        names = [name for name in await admin.list_topics() if name.startswith(world.prefix)]
        described = await admin.describe_topics(names)
    finally:
        await admin.close()
    counts = {topic["topic"]: len(topic["partitions"]) for topic in described}
    assert counts == {world.topic(topic.name): PARTITIONS for topic in TOPICS}

    connection = await world.connect("scoring")
    try:
        assert await connection.fetchval("select current_schema()") == f"{world.prefix}scoring"
    finally:
        await connection.close()


async def test_a_second_world_sees_nothing_of_the_first(world: World) -> None:
    connection = await world.connect("scoring")
    try:
        assert await connection.fetchval("select count(*) from position") == 0
    finally:
        await connection.close()
