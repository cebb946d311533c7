"""A pytest plugin: tests run on servers that are already there, which many sessions may use one after the other."""

import itertools
import os
from typing import Any

import pytest

from services.cli.embedded.pair import Addresses

POSTGRES, KAFKA, PREFIX = "MUTANTS_POSTGRES", "MUTANTS_KAFKA", "MUTANTS_PREFIX"

_numbers = itertools.count(1)


def environment(addresses: Addresses, prefix: str) -> dict[str, str]:
    """What a session needs to be told. Prefixes of sessions must differ: topics take a while to be gone."""
    return {POSTGRES: addresses.postgres, KAFKA: addresses.kafka, PREFIX: prefix}


def _provided(fixture: str) -> Any:
    if fixture == "pair":
        return Addresses(kafka=os.environ[KAFKA], postgres=os.environ[POSTGRES])
    if fixture == "prefix":
        return f"{os.environ[PREFIX]}{next(_numbers)}_"
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup(fixturedef: pytest.FixtureDef[Any], request: Any) -> Any:
    """In place of the fixtures that start servers and that name a world."""
    provided = _provided(fixturedef.argname)
    if provided is not None:
        fixturedef.cached_result = (provided, fixturedef.cache_key(request), None)
    return provided
