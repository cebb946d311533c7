"""What `up` says about earlier runs: the positions in Postgres against the log in Kafka."""

from collections.abc import Mapping

from aiokafka import AIOKafkaProducer

from services.cli.embedded.kept import Kept, kept
from shared.contracts.topics import HEALTH_EVENTS
from shared.settings import Shared
from tests.pair import World


def settings_of(world: World) -> Shared:
    return Shared(kafka=world.bootstrap, postgres=world.dsn, prefix=world.prefix)


async def log_of(world: World, records: Mapping[int, int]) -> None:
    """So many records in each partition."""
    producer = AIOKafkaProducer(bootstrap_servers=world.bootstrap)
    await producer.start()
    try:
        for partition, count in records.items():
            for _ in range(count):
                await producer.send(world.topic(HEALTH_EVENTS.name), b"{}", partition=partition)
        await producer.flush()
    finally:
        await producer.stop()


async def positions_of(world: World, offsets: Mapping[int, int]) -> None:
    connection = await world.connect("scoring")
    try:
        await connection.executemany(
            "INSERT INTO position (log_id, topic, partition, next_offset, seq, partitions) "
            "VALUES ('x', $1, $2, $3, 0, 4)",
            [(world.topic(HEALTH_EVENTS.name), partition, offset) for partition, offset in offsets.items()],
        )
    finally:
        await connection.close()


async def test_before_anything_was_read_there_is_nothing_to_say(world: World) -> None:
    assert await kept(settings_of(world)) is None


async def test_what_the_log_holds_beyond_the_position_is_waiting(world: World) -> None:
    await log_of(world, {0: 5, 1: 3})
    await positions_of(world, {0: 2, 1: 3, 2: 0, 3: 0})
    assert await kept(settings_of(world)) == Kept(applied=5, waiting=3, lost=0)


async def test_a_log_that_ends_before_the_position_has_lost_events(world: World) -> None:
    await log_of(world, {0: 5})
    await positions_of(world, {0: 9, 1: 0, 2: 0, 3: 0})
    assert await kept(settings_of(world)) == Kept(applied=9, waiting=0, lost=4)
