"""Statements have a name and a purpose."""

from pathlib import Path

import pytest

from shared.postgres import named_sql

PACKAGES = ("shared.kafka", "services.ingest", "services.scoring", "services.alerts", "services.cli.importing")


@pytest.mark.parametrize("package", PACKAGES)
def test_every_statement_says_what_it_is_for(package: str) -> None:
    assert named_sql.load(package)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_statement_is_used(package: str) -> None:
    folder = Path(__file__).resolve().parents[4] / package.replace(".", "/")
    source = "".join(path.read_text() for path in folder.rglob("*.py"))
    unused = [name for name in named_sql.load(package) if f'"{name}"' not in source]
    assert unused == []
