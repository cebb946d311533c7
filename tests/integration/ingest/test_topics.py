"""Raw topics: everything gets its place, once, and nothing stops the worker."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from shared.contracts.topics import STREAMS, partition_of
from tests.integration.ingest.deployment import Deployment, event, running
from tests.pair import World
from tests.processes import until
from tests.reading import everything

_NAN = msgspec.json.encode(event()).replace(b'"quantity":1', b'"quantity":NaN')

BAD: dict[str, tuple[Any, str]] = {
    "broken JSON": (b'{"id": ', "broken_json"),
    "no JSON at all": (b"\x80\x00\xff", "broken_json"),
    "a batch": ([event()], "not_an_object"),
    "NaN": (_NAN, "not_finite"),
    "a megabyte of nesting": (b"[" * 900_000, "too_deep"),
    "oversized": (event(data={"feature": "x", "note": "x" * 500_000}), "too_large"),
    "tombstone": (None, "tombstone"),
    "wrong type": (event(data={"feature": "x", "quantity": "three"}), "wrong_type"),
    "unknown type": (event(type="usage.imagined"), "unknown_type"),
    "wrong topic": (event(type="ticket.opened", data={"ticket": "t1"}), "wrong_topic"),
    "no account": (event(subject=None), "account_missing"),
    "@ subject": (event(subject="@company"), "reserved_account"),
    "bad account id": (event(subject="acme/eu"), "account_invalid"),
    "no time": (event(time=None), "time_missing"),
    "time beyond the horizon": (
        event(time=(datetime.now(UTC) - timedelta(days=36)).isoformat()),
        "time_beyond_horizon",
    ),
    "time in the future": (event(time=(datetime.now(UTC) + timedelta(hours=1)).isoformat()), "time_in_future"),
    "a nul": (event(id="a\0b"), "nul_character"),
}


async def test_each_bad_record_is_set_aside_with_its_reason_and_the_good_ones_go_on(deployment: Deployment) -> None:
    good = [event() for _ in BAD]
    mixed = [value for pair in zip((bad for bad, _ in BAD.values()), good, strict=True) for value in pair]
    coordinates = await deployment.produce("product.usage", mixed)
    await deployment.until_forwarded([one["id"] for one in good])
    rows = await deployment.aside_at(coordinates[::2])
    found = {name: rows[at]["reason"] for name, at in zip(BAD, coordinates[::2], strict=True)}
    assert found == {name: reason for name, (_, reason) in BAD.items()}
    for (value, _), at in zip(BAD.values(), coordinates[::2], strict=True):
        sent = value if isinstance(value, bytes) else b"" if value is None else msgspec.json.encode(value)
        assert (rows[at]["payload"], rows[at]["topic"], rows[at]["state"]) == (sent, "product.usage", "open")


async def test_binary_mode_is_refused_by_name(deployment: Deployment) -> None:
    headers = [("ce_specversion", b"1.0"), ("ce_id", b"e1"), ("content-type", b"application/json")]
    (at,) = await deployment.produce("product.usage", [{"feature": "x"}], headers)
    assert (await deployment.aside_at([at]))[at]["reason"] == "binary_mode"


async def test_a_wrong_topic_says_which_one_is_right(deployment: Deployment) -> None:
    (at,) = await deployment.produce("billing.events", [event(type="ticket.opened", data={"ticket": "t1"})])
    row = (await deployment.aside_at([at]))[at]
    assert (row["pointer"], row["expected"]) == (
        "/type",
        "a type of billing.events; this one belongs to support.tickets",
    )


@pytest.mark.parametrize(
    ("topic", "changes"),
    [
        ("product.usage", {}),
        ("support.tickets", {"type": "ticket.opened", "data": {"ticket": "t1"}}),
        ("billing.events", {"type": "invoice.paid", "data": {"invoice": "i1"}}),
        ("relationship.events", {"type": "import.ended", "data": {"run": "im_1"}}),
    ],
)
async def test_each_stream_reaches_health_events_keyed_by_account(
    deployment: Deployment, account: str, topic: str, changes: dict[str, Any]
) -> None:
    sent = event(subject=account, **changes)
    await deployment.produce(topic, [sent])
    (found, *_) = (await deployment.until_forwarded([sent["id"]]))[sent["id"]]
    assert (found.account, found.actor, found.type, found.data) == (
        account,
        f"topic:{topic}",
        sent["type"],
        sent["data"],
    )
    records = [
        r
        async for r in everything(deployment.world.bootstrap, deployment.world.topic("health.events"))
        if r.key == account.encode()
    ]
    assert {record.partition for record in records} == {partition_of(account, deployment.world.partitions)}
    assert {dict(record.headers)["content-type"] for record in records} == {b"application/cloudevents+json"}


async def test_a_batch_read_again_sets_aside_once_and_forwards_again(world: World) -> None:
    deployment = Deployment(world, "", "")
    good, bad = event(), event(time=None)
    async with running(world, "worker"):
        (_, at) = await deployment.produce("product.usage", [good, bad])
        await deployment.until_forwarded([good["id"]])
        await until(lambda: _is_committed(world, 2), "both offsets committed")
    await _begin_again(world)
    async with running(world, "worker"):
        await until(lambda: _has_copies(deployment, good["id"], 2), "the good one forwarded again")
        await until(lambda: _is_committed(world, 2), "both offsets committed again")
    assert len(await deployment.rows("SELECT 1 FROM aside")) == len(await deployment.aside_at([at])) == 1


async def test_a_worker_killed_in_between_loses_nothing(world: World) -> None:
    deployment = Deployment(world, "", "")
    sent = [event(subject=f"a{n % 20}") for n in range(4_000)]
    bad = [event(subject="@x") for _ in range(100)]
    async with running(world, "worker") as worker:
        await deployment.produce("product.usage", [*sent[:3_000], *bad])
        await until(partial(_has_anything, world), "some of them forwarded")
        worker.kill()
    await deployment.produce("product.usage", sent[3_000:])
    async with running(world, "worker"):
        await deployment.until_forwarded([one["id"] for one in sent])
        await until(lambda: _has_aside(deployment, len(bad)), "all bad ones aside")
    ids = {row["event_id"] for row in await deployment.rows("SELECT event_id FROM aside")}
    assert ids == {one["id"] for one in bad}


async def _has_copies(deployment: Deployment, event_id: str, copies: int) -> bool:
    return len((await deployment.forwarded([event_id]))[event_id]) >= copies


async def _has_anything(world: World) -> bool:
    return any([True async for _ in everything(world.bootstrap, world.topic("health.events"))])


async def _has_aside(deployment: Deployment, rows: int) -> bool:
    return len(await deployment.rows("SELECT 1 FROM aside")) == rows


async def _is_committed(world: World, records: int) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.bootstrap)
    await admin.start()
    try:
        committed = await admin.list_consumer_group_offsets(f"{world.prefix}ingest")
    finally:
        await admin.close()
    return sum(int(at.offset) for at in committed.values()) == records


async def _begin_again(world: World) -> None:
    """Put the group back to the start of every topic, as a lost commit would."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=world.bootstrap, group_id=f"{world.prefix}ingest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        partitions = [TopicPartition(world.topic(s.name), p) for s in STREAMS for p in range(world.partitions)]
        consumer.assign(partitions)
        await asyncio.wait_for(consumer.commit(dict.fromkeys(partitions, 0)), 10)
    finally:
        await consumer.stop()
