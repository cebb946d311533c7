"""Traffic before, during and after a fault, and what must be true once it is over."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.e2e.traffic import Mix, Sent, Traffic, traffic
from tests.faults.agreement import changes_agree, have_read, outreach_agrees
from tests.faults.deployment import Deployment, deployed
from tests.oracle import agree_with_the_oracle, archived_ids, in_the_log
from tests.pair import World
from tests.processes import until

SENDS = 1_500
MIX = Mix(repeats=0.05, late=0.1, accounts=60)
BURST = 25
PACE_SECONDS = 0.2  # between bursts while the fault lasts, so that it meets many batches
PROGRESS_SECONDS_MAX = 60.0  # from healing until everything sent has a place, also on a busy machine

Fault = Callable[[Deployment], Awaitable[None]]


async def endured(
    world: World, seed: int, logs: Path, fault: Fault, seconds_max: float = PROGRESS_SECONDS_MAX
) -> list[tuple[str, int, str]]:
    """A third of the traffic before, one during, one after `fault`, which returns when it is healed.

    Everything sent has its place within `seconds_max` of that, and all that was said agrees with the oracle. The answer
    is how workers ended that nobody had asked to: (service, exit code, last line).
    """
    sent = traffic(seed, SENDS, datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=1), MIX)
    third = len(sent.sends) // 3 + 1
    async with deployed(world, seed, logs) as deployment:
        siege = Siege(deployment, sent)
        await siege.produce(sent.sends[:third])
        await until(siege.is_underway, "the first batches are settled")
        await asyncio.gather(siege.produce(sent.sends[third : 2 * third], PACE_SECONDS), fault(deployment))
        healed_at = asyncio.get_running_loop().time()
        await siege.produce(sent.sends[2 * third :])
        await until(siege.is_placed, "everything sent has a place", seconds_max)
        print(f"all in its place {asyncio.get_running_loop().time() - healed_at:.1f} s after healing")
        await siege.agree()
        return deployment.ends()


@dataclass
class Siege:
    deployment: Deployment
    sent: Traffic

    async def produce(self, sends: Sequence[Sent], pace_seconds: float = 0.0) -> None:
        """As a product backend does, with any key or none, straight to the broker, a burst every `pace_seconds`."""
        for number, one in enumerate(sends):
            key = str(number).encode() if number % 2 else None
            await self.deployment.producer.send(self.deployment.world.topic(one.topic), one.body, key=key)
            if number % BURST == BURST - 1:
                await asyncio.sleep(pace_seconds)
        await self.deployment.producer.flush()

    async def is_underway(self) -> bool:
        return bool(await self.deployment.sql["alerts"].fetchval("SELECT count(*) FROM view"))

    async def is_placed(self) -> bool:
        """Archived or aside, said to alerts, and read by them."""
        sql, sent = self.deployment.sql, self.sent
        kept = await sql["scoring"].fetchval("SELECT (SELECT count(*) FROM usage_event) + (SELECT count(*) FROM event)")
        aside = await sql["ingest"].fetchval("SELECT count(*) FROM aside")
        is_kept = kept >= len(sent.events) and aside >= len(sent.broken) + len(sent.parked)
        return bool(is_kept) and await self._have_read()

    async def agree(self) -> None:
        """Each event counted once, what is broken stands aside once, and what was said is what the oracle says."""
        world, sql, sent = self.deployment.world, self.deployment.sql, self.sent
        seen = await archived_ids(sql["scoring"])
        assert seen.keys() == sent.events.keys()
        assert seen == await in_the_log(world.bootstrap, world.topic("health.events"))
        aside = await sql["ingest"].fetch("SELECT payload, alias_id FROM aside")
        assert {row["payload"] for row in aside if row["alias_id"] is None} == sent.broken
        assert {row["payload"] for row in aside if row["alias_id"] is not None} == sent.parked
        assert len(aside) == len(sent.broken) + len(sent.parked)
        await agree_with_the_oracle(sql["scoring"], sent.events.values())
        await until(self._have_read, "alerts have read what was said last")
        await changes_agree(world, sql["scoring"])
        await outreach_agrees(world, sql["alerts"])

    async def _have_read(self) -> bool:
        return await have_read(self.deployment.world, self.deployment.sql, self.deployment.reader)
