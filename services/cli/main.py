"""The command `bellwether`: the only place that may know all three services."""

import sys

import typer
from pydantic import ValidationError

from services.cli import keys, migrate, positions
from services.cli.demo.command import demo
from services.cli.importing.command import import_command
from services.cli.trace import trace
from services.cli.up import down, status, up

app = typer.Typer(
    name="bellwether", no_args_is_help=True, add_completion=False, help=__doc__, pretty_exceptions_enable=False
)
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(trace)
app.command("migrate")(migrate.migrate_command)
app.command("import")(import_command)
app.command("demo")(demo)
app.add_typer(keys.app, name="keys")
app.add_typer(positions.app, name="positions")


def main() -> None:
    """Run the command; a setting that is missing or wrong is named in one line."""
    try:
        app()
    except ValidationError as error:
        for found in error.errors():
            name = f"{error.title.upper()}: " + ".".join(str(part) for part in found["loc"])
            print(f"{name}: {found['msg']}, got {found.get('input')!r}"[:300], file=sys.stderr)
        sys.exit(2)
