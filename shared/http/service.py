"""A service as a process: `api` or `worker`, started by name; and the app that one or more services share."""

import argparse
import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager

import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError

from shared.http.probe import add_probes
from shared.http.problem import install
from shared.kafka.claim import LogChanged
from shared.kafka.log_id import TopicGone
from shared.kafka.set_aside import EverythingFails
from shared.settings import named
from shared.telemetry import configure_logging

VERSION = "0.1.0"
DESCRIPTION = """
Real-time customer health: send events, read explained scores, act on outreach.

Every call needs `Authorization: Bearer bw_...`, a key made by `bellwether keys create`; each route names its scope.
Every error is problem+json (RFC 9457) with a stable `reason` to branch on and a `detail` for people.
"""
SHUTDOWN_SECONDS = 5  # open answers, streams among them, get no longer than this

Mount = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def service_app(title: str, mounts: Sequence[Mount]) -> FastAPI:
    """An app that answers errors as problems, has probes, and opens every mount for as long as it runs."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for mount in mounts:
                await stack.enter_async_context(mount(app))
            yield

    app = FastAPIOffline(title=title, version=VERSION, description=DESCRIPTION, lifespan=lifespan)
    app.state.checks = {}
    install(app)
    add_probes(app, app.state.checks)
    return app


def serve(create_app: Callable[[], FastAPI], host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    uvicorn.run(
        create_app, factory=True, host=host, port=port, log_config=None, timeout_graceful_shutdown=SHUTDOWN_SECONDS
    )


def main(service: str, create_app: Callable[[], FastAPI], run_worker: Callable[[], Awaitable[None]]) -> None:
    """The command line of `python -m services.<service>.main`. Exits non-zero with one line when it cannot go on."""
    parser = argparse.ArgumentParser(prog=f"services.{service}.main")
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("worker", help="consume, until stopped")
    api = roles.add_parser("api", help="serve HTTP, until stopped")
    api.add_argument("--host", default="127.0.0.1")
    api.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    configure_logging(f"{service}-{arguments.role}")
    with exits_named(service):
        if arguments.role == "api":
            serve(create_app, arguments.host, arguments.port)
        else:
            asyncio.run(_as_coroutine(run_worker))


async def _as_coroutine(run: Callable[[], Awaitable[None]]) -> None:
    await run()


@contextlib.contextmanager
def exits_named(service: str) -> Iterator[None]:
    """What a person must mend ends the process with one line, not a stack of calls."""
    try:
        yield
    except ValidationError as error:
        for line in named(error, service):
            sys.stderr.write(f"{service}: {line}\n")
        sys.exit(os.EX_CONFIG)
    except (LogChanged, TopicGone) as error:
        sys.stderr.write(f"{service}: {error}\n")
        sys.exit(os.EX_DATAERR)
    except EverythingFails as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(os.EX_SOFTWARE)
