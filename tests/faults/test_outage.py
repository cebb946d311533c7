"""A server that is away for a minute while events keep coming: who says so, what waits, what comes back by itself."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from services.cli.embedded import kafka, postgres
from services.cli.embedded.box import LOOPBACK
from shared.http.auth import create_key
from tests.e2e.traffic import Mix, Sent, Traffic, traffic
from tests.faults.fleet import MEBIBYTE, Fleet, fleet_of
from tests.faults.load import Load, sending
from tests.faults.own_pair import OwnPair, own_pair
from tests.faults.tally import connected, counted_once, settle, show

MIX = Mix(repeats=0.05, broken=0.01, parked=0.005, late=0.05, accounts=100)
PER_SECOND = 60  # events, before and during the outage
FAST_PER_SECOND = 2_000  # what is left after it
AROUND_SECONDS = 20  # how much longer than the outage the traffic lasts
POST_EVENTS = 10  # of one request
TRIES_MAX = 100
OVER_HTTP = 5  # every so many-th good event comes over HTTP
PARTITIONS = 4
SAID_SECONDS_MAX = 20.0  # a probe may take 2 s, and its process may be at work
ANSWER_SECONDS_MAX = 15.0  # ingest waits for the broker for 10
BACK_SECONDS_MAX = 60.0  # from the server's first answer until everything that waited has its place
RESIDENT_BYTES_MAX = 512 * MEBIBYTE
READS = ("/v1/accounts", "/v1/accounts/acct-1/health", "/v1/outreach", "/v1/aside")
# Ingest's worker takes what needs no alias without Postgres, so that it stays ready.
SAY_SO = {postgres.NAME: ("scoring", "alerts", "api"), kafka.NAME: ("ingest", "scoring", "alerts", "api")}


@dataclass
class Poster:
    """A backend that posts, and posts the same again where it is asked to."""

    client: httpx.AsyncClient
    batches: Sequence[Sequence[Sent]]
    pause_seconds: float = POST_EVENTS * (OVER_HTTP - 1) / PER_SECOND
    told_to_wait: Counter[str] = field(default_factory=Counter)

    async def post_all(self) -> None:
        for batch in self.batches:
            await self._deliver(batch)
            await asyncio.sleep(self.pause_seconds)

    async def _deliver(self, batch: Sequence[Sent]) -> None:
        for _ in range(TRIES_MAX):
            pause = await self._post(batch)
            if pause is None:
                return
            await asyncio.sleep(pause)
        raise AssertionError(f"not taken in {TRIES_MAX} posts: {self.told_to_wait}")

    async def _post(self, batch: Sequence[Sent]) -> float | None:
        """None once all are accepted, else in how many seconds to try again."""
        body = b"[" + b",".join(one.body for one in batch) + b"]"
        answer = await self.client.post("/v1/events", content=body, headers={"Content-Type": "application/json"})
        if answer.status_code == httpx.codes.ACCEPTED:
            return None
        return self._pause(answer)

    def _pause(self, answer: httpx.Response) -> float:
        assert answer.status_code == httpx.codes.SERVICE_UNAVAILABLE, answer.text
        self.told_to_wait[answer.json()["reason"]] += 1
        return float(answer.headers["retry-after"])


@dataclass
class Deployed:
    servers: OwnPair
    fleet: Fleet
    client: httpx.AsyncClient

    async def answers(self) -> dict[str, httpx.Response]:
        """What readers are told; each within ANSWER_SECONDS_MAX."""
        found = await asyncio.gather(*map(self.client.get, READS))
        return dict(zip(READS, found, strict=True))

    async def says(self, server: str) -> bool:
        """Every process that needs the server answers 503 and names it."""
        said = await self.fleet.readiness()
        return all(
            status == httpx.codes.SERVICE_UNAVAILABLE and any(server in check for check in missing)
            for name, (status, missing) in said.items()
            if name.split("-")[0] in SAY_SO[server]
        )

    async def is_back(self) -> bool:
        ready = all(status == httpx.codes.OK for status, _ in (await self.fleet.readiness()).values())
        return ready and all(answer.is_success for answer in (await self.answers()).values())


@asynccontextmanager
async def deployed(folder: Path) -> AsyncIterator[Deployed]:
    """One worker of ingest and alerts, two of scoring, one API process; all ready."""
    async with own_pair(folder / "data", PARTITIONS) as servers, fleet_of(servers.world, folder) as fleet:
        async with connected(servers.world, "ingest") as ingest:
            key = await create_key(ingest, "backend")
        for service, count in (("ingest", 1), ("scoring", 2), ("alerts", 1)):
            await fleet.workers(service, count)
        await fleet.add("api", "services.cli.origin", "--port", "{port}", clean_exit=-signal.SIGTERM)
        await fleet.all_ready()
        url = f"http://{LOOPBACK}:{fleet.members['api'].port}"
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=ANSWER_SECONDS_MAX) as client:
            yield Deployed(servers, fleet, client)
            await fleet.stop()


def shared_out(sent: Traffic) -> tuple[list[Sent], list[list[Sent]]]:
    """What comes over Kafka, and what over HTTP: only what is good, since refusals are answered and not kept."""
    good = [number for number, one in enumerate(sent.sends) if one.event is not None]
    posted = set(good[::OVER_HTTP])
    over_http = [sent.sends[number] for number in sorted(posted)]
    over_kafka = [one for number, one in enumerate(sent.sends) if number not in posted]
    return over_kafka, [over_http[at : at + POST_EVENTS] for at in range(0, len(over_http), POST_EVENTS)]


async def away(deployed: Deployed, server: str, seconds: float, load: Load) -> tuple[Counter[str], int]:
    """The server is down for so long, and the load goes on. What readers were told, how much was sent meanwhile."""
    told: Counter[str] = Counter()
    sent_before = load.sent
    async with deployed.servers.down(server):
        until = time.monotonic() + seconds
        await deployed.fleet.until(lambda: deployed.says(server), f"all say that {server} is away", SAID_SECONDS_MAX)
        while time.monotonic() < until:
            deployed.fleet.check()
            assert await deployed.says(server)
            for path, answer in (await deployed.answers()).items():
                told[f"{answer.status_code} {path}"] += 1
                assert answer.is_success or float(answer.headers["retry-after"]) > 0, answer.text
            await asyncio.sleep(1)
        sent = load.sent - sent_before
    return told, sent


async def endure(folder: Path, seed: int, server: str, seconds: float) -> Counter[str]:
    """An outage with all its checks; what readers were told meanwhile."""
    now = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1)
    sent = traffic(seed, int(PER_SECOND * (seconds + AROUND_SECONDS)), now, MIX)
    over_kafka, over_http = shared_out(sent)
    async with deployed(folder) as there:
        poster = Poster(there.client, over_http)
        async with sending(there.servers.world, over_kafka, PER_SECOND) as load:
            load.allowed = len(over_kafka)
            posting = asyncio.create_task(poster.post_all())
            await there.fleet.until(there.is_back, "readers are answered before the outage")
            told, sent_meanwhile = await away(there, server, seconds, load)
            back_at = time.monotonic()
            await there.fleet.until(there.is_back, "ready, and readers are answered", BACK_SECONDS_MAX)
            ready_seconds = time.monotonic() - back_at
            load.per_second, poster.pause_seconds = FAST_PER_SECOND, 0
            await posting
        await settle(there.fleet, sent)
        settled_seconds = time.monotonic() - back_at
        found = await counted_once(there.servers.world, sent)
        resident = {member.name: member.resident_bytes_max for member in there.fleet.members.values()}
        show(
            {
                f"{server} away, s": f"{seconds:.0f}; every process lived through it",
                "sent meanwhile over Kafka": sent_meanwhile,
                "posts told to wait": dict(poster.told_to_wait),
                "readers were told": dict(told),
                "ready again after, s": f"{ready_seconds:.1f}",
                "all in its place after, s": f"{settled_seconds:.1f}",
                "in all": found,
                "resident, MiB at most": {name: size // MEBIBYTE for name, size in resident.items()},
            }
        )
        assert poster.told_to_wait
        assert settled_seconds < BACK_SECONDS_MAX
        assert max(resident.values()) < RESIDENT_BYTES_MAX
    return told


@pytest.mark.timeout(400)
async def test_a_minute_without_postgres_loses_nothing_and_ends_no_process(tmp_path: Path, seed: int) -> None:
    told = await endure(tmp_path, seed, postgres.NAME, 60)
    assert {answer.split()[0] for answer in told} == {"503"}


@pytest.mark.timeout(400)
async def test_forty_seconds_without_kafka_lose_nothing_and_keep_readers_answered(tmp_path: Path, seed: int) -> None:
    told = await endure(tmp_path, seed, kafka.NAME, 40)
    assert {answer.split()[0] for answer in told} == {"200"}
