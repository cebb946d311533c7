"""Migrations against the declared tables, forth and back, on a real Postgres."""

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, MetaData, text

from services.alerts.tables import metadata as alerts
from services.ingest.tables import metadata as ingest
from services.scoring.tables import metadata as scoring
from shared.postgres import migrate
from tests.pair import World

DECLARED: dict[str, MetaData] = {"ingest": ingest, "scoring": scoring, "alerts": alerts}


@pytest.fixture
def engine(world: World) -> Iterator[Engine]:
    made = migrate.synchronous_engine(world.dsn)
    yield made
    made.dispose()


@pytest.mark.parametrize("service", DECLARED)
def test_the_migrated_schema_is_the_declared_one(world: World, engine: Engine, service: str) -> None:
    with engine.connect() as connection:
        connection.execute(text(f'SET search_path = "{world.prefix}{service}"'))
        connection.dialect.default_schema_name = f"{world.prefix}{service}"
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": _no_parts})
        assert compare_metadata(context, DECLARED[service]) == []


def _no_parts(name: str | None, kind: str, _: object) -> bool:
    """Parts of the archive are made as days come; they are no tables of their own."""
    return kind != "table" or not (name or "").startswith(("usage_event_", "event_"))


def test_down_and_up_again_leaves_the_same_schema(world: World, engine: Engine) -> None:
    before = _columns(engine, world.prefix)
    migrate.downgrade(world.dsn, world.prefix, "base")
    assert _columns(engine, world.prefix) == []
    migrate.upgrade(world.dsn, world.prefix)
    assert _columns(engine, world.prefix) == before
    assert len(before) > 50


def test_a_second_upgrade_changes_nothing(world: World, engine: Engine) -> None:
    before = _columns(engine, world.prefix)
    migrate.upgrade(world.dsn, world.prefix)
    assert _columns(engine, world.prefix) == before


def _columns(engine: Engine, prefix: str) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT table_schema, table_name, column_name, data_type, is_nullable FROM information_schema.columns "
                "WHERE starts_with(table_schema, :prefix) ORDER BY 1, 2, 3"
            ),
            {"prefix": prefix},
        )
        return [tuple(row) for row in rows]
