"""The simulation tells a product with one thing wrong from the real one."""

import pytest
from hypothesis import Phase, given, seed, settings

from tests.simulation.actions import PLANS, ZOMBIES, Action
from tests.simulation.mutants import MUTANTS
from tests.simulation.running import run_plan
from tests.simulation.test_simulation import SEEDS

RUNS_MAX = 400  # most need fewer than fifty
HUNTED_IN = {"the claim compares no seq": ZOMBIES}  # only who comes back after a look can tell
ENOUGH = settings(
    settings.get_profile("simulation"),
    max_examples=RUNS_MAX,
    database=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
)


@pytest.mark.parametrize("name", MUTANTS)
def test_the_simulation_fails_where(name: str) -> None:
    runs = 0

    @seed(2)
    @settings(ENOUGH)
    @given(plan=HUNTED_IN.get(name, PLANS), seed=SEEDS)
    def simulate(plan: list[Action], seed: int) -> None:
        nonlocal runs
        runs += 1
        run_plan(plan, seed, MUTANTS[name])

    with pytest.raises(AssertionError):
        simulate()
    print(f"{name}: after {runs} runs")
