"""The command `bellwether`: the only place that may know all three services."""

import sys

import typer
from pydantic import ValidationError

from services.cli import aside, keys, migrate, positions
from services.cli.bench.command import bench
from services.cli.demo.command import demo
from services.cli.importing.command import import_command
from services.cli.trace import trace
from services.cli.up import down, status, up
from shared.settings import named

app = typer.Typer(
    name="bellwether",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Real-time customer health: run it here, bring data in, look after it.",
)
app.command()(up)
app.command()(down)
app.command()(status)
app.command()(trace)
app.command("migrate")(migrate.migrate_command)
app.command("import")(import_command)
app.command("demo")(demo)
app.command("bench")(bench)
app.add_typer(keys.app, name="keys")
app.add_typer(positions.app, name="positions")
app.add_typer(aside.app, name="aside")


def main() -> None:
    """Run the command; a setting that is missing or wrong is named in one line."""
    try:
        app()
    except ValidationError as error:
        for line in named(error, "bellwether"):
            print(line, file=sys.stderr)
        print("set it, or start `bellwether up` in this folder first", file=sys.stderr)
        sys.exit(2)
