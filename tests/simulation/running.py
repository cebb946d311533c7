"""One run: a plan happens, everything comes to rest, everything must be true."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from tests.simulation.actions import SERVICES, Action, Send
from tests.simulation.events import ACCOUNTS, Told
from tests.simulation.truths import violations
from tests.simulation.workers import Product
from tests.simulation.world import World
from tests.twins.virtual_time import run

ALL_SAID_ANEW = timedelta(hours=25)  # every account is said at least once a day

# Once all is quiet everybody does something: whoever remembers something wrong builds on it.
LAST_WORDS = Send(tuple(Told(account, 0, 0) for account in range(len(ACCOUNTS))))


async def happen(world: World, plan: Sequence[Action]) -> None:
    """The plan, one worker of each service from the start; then whatever was stopped goes on, and all comes to rest."""
    for service in SERVICES:
        world.start(service)
    for action in plan:
        await action.happen(world)
        world.raise_failures()
    for worker in world.workers:
        worker.process.go_on()
    for service in SERVICES:
        if all(worker.service != service for worker in world.workers):
            world.start(service)
    await world.rest()
    await LAST_WORDS.happen(world)
    await world.rest()
    world.move_clock(ALL_SAID_ANEW)
    await world.rest()


def run_plan(plan: Sequence[Action], seed: int, product: Product | None = None) -> None:
    """Fails naming what is not true. The same plan and seed always run alike."""

    async def main() -> list[str]:
        world = World(product or Product(), seed)
        await happen(world, plan)
        return violations(world)

    found = run(main())
    assert not found, "\n".join(found)


def traced(plan: Sequence[Action], seed: int) -> list[str]:
    """Every statement with its arguments and when it was answered, then every record."""
    heard: list[str] = []

    async def main() -> None:
        world = World(Product(), seed)
        time = asyncio.get_running_loop().time
        world.database.asked = lambda by, sql, given, answer: heard.append(f"{time()} {by.process} {sql} {given}")
        await happen(world, plan)
        heard.extend(repr(one) for topic in world.broker.topics for one in world.written(topic))

    run(main())
    return heard
