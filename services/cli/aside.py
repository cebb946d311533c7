"""`bellwether aside`: records that scoring or alerts could not settle, and sending them again after the mend."""

import asyncio
from datetime import datetime
from typing import Annotated

import asyncpg
import typer
from rich.console import Console
from rich.table import Table

from services.cli.connect import connection, settings_here
from shared.contracts.envelope import HEADERS
from shared.kafka.clients import producer
from shared.settings import Shared

RETRY_AT_ONCE = 500  # records of one transaction; they are locked until the broker has them
LISTED_MAX = 1_000

app = typer.Typer(no_args_is_help=True, help="Records that a worker could not settle: list them, send them again.")

Service = Annotated[str, typer.Argument(help="scoring or alerts")]
Source = Annotated[str | None, typer.Option(help="Only records of this source.")]


@app.command("list")
def list_aside(service: Service, source: Source = None) -> None:
    """What is set aside and not sent again yet, oldest first."""

    async def run() -> list[asyncpg.Record]:
        async with connection(settings_here(), _known(service)) as opened:
            rows: list[asyncpg.Record] = await opened.fetch(
                "SELECT id, topic, partition, record_offset, source, at, reason FROM set_aside "
                "WHERE retried_at IS NULL AND ($1::text IS NULL OR source = $1) ORDER BY id LIMIT $2",
                source,
                LISTED_MAX,
            )
            return rows

    rows = asyncio.run(run())
    table = Table("id", "where", "source", "since", "reason")
    for row in rows:
        at: datetime = row["at"]
        where = f"{row['topic']}/{row['partition']}@{row['record_offset']}"
        table.add_row(str(row["id"]), where, row["source"], at.isoformat(timespec="seconds"), row["reason"])
    Console().print(table)
    if len(rows) == LISTED_MAX:
        typer.echo(f"the first {LISTED_MAX}; there may be more")


@app.command()
def retry(service: Service, source: Source = None) -> None:
    """Send them again to where they stood, at the end of the log; what counted meanwhile counts only once."""
    typer.echo(f"{asyncio.run(_retry(settings_here(), _known(service), source))} records sent again to {service}")


async def _retry(settings: Shared, service: str, source: str | None) -> int:
    writer = producer(settings.kafka)
    await writer.start()
    sent = 0
    try:
        async with connection(settings, service) as opened:
            last = await opened.fetchval("SELECT max(id) FROM set_aside")  # what fails again meanwhile waits its turn
            while last is not None:
                async with opened.transaction():
                    rows = await opened.fetch(
                        "SELECT id, topic, partition, key, value FROM set_aside "
                        "WHERE retried_at IS NULL AND id <= $1 AND ($2::text IS NULL OR source = $2) "
                        "ORDER BY id LIMIT $3 FOR UPDATE",
                        last,
                        source,
                        RETRY_AT_ONCE,
                    )
                    for row in rows:
                        place = row["topic"], row["value"], row["key"], row["partition"]
                        await writer.send_and_wait(*place, headers=HEADERS)
                    await _settle(opened, service, [row["id"] for row in rows])
                sent += len(rows)
                if not rows:
                    break
    finally:
        await writer.stop()
    return sent


async def _settle(opened: asyncpg.Connection, service: str, ids: list[int]) -> None:
    await opened.execute("UPDATE set_aside SET retried_at = clock_timestamp() WHERE id = ANY($1::bigint[])", ids)
    if ids:
        await opened.execute(
            "INSERT INTO audit (actor, what, about) VALUES ('cli', 'aside.retried', "
            "jsonb_build_object('service', $1::text, 'records', $2::int))",
            service,
            len(ids),
        )


def _known(service: str) -> str:
    if service not in ("scoring", "alerts"):
        raise typer.BadParameter(f"{service!r} is no service with a loop: write scoring or alerts")
    return service
