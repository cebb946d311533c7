"""`bellwether` as a user types it, on a world of a test."""

import asyncio

from typer.testing import CliRunner

from services.cli.main import app
from tests.pair import World


async def bellwether(world: World, *arguments: str) -> tuple[int, str]:
    """How the command ended, and what it said; in a thread, because it runs an event loop of its own."""
    done = await asyncio.to_thread(lambda: CliRunner().invoke(app, arguments, env=world.env()))
    return done.exit_code, done.output
