"""The fleet's history into the deployment, the way an import goes: ingest's rules, paced, quiet, remembered."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from services.cli.connect import connection
from services.cli.demo.fleet import Customer
from services.cli.demo.history import description, history
from services.cli.importing.checking import Checker
from services.cli.importing.outcome import Draft, Refused
from services.cli.importing.run import Touched
from services.cli.importing.sending import CHUNK_EVENTS, Sender, Stamp, open_sender
from services.cli.importing.store import ImportStore
from services.cli.importing.tally import Tally
from shared.clock import Clock
from shared.settings import Shared

SOURCE = "//demo.bellwether.example"
ACTOR = "user:demo"

Step = Callable[[], None]
"""Told that one more account is in."""


async def load(settings: Shared, fleet: Sequence[Customer], seed: int, now: datetime, step: Step) -> int:
    """Send everything and return when scoring has read it. Answers how many events went; 0 if they are in already.

    Raises Stalled when scoring does not read, KafkaError when the broker does not take.
    """
    run = f"demo-{seed}"
    async with connection(settings, "ingest") as opened:
        store = ImportStore(opened, mapping_digest="demo")
        known = await store.found([run])
        if run in known and known[run].is_ended:
            return 0
        tally = Tally(source=SOURCE)
        await store.begin(run, tally, from_start=True)
        async with open_sender(settings, Clock(), Stamp(SOURCE, ACTOR, run)) as sender:
            check = Checker(SOURCE, run, now, {})
            await sender.send([draft for customer in fleet for draft in _described(customer, seed, now, check)])
            await sender.wait_until_read()  # first sight of an account is of its name, not of a part of its history
            await _send(sender, fleet, lambda customer: _past(customer, seed, now, check, run), tally, step)
            await sender.wait_until_read()
        await store.end([run])
    return tally.events


async def _send(
    sender: Sender,
    fleet: Sequence[Customer],
    past: Callable[[Customer], list[Draft]],
    tally: Tally,
    step: Step,
) -> None:
    waiting: list[Draft] = []
    for customer in fleet:
        drafts = past(customer)
        tally.events += len(drafts)
        waiting += drafts
        if len(waiting) >= CHUNK_EVENTS:
            await sender.send(waiting)
            waiting = []
        step()
        await asyncio.sleep(0)
    await sender.send(waiting)


def _described(customer: Customer, seed: int, now: datetime, check: Checker) -> list[Draft]:
    """What is known before anything happened. It goes first for everybody, as the accounts of an export do."""
    return [_accepted(draft, check) for draft in description(customer, seed, now)]


def _past(customer: Customer, seed: int, now: datetime, check: Checker, run: str) -> list[Draft]:
    """One customer's history and its end."""
    touched = Touched()
    drafts = [_accepted(draft, check) for draft in history(customer, seed, now)]
    touched.take(drafts)
    return drafts + touched.endings(run)


def _accepted(draft: Draft, check: Checker) -> Draft:
    account = check(draft)
    assert not isinstance(account, Refused), f"the simulator made what ingest refuses: {draft} {account}"
    return draft.about(account)
