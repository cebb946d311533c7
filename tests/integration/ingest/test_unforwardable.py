"""What can never be forwarded, and faults of ours: the one event is set aside by name, its neighbours go on."""

from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from services.ingest.domain.outcome import Valid
from shared.contracts.topics import partition_of
from tests.integration.ingest.composed import Around, shared_of, working
from tests.integration.ingest.deployment import Deployment, event, link, serving
from tests.integration.ingest.logs import admin_of, has_committed
from tests.pair import World
from tests.processes import until

pytestmark = pytest.mark.slow

MESSAGE_BYTES_MAX = 20_000  # below our own limit of an event, and below a batch of ours


def large(**changes: Any) -> dict[str, Any]:
    return event(data={"feature": "x", "note": "x" * 2 * MESSAGE_BYTES_MAX}, **changes)


async def allow_little(world: World) -> None:
    """What an operator does who thinks that events are small."""
    limit = {"max.message.bytes": str(MESSAGE_BYTES_MAX)}
    async with admin_of(world) as admin:
        topic = ConfigResource(ConfigResourceType.TOPIC, world.topic("health.events"), limit)
        (answer,) = await admin.alter_configs([topic])
        assert [code for code, *_ in answer.resources] == [0]


@pytest.mark.parametrize("neighbours", [5, 200], ids=["single sends", "whole batches"])
async def test_a_record_that_the_broker_refuses_is_set_aside_and_its_neighbours_go_on(
    world: World, neighbours: int
) -> None:
    deployment = Deployment(world, "", "")
    await allow_little(world)
    good, bad = [event(subject=f"a{n % 5}") for n in range(neighbours)], large(subject="a1")
    sent = [*good[: neighbours // 2], bad, *good[neighbours // 2 :]]
    async with working(shared_of(world), partitions=world.partitions):
        at = (await deployment.produce("product.usage", sent))[neighbours // 2]
        await until(lambda: has_committed(world, "product.usage", len(sent)), "all committed")
    assert all((await deployment.forwarded([one["id"] for one in good])).values())
    row = (await deployment.aside_at([at]))[at]
    assert (row["reason"], row["event_id"], row["state"]) == ("too_large", bad["id"], "open")
    assert "max.message.bytes" in row["expected"]


async def test_over_http_what_the_broker_refuses_is_refused_alone_and_waits_for_nobody(world: World) -> None:
    await allow_little(world)
    async with serving(world) as deployment, deployment.client() as client:
        answer = await client.post("/v1/events", json=[event(), large(), event()])
        assert answer.status_code == 207
        assert [result.get("reason") for result in answer.json()["results"]] == [None, "too_large", None]
        waiting, bad = event(subject="stripe:c1"), large(subject="stripe:c1")
        parked = await client.post("/v1/events", json=[bad, waiting])
        assert [result["status"] for result in parked.json()["results"]] == ["parked", "parked"]
        await client.post("/v1/events", json=link("stripe:c1", "acme"))
        await deployment.until_forwarded([waiting["id"]])
        (row,) = await deployment.rows("SELECT reason, state, id FROM aside WHERE event_id = $1", bad["id"])
        assert (row["reason"], row["state"]) == ("too_large", "open")
        again = await client.post("/v1/aside/replay", json={"ids": [row["id"]]})
        assert again.json()["results"][0]["reason"] == "too_large"


async def test_an_event_that_meets_a_fault_of_ours_is_found_by_halving_and_set_aside_alone(world: World) -> None:
    deployment = Deployment(world, "", "")
    good, poison = [event() for _ in range(63)], event()
    sizes: list[int] = []

    class Faulty(Around):
        async def take(self, items: Any, now: Any) -> Any:
            sizes.append(len(items))
            if any(isinstance(item.judged, Valid) and item.judged.id == poison["id"] for item in items):
                raise KeyError("a bug")
            return await self.within.take(items, now)

    coordinates = await deployment.produce("product.usage", [*good[:40], poison, *good[40:]])
    async with working(shared_of(world), partitions=world.partitions, around_intake=Faulty):
        await until(lambda: has_committed(world, "product.usage", 64), "all committed")
    assert all((await deployment.forwarded([one["id"] for one in good])).values())
    row = (await deployment.aside_at([coordinates[40]]))[coordinates[40]]
    assert (row["reason"], row["expected"]) == ("unexpected", "no KeyError of ours")
    assert len(await deployment.rows("SELECT 1 FROM aside")) == 1
    assert len(sizes) <= 15  # twice the six halvings, the whole, the one as a refusal, and one more poll


async def test_a_producer_that_the_broker_no_longer_believes_is_made_anew(world: World) -> None:
    """Its sequence numbers have a gap, as after a batch of which the broker never heard."""
    deployment = Deployment(world, "", "")
    first, second = event(), event()
    async with working(shared_of(world), partitions=world.partitions) as at_work:
        await deployment.produce("product.usage", [first])
        await deployment.until_forwarded([first["id"]])
        broken = at_work.forwarder._producer
        target = TopicPartition(world.topic("health.events"), partition_of("acme", world.partitions))
        broken._txn_manager.increment_sequence_number(target, 5)
        await deployment.produce("product.usage", [second])
        await deployment.until_forwarded([second["id"]])
        assert at_work.forwarder._producer is not broken
