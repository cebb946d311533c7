"""`bellwether migrate`: topics, schemas and the catalogue of this release, in that order, safe to run again."""

import asyncio
from typing import Annotated

import typer

from services.cli.connect import settings_here
from services.scoring import definitions_store
from shared.contracts.topics import PARTITIONS_DEFAULT
from shared.kafka import topics
from shared.postgres import migrate as schemas
from shared.settings import Shared


def migrate(settings: Shared, partitions: int = PARTITIONS_DEFAULT, replication: int = 1) -> None:
    """Bring Kafka's topics and Postgres' schemas up to date and activate this release's catalogue."""
    schemas.upgrade(settings.dsn, settings.prefix)
    asyncio.run(topics.create(settings.kafka, settings.prefix, partitions, replication=replication))
    asyncio.run(definitions_store.publish_packaged(settings))


def migrate_command(
    partitions: Annotated[
        int, typer.Option(envvar="BELLWETHER_PARTITIONS", help="Of each topic, fixed for life when it is made.", min=1)
    ] = PARTITIONS_DEFAULT,
    replication: Annotated[
        int, typer.Option(envvar="BELLWETHER_REPLICATION", help="Copies of each partition.", min=1)
    ] = 1,
) -> None:
    """Create topics and tables, apply what is missing, activate this release's catalogue."""
    migrate(settings_here(), partitions, replication)
    typer.echo("topics, schemas and catalogue are up to date")
