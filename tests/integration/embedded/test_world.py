"""The fixture that gives each test a deployment of its own."""

from aiokafka import AIOKafkaConsumer

from shared.contracts.topics import TOPICS
from tests.pair import PARTITIONS, World


async def test_a_world_has_every_topic_and_every_schema_under_its_prefix(world: World) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=world.bootstrap)
    await consumer.start()
    try:
        names = {name for name in await consumer.topics() if name.startswith(world.prefix)}
        counts = {len(consumer.partitions_for_topic(name) or ()) for name in names}
    finally:
        await consumer.stop()
    assert names == {world.topic(topic.name) for topic in TOPICS}
    assert counts == {PARTITIONS}

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
