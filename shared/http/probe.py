"""What operators ask every process: is it alive, can it work, what does it count."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared.telemetry import REGISTRY

# Each check returns None when all is well, else one sentence that says what is missing.
Check = Callable[[], Awaitable[str | None]]


class Address(NamedTuple):
    """Where probes are served."""

    host: str
    port: int


CHECK_SECONDS_MAX = 2.0  # an orchestrator's probe should never hang on a server that does not answer


async def _outcome(check: Check) -> str | None:
    try:
        return await asyncio.wait_for(check(), CHECK_SECONDS_MAX)
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS_MAX} s"


def add_probes(app: FastAPI, checks: dict[str, Check]) -> None:
    """Adds /healthz, /readyz and /metrics. `checks` may be filled later: it is read at each request."""

    @app.get("/healthz", tags=["operations"], summary="Is the process alive?")
    async def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get(
        "/readyz", tags=["operations"], summary="Can it do its work?", responses={503: {"description": "not ready"}}
    )
    async def readyz() -> JSONResponse:
        asked = dict(checks)  # a process that starts fills it meanwhile
        found = dict(zip(asked, await asyncio.gather(*map(_outcome, asked.values())), strict=True))
        missing = {name: sentence for name, sentence in found.items() if sentence is not None}
        body = {"status": "not ready" if missing else "ready", "checks": found, "missing": missing}
        return JSONResponse(body, 503 if missing else 200)

    @app.get("/metrics", tags=["operations"], summary="Prometheus metrics of this process", response_class=Response)
    async def metrics() -> Response:
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)


@contextlib.asynccontextmanager
async def serve_probes(at: Address, checks: dict[str, Check]) -> AsyncIterator[None]:
    """Serve the probes of a worker while the body runs; port 0 serves none."""
    if at.port == 0:
        yield
        return
    app = FastAPI(openapi_url=None)
    add_probes(app, checks)
    server = uvicorn.Server(uvicorn.Config(app, host=at.host, port=at.port, log_config=None, lifespan="off"))
    # The worker has signal handlers of its own; uvicorn's would swallow the first SIGTERM.
    server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign, assignment]
    task = asyncio.create_task(server.serve())
    try:
        yield
    finally:
        server.should_exit = True
        await task
