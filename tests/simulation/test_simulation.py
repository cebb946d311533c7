"""The whole product, both servers' twins, and everything that may go wrong, in any order: the promises hold."""

import os

import pytest
from hypothesis import example, given, note, settings
from hypothesis import strategies as st

from tests.simulation.actions import PLANS, Action, BackUp, Pass, Restore, Send, Start, Zombie
from tests.simulation.events import KINDS, Told
from tests.simulation.running import run_plan, traced

SEEDS = st.integers(0, 2**16)  # how long everything takes
FIRST, SECOND = Send((Told(1, 4, 0),)), Send((Told(0, 4, 0),))  # in two partitions
EVERYTHING = Send(tuple(Told(number % 3, number, 5 * number) for number in range(len(KINDS))))


# Found before, each with the store restored under workers that live on: parts of the archive that are gone were still
# believed in, also by the one record of a batch; nobody had begun positions; an idle worker noticed nothing.
@example(plan=[Pass(1.0), BackUp(), FIRST, Pass(3.0), Restore()], seed=0)
@example(plan=[Pass(1.0), BackUp(), FIRST, Pass(3.0), Restore(), SECOND], seed=1)
@example(plan=[BackUp(), Pass(1.0), FIRST, Pass(3.0), Restore()], seed=1)
@pytest.mark.timeout(1_200)  # a thousand runs on a busy machine
@settings(settings.get_profile("simulation"))
@given(plan=PLANS, seed=SEEDS)
def test_whatever_happens_each_event_counts_once_and_everything_is_said(plan: list[Action], seed: int) -> None:
    note(f"run with PYTHONHASHSEED={os.environ.get('PYTHONHASHSEED', 'random')}: sets are in its order")
    run_plan(plan, seed)


def test_the_same_plan_and_seed_run_alike_to_the_last_statement() -> None:
    plan: list[Action] = [
        EVERYTHING,
        Pass(3.0),
        Start("scoring"),
        Zombie("scoring", 0, 20, EVERYTHING),
        Start("alerts"),
    ]
    assert traced(plan, 7) == traced(plan, 7)
    assert traced(plan, 7) != traced(plan, 8)
