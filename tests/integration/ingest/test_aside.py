"""What was set aside: listed, looked at, tried again, once."""

import asyncio
from base64 import b64decode
from typing import Any

import httpx
import msgspec

from tests.integration.ingest.deployment import Deployment, event, link
from tests.processes import until


async def _set_aside(deployment: Deployment, value: Any) -> int:
    (at,) = await deployment.produce("product.usage", [value])
    row_id: int = (await deployment.aside_at([at]))[at]["id"]
    return row_id


async def _mended(deployment: Deployment, row_id: int) -> dict[str, Any]:
    """Put bytes in the row that pass now, as an update of Bellwether would make the same bytes pass."""
    good = event()
    await deployment.rows("UPDATE aside SET payload = $2 WHERE id = $1", row_id, msgspec.json.encode(good))
    return good


async def test_a_row_says_what_was_wrong_where_and_what_to_do(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    bad = event(data={"feature": "x", "quantity": "three"})
    row_id = await _set_aside(deployment, bad)
    row = (await client.get(f"/v1/aside/{row_id}")).json()
    assert (row["reason"], row["pointer"], row["value"], row["expected"], row["remedy"]) == (
        "wrong_type",
        "/data/quantity",
        "three",
        "a whole number, 0 to 1,000,000,000",
        "Send what `expected` says.",
    )
    assert (row["event_id"], row["source"], row["state"]) == (bad["id"], bad["source"], "open")
    assert (row["origin"]["topic"], row["actor"], row["payload"]) == ("product.usage", "topic:product.usage", None)


async def test_original_bytes_are_shown_on_request_and_the_look_is_kept(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    text, binary = b'{"id": ', b"\x80\x81"
    ids = [await _set_aside(deployment, text), await _set_aside(deployment, binary)]
    first, second = [(await client.get(f"/v1/aside/{row_id}?payload=true")).json()["payload"] for row_id in ids]
    assert first == {"encoding": "text", "body": '{"id": '}
    assert (second["encoding"], b64decode(second["body"])) == ("base64", binary)
    looks = await deployment.rows("SELECT actor, about FROM audit WHERE what = 'aside.payload_read'")
    assert ("key:backend", f'{{"ids": [{ids[1]}]}}') in [tuple(row) for row in looks]


async def test_the_list_pages_newest_first_and_filters(deployment: Deployment, client: httpx.AsyncClient) -> None:
    source = "//paging.example"
    ids = [await _set_aside(deployment, event(source=source, time=None)) for _ in range(3)]
    ids.append(await _set_aside(deployment, event(source=source, subject="@x")))
    wanted = {"source": source, "reason": "time_missing", "limit": "2"}
    page = (await client.get("/v1/aside", params=wanted)).json()
    assert [row["id"] for row in page["items"]] == [ids[2], ids[1]]
    rest = (await client.get("/v1/aside", params=wanted | {"cursor": page["next"]})).json()
    assert ([row["id"] for row in rest["items"]], rest["next"]) == ([ids[0]], None)
    none = (await client.get("/v1/aside", params={"source": source, "state": "replayed"})).json()
    assert none["items"] == []


async def test_wrong_filters_and_unknown_ids_are_named(client: httpx.AsyncClient) -> None:
    for path, status, reason in (
        ("/v1/aside?reason=bad_luck", 422, "value_invalid"),
        ("/v1/aside?cursor=%25", 422, "cursor_invalid"),
        ("/v1/aside/999999999", 404, "aside_unknown"),
        ("/v1/aside/first", 404, "aside_unknown"),
    ):
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)


async def test_a_replay_accepts_what_passes_now_and_names_what_does_not(
    deployment: Deployment, client: httpx.AsyncClient
) -> None:
    passes, fails = await _set_aside(deployment, event(time=None)), await _set_aside(deployment, event(subject="@x"))
    good = await _mended(deployment, passes)
    answer = (await client.post("/v1/aside/replay", json={"ids": [passes, fails, 999_999_999]})).json()
    assert (answer["accepted"], answer["refused"]) == (1, 1)
    assert answer["results"][0] == {"id": passes, "status": "accepted", "account": "acme"}
    assert (answer["results"][1]["status"], answer["results"][1]["reason"]) == ("refused", "reserved_account")
    assert answer["results"][2] == {"id": 999_999_999, "status": "not_found"}
    assert len((await deployment.forwarded([good["id"]]))[good["id"]]) == 1
    row = (await client.get(f"/v1/aside/{passes}")).json()
    assert (row["state"], row["settled_by"]) == ("replayed", "key:backend")


async def test_of_many_replays_at_once_only_one_forwards(deployment: Deployment, client: httpx.AsyncClient) -> None:
    row_id = await _set_aside(deployment, event(time=None))
    good = await _mended(deployment, row_id)
    answers = await asyncio.gather(*(client.post("/v1/aside/replay", json={"ids": [row_id]}) for _ in range(5)))
    statuses = sorted(answer.json()["results"][0]["status"] for answer in answers)
    assert statuses == ["accepted", "settled", "settled", "settled", "settled"]
    assert len((await deployment.forwarded([good["id"]]))[good["id"]]) == 1


async def test_a_replay_by_reason_takes_the_open_ones(deployment: Deployment, client: httpx.AsyncClient) -> None:
    ids = [await _set_aside(deployment, event(specversion="0.3")) for _ in range(3)]
    mended = [await _mended(deployment, row_id) for row_id in ids[:2]]
    answer = (await client.post("/v1/aside/replay", json={"reason": "specversion_unsupported"})).json()
    found = {result["id"]: result["status"] for result in answer["results"]}
    assert found == {ids[0]: "accepted", ids[1]: "accepted", ids[2]: "refused"}
    assert answer["next"] is None
    await deployment.until_forwarded([good["id"] for good in mended])


async def test_a_tombstone_stays_a_tombstone(deployment: Deployment, client: httpx.AsyncClient) -> None:
    row_id = await _set_aside(deployment, None)
    answer = (await client.post("/v1/aside/replay", json={"ids": [row_id]})).json()
    assert answer["results"][0]["reason"] == "tombstone"


async def test_a_replayed_link_binds_its_alias(deployment: Deployment, client: httpx.AsyncClient, alias: str) -> None:
    row_id = await _set_aside(deployment, link(alias, "acme"))  # on the wrong topic
    await deployment.rows("UPDATE aside SET topic = 'relationship.events' WHERE id = $1", row_id)
    waiting = event(subject=alias)
    await client.post("/v1/events", json=waiting)
    await client.post("/v1/aside/replay", json={"ids": [row_id]})
    await until(lambda: _is_there(deployment, waiting["id"]), "what waited is released")


async def _is_there(deployment: Deployment, event_id: str) -> bool:
    return bool((await deployment.forwarded([event_id]))[event_id])


async def test_a_replay_that_asks_for_nothing_is_told_how(client: httpx.AsyncClient) -> None:
    bodies: list[Any] = [{}, {"ids": []}, {"ids": [0]}, {"reason": "bad_luck"}, {"ids": [1], "all": True}, [1]]
    for body in bodies:
        answer = await client.post("/v1/aside/replay", json=body)
        assert (answer.status_code, answer.json()["reason"]) == (422, "value_invalid")
