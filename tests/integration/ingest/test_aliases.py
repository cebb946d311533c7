"""What is unmatched waits for its alias and then counts at its own time."""

import asyncio
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx
import pytest

from services.ingest import store
from services.ingest.domain.identity import Alias
from services.ingest.domain.outcome import Link
from tests.integration.ingest.deployment import Deployment, event, link
from tests.processes import until


def _days_ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


async def _has_state(deployment: Deployment, event_id: str, state: str) -> bool:
    rows = await deployment.rows("SELECT state FROM aside WHERE event_id = $1", event_id)
    return [row["state"] for row in rows] == [state]


async def test_over_http_an_unmatched_event_is_parked_and_released_when_its_alias_is_bound(
    deployment: Deployment, client: httpx.AsyncClient, account: str, alias: str
) -> None:
    waiting = event(subject=alias, time=_days_ago(20))
    answer = await client.post("/v1/events", json=waiting)
    assert answer.status_code == 202
    assert answer.json()["results"] == [{"index": 0, "id": waiting["id"], "status": "parked", "alias": alias}]
    assert await deployment.forwarded([waiting["id"]]) == {waiting["id"]: []}

    bound = await client.post("/v1/events", json=link(alias, account))
    assert bound.status_code == 202
    (found,) = (await deployment.until_forwarded([waiting["id"]]))[waiting["id"]]
    assert (found.account, found.subject, found.time.isoformat()) == (account, alias, waiting["time"])
    await until(lambda: _has_state(deployment, waiting["id"], "released"), "the row says so")

    later = await client.post("/v1/events", json=event(subject=alias))
    assert later.json()["results"][0]["account"] == account


async def test_from_a_topic_an_unmatched_record_is_parked_and_released_too(
    deployment: Deployment, account: str, alias: str
) -> None:
    waiting = event(subject=alias)
    (at,) = await deployment.produce("product.usage", [waiting])
    row = (await deployment.aside_at([at]))[at]
    assert (row["reason"], f"{row['alias_source']}:{row['alias_id']}") == ("unknown_alias", alias)
    await deployment.produce("relationship.events", [link(alias, account)])
    (found, *_) = (await deployment.until_forwarded([waiting["id"]]))[waiting["id"]]
    assert (found.account, found.actor) == (account, "topic:product.usage")


async def test_an_alias_bound_in_the_same_batch_needs_no_parking(
    deployment: Deployment, client: httpx.AsyncClient, account: str, alias: str
) -> None:
    answer = await client.post("/v1/events", json=[event(subject=alias), link(alias, account)])
    assert [result["account"] for result in answer.json()["results"]] == [account, account]


async def test_sending_a_parked_event_again_parks_it_once(
    deployment: Deployment, client: httpx.AsyncClient, alias: str
) -> None:
    waiting = event(subject=alias)
    for _ in range(2):
        assert (await client.post("/v1/events", json=waiting)).json()["parked"] == 1
    assert len(await deployment.rows("SELECT 1 FROM aside WHERE event_id = $1", waiting["id"])) == 1


@pytest.mark.parametrize("order", [[0, 1], [1, 0]])
async def test_of_two_links_the_later_one_counts_in_any_order(
    client: httpx.AsyncClient, account: str, alias: str, order: list[int]
) -> None:
    links = [link(alias, f"{account}-old", time=_days_ago(3)), link(alias, account, time=_days_ago(2))]
    for number in order:
        await client.post("/v1/events", json=links[number])
    answer = await client.post("/v1/events", json=event(subject=alias))
    assert answer.json()["results"][0]["account"] == account


async def test_a_link_whose_subject_is_another_account_is_refused(
    client: httpx.AsyncClient, account: str, alias: str
) -> None:
    answer = await client.post("/v1/events", json=link(alias, account) | {"subject": "somebody-else"})
    (result,) = answer.json()["results"]
    assert (result["reason"], result["pointer"]) == ("account_invalid", "/subject")


async def test_nothing_is_parked_behind_the_back_of_a_bind(deployment: Deployment, alias: str) -> None:
    """While one transaction binds, another that wants to park waits, and then finds the alias bound."""
    name = Alias(*alias.split(":"))
    binding: asyncpg.Connection = await deployment.world.connect("ingest")
    parking: asyncpg.Connection = await deployment.world.connect("ingest")
    try:
        bind = binding.transaction()
        await bind.start()
        await store.lock_aliases(binding, [name])
        async with parking.transaction():
            waits = asyncio.create_task(store.lock_aliases(parking, [name]))
            await until(lambda: _is_waiting(deployment), "the second waits for the lock")
            assert not waits.done()
            linked_at = datetime.now(UTC)
            await store.bind(binding, [Link(kind="account", alias=name, id="acme", linked_at=linked_at)])
            await bind.commit()
            await waits
            assert await store.accounts_of(parking, [name]) == {name: "acme"}
    finally:
        await binding.close()
        await parking.close()


async def _is_waiting(deployment: Deployment) -> bool:
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'advisory' AND query LIKE '%pg_advisory_xact_lock%'"
    return bool(await deployment.rows(query))


async def test_what_a_process_left_bound_but_parked_is_released_by_the_next_round(
    deployment: Deployment, client: httpx.AsyncClient, account: str, alias: str
) -> None:
    """As if the process that bound the alias had ended before it released what waited."""
    waiting = event(subject=alias)
    await client.post("/v1/events", json=waiting)
    source, external_id = alias.split(":")
    await deployment.rows("INSERT INTO alias VALUES ($1, 'account', $2, $3, now())", source, external_id, account)
    (found, *_) = (await deployment.until_forwarded([waiting["id"]]))[waiting["id"]]
    assert found.account == account
