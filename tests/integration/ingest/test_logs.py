"""Raw topics that are not what they were: made anew, cut short, gone; and a group that Kafka has forgotten."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from services.ingest.metrics import LOGS_ANEW
from shared.kafka.claim import LogChanged
from tests.integration.ingest.composed import Around, shared_of, working
from tests.integration.ingest.deployment import Deployment, event
from tests.integration.ingest.logs import (
    commit,
    committed,
    delete_topic,
    forget_group,
    has_committed,
    lose_records,
    make_anew,
    make_topic,
    raw_partitions,
)
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

TOPIC = "product.usage"
SECONDS_MAX = 30.0


def events(count: int) -> list[dict[str, Any]]:
    return [event() for _ in range(count)]


def ids(some: list[dict[str, Any]]) -> list[str]:
    return [one["id"] for one in some]


async def has_taken_over(world: World) -> bool:
    return len(await committed(world)) == len(raw_partitions(world))


async def read_by_a_worker(deployment: Deployment, count: int) -> None:
    """`count` events, which lie in one partition, read and committed."""
    world = deployment.world
    async with working(shared_of(world), partitions=world.partitions):
        sent = events(count)
        await deployment.produce(TOPIC, sent)
        await deployment.until_forwarded(ids(sent))
        await until(lambda: has_committed(world, TOPIC, count), f"{count} committed")


@pytest.mark.parametrize("count", [1, 3, 7], ids=["fewer", "as many", "more"])
async def test_a_topic_made_anew_while_stopped_is_read_from_its_start(world: World, count: int) -> None:
    deployment = Deployment(world, "", "")
    await read_by_a_worker(deployment, 3)
    await make_anew(world, TOPIC)
    sent = events(count)
    await deployment.produce(TOPIC, sent)
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.until_forwarded(ids(sent))
        await until(lambda: has_committed(world, TOPIC, count), "the new log's offsets committed")


@pytest.mark.parametrize("count", [1, 3, 7], ids=["fewer", "as many", "more"])
async def test_a_topic_made_anew_while_running_is_read_from_its_start(world: World, count: int) -> None:
    deployment = Deployment(world, "", "")
    async with working(shared_of(world), partitions=world.partitions) as at_work:
        first, second = events(3), events(count)
        await deployment.produce(TOPIC, first)
        await deployment.until_forwarded(ids(first))
        await make_anew(world, TOPIC)
        await deployment.produce(TOPIC, second)
        await deployment.until_forwarded(ids(second))
        await until(lambda: has_committed(world, TOPIC, count), "the new log's offsets committed")
        assert not at_work.task.done()


async def test_a_topic_made_anew_with_fewer_partitions_is_read_from_its_start(world: World) -> None:
    deployment = Deployment(world, "", "")
    async with working(shared_of(world), partitions=world.partitions):
        first, second = events(3), events(3)
        await deployment.produce(TOPIC, first)
        await deployment.until_forwarded(ids(first))
        await make_anew(world, TOPIC, partitions=1)
        await deployment.produce(TOPIC, second)
        await deployment.until_forwarded(ids(second))


async def test_offsets_that_outlived_their_log_are_not_believed(world: World) -> None:
    """As after a late commit: Kafka has forgotten the topic's offsets, and then they are written once more."""
    deployment = Deployment(world, "", "")
    await read_by_a_worker(deployment, 3)
    old = {tp: at for tp, at in (await committed(world)).items() if tp.topic == world.topic(TOPIC)}
    await make_anew(world, TOPIC)
    sent = events(7)
    await deployment.produce(TOPIC, sent)
    await commit(world, old)
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.until_forwarded(ids(sent))
        await until(lambda: has_committed(world, TOPIC, 7), "the new log's offsets committed")
    assert LOGS_ANEW.labels(world.topic(TOPIC))._value.get() == world.partitions


async def test_a_topic_that_is_gone_stops_no_other_and_is_read_when_it_is_back(world: World) -> None:
    deployment = Deployment(world, "", "")
    async with working(shared_of(world), partitions=world.partitions):
        first = event()
        await deployment.produce(TOPIC, [first])
        await deployment.until_forwarded([first["id"]])
        await delete_topic(world, TOPIC)
        other = event(type="ticket.opened", data={"ticket": "t1"})
        await deployment.produce("support.tickets", [other])
        await deployment.until_forwarded([other["id"]])
        await make_topic(world, TOPIC, world.partitions)
        back = events(5)
        await deployment.produce(TOPIC, back)
        await deployment.until_forwarded(ids(back))


async def test_records_that_are_gone_stop_the_worker_by_name(world: World) -> None:
    deployment = Deployment(world, "", "")
    await read_by_a_worker(deployment, 2)
    (*_, last) = await deployment.produce(TOPIC, events(5))
    partition = int(last.split("/")[1])
    await lose_records(world, TOPIC, partition, before=4)
    name = world.topic(TOPIC)
    wanted = rf"{name}/{partition}: wants offset 2, the log begins at 4: 2 records are gone.*accept-gap ingest {name}"
    async with working(shared_of(world), partitions=world.partitions) as at_work:
        with pytest.raises(LogChanged, match=wanted):
            await asyncio.wait_for(at_work.task, SECONDS_MAX)


async def test_records_that_are_gone_before_a_slow_worker_reads_them_stop_it_by_name(world: World) -> None:
    """The first is in its hands already: more than one does not fit into one fetch."""
    deployment = Deployment(world, "", "")
    gate = asyncio.Event()

    class Gated(Around):
        async def getmany(self, **how: Any) -> Any:
            polled = await self.within.getmany(**how)
            if polled:
                await gate.wait()
            return polled

    async with working(shared_of(world), partitions=world.partitions, around_consumer=Gated, records_max=1) as at_work:
        await until(lambda: has_taken_over(world), "the worker's partitions taken over")
        large = [event(data={"feature": "x", "note": "x" * 200_000}) for _ in range(8)]
        partition = int((await deployment.produce(TOPIC, large))[0].split("/")[1])
        await lose_records(world, TOPIC, partition, before=6)
        gate.set()
        with pytest.raises(LogChanged, match=r"the log begins at 6: \d records are gone.*accept-gap ingest"):
            await asyncio.wait_for(at_work.task, SECONDS_MAX)


async def test_a_group_that_kafka_has_forgotten_is_read_again_and_each_event_has_one_identity(world: World) -> None:
    deployment = Deployment(world, "", "")
    sent, bad = events(5), [event(time=None) for _ in range(2)]
    async with working(shared_of(world), partitions=world.partitions):
        await deployment.produce(TOPIC, [*sent, *bad])
        await deployment.until_forwarded(ids(sent))
        await until(lambda: has_committed(world, TOPIC, 7), "all committed")
    await forget_group(world)
    async with working(shared_of(world), partitions=world.partitions):
        await until(lambda: has_committed(world, TOPIC, 7), "all committed again")
    found = await deployment.forwarded(ids(sent))
    assert Counter(map(len, found.values())) == {2: 5}
    assert {(e.source, e.id, e.time.date()) for copies in found.values() for e in copies} == {
        (one["source"], one["id"], found[one["id"]][0].time.date()) for one in sent
    }
    assert len(await deployment.rows("SELECT 1 FROM aside")) == 2
