"""What a run under faults is made of can be had again: one number, and the command that takes it."""

import os
import secrets

import pytest

SEED = "BELLWETHER_TEST_SEED"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """The number that decides traffic and faults of this test; shown when it fails, taken from BELLWETHER_TEST_SEED."""
    chosen = int(os.environ.get(SEED) or secrets.randbelow(2**32))
    print(f"again: {SEED}={chosen} .venv/bin/python -m pytest '{request.node.nodeid}'")
    return chosen
