"""How many runs, and how quiet."""

import gc
import logging
import os
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import HealthCheck, Phase, settings

from tests.simulation.workers import definition, rules
from tests.unit.services.scoring.acme import packaged

RUNS = int(os.environ.get("BELLWETHER_TEST_RUNS", "100"))

settings.register_profile(
    "simulation",
    max_examples=RUNS,
    deadline=None,
    print_blob=True,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
)


@pytest.fixture(scope="module", autouse=True)
def quiet() -> Iterator[None]:
    """Millions of lines about batches given up, which is what runs are made of, would hide the one that matters."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    packaged(), rules(), definition()
    gc.collect()
    gc.freeze()  # catalogues stay: no need to look through them again and again
    yield
    structlog.configure(**before)
