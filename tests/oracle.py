"""What must be known of every account: the pure fold over what was sent, which knows no store, no loop, no order."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

import asyncpg

from services.scoring import catalogue_files
from services.scoring.domain.catalogue import parse
from services.scoring.domain.fold import fold
from services.scoring.domain.record import State, decode, decode_record, encode, merge
from services.scoring.domain.snapshot import Case, build
from shared.contracts.catalogue import TYPES
from shared.contracts.envelope import HealthEvent
from shared.contracts.envelope import decode as decode_event
from shared.contracts.health import decode_snapshot
from tests.processes import until
from tests.reading import everything

AT_REST_SECONDS_MAX = 120.0


async def archived_ids(scoring: asyncpg.Connection) -> Counter[str]:
    """id -> how often it was seen."""
    rows = await scoring.fetch("SELECT body, seen FROM usage_event UNION ALL SELECT body, seen FROM event")
    return Counter({decode_event(row["body"]).id: row["seen"] for row in rows})


async def in_the_log(bootstrap: str, topic: str = "health.events") -> Counter[str]:
    """id -> how many records of the topic carry it."""
    return Counter([decode_event(record.value).id async for record in everything(bootstrap, topic)])


async def state_of(scoring: asyncpg.Connection, account: str) -> State:
    """What is stored of an account, settled and fresh together."""
    rows = await scoring.fetch("SELECT kind, key, body FROM state WHERE account = $1", account)
    settled = State({(row["kind"], row["key"]): decode_record(row["body"]) for row in rows})
    fresh = await scoring.fetchval("SELECT body FROM fresh WHERE account = $1", account)
    return merge(settled, decode(fresh) if fresh else State())


async def everybody_is_said_again(scoring: asyncpg.Connection) -> None:
    """Move the clock by more than a day, so that the last snapshot of each account is of all there is."""
    await scoring.execute("UPDATE clock SET offset_by = offset_by + interval '25 hours'")

    async def all_said_again() -> bool:
        waiting = await scoring.fetchval(
            "SELECT count(*) FROM published, clock "
            "WHERE as_of < clock_timestamp() + clock.offset_by - interval '1 hour'"
        )
        return bool(waiting == 0)

    await until(all_said_again, "the daily snapshot of every account", AT_REST_SECONDS_MAX)


async def agree_with_the_oracle(scoring: asyncpg.Connection, events: Iterable[HealthEvent]) -> None:
    """State byte by byte, freshness, signals and score of every account of `events`, and of no other."""
    definitions = parse(catalogue_files.load())
    by_account: dict[str, list[HealthEvent]] = defaultdict(list)
    freshness: dict[str, datetime] = {}
    for event in events:
        by_account[event.account].append(event)
        stream = TYPES[event.type].stream.name
        freshness[stream] = max(event.time, freshness.get(stream, event.time))
    await everybody_is_said_again(scoring)
    rows = await scoring.fetch("SELECT account, snapshot FROM published")
    assert {row["account"] for row in rows} == by_account.keys()
    for row in rows:
        account, said = row["account"], decode_snapshot(row["snapshot"])
        oracle = fold(definitions, by_account[account])
        assert encode(await state_of(scoring, account)) == encode(oracle), account
        assert said.freshness == freshness, account
        case = Case(account=account, partition=0, next_offset=0, state=oracle, freshness=freshness)
        expected = build(definitions, [case], said.as_of)[0]
        assert (said.score, said.signals) == (expected.score, expected.signals), account
