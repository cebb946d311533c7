"""`bellwether keys`: API keys, shown once, kept as hashes."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from services.cli.connect import connection, settings_here
from shared.contracts.routes import SCOPES
from shared.http.auth import create_key

app = typer.Typer(no_args_is_help=True, help="API keys: create, list, revoke.")


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Who uses it; stored beside everything it changes.")],
    scope: Annotated[list[str] | None, typer.Option(help=f"One of {', '.join(SCOPES)}; repeat for more.")] = None,
    days: Annotated[int | None, typer.Option(help="Expires after so many days.", min=1)] = None,
) -> None:
    """Make a key and print it. It cannot be shown again."""

    async def run() -> str:
        expires_at = None if days is None else datetime.now(UTC) + timedelta(days=days)
        async with connection(settings_here(), "access") as opened:
            return await create_key(opened, name, scope or SCOPES, expires_at)  # type: ignore[arg-type]

    try:
        typer.echo(asyncio.run(run()))
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@app.command("list")
def list_keys() -> None:
    """All keys, without their secrets."""

    async def run() -> list[tuple[object, ...]]:
        async with connection(settings_here(), "access") as opened:
            rows = await opened.fetch(
                "SELECT prefix, name, scopes, created_at, expires_at, revoked_at FROM credential ORDER BY created_at"
            )
        return [tuple(row) for row in rows]

    table = Table("key", "name", "scopes", "created", "expires", "revoked")
    for prefix, name, scopes, *times in asyncio.run(run()):
        shown = [f"{at:%Y-%m-%d %H:%M}" if isinstance(at, datetime) else "-" for at in times]
        table.add_row(f"bw_{prefix}_…", str(name), ", ".join(scopes), *shown)  # type: ignore[arg-type]
    Console().print(table)


@app.command()
def revoke(prefix: Annotated[str, typer.Argument(help="The eight characters after bw_.")]) -> None:
    """Make a key useless, within seconds, for good."""

    async def run() -> bool:
        async with connection(settings_here(), "access") as opened, opened.transaction():
            found: str | None = await opened.fetchval(
                "UPDATE credential SET revoked_at = now() WHERE prefix = $1 AND revoked_at IS NULL RETURNING prefix",
                prefix.removeprefix("bw_"),
            )
            if found:
                await opened.execute(
                    "INSERT INTO audit (actor, what, about) "
                    "VALUES ('cli', 'key.revoked', jsonb_build_object('prefix', $1::text))",
                    found,
                )
        return found is not None

    if not asyncio.run(run()):
        raise typer.BadParameter(f"no key with the prefix {prefix!r} that is not revoked already")
    typer.echo(f"bw_{prefix.removeprefix('bw_')}_… is revoked")
