"""What the routes of alerts need, opened once per process."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.alerts.api.streams import Streams
from services.alerts.definitions import Catalogue
from shared.clock import Clock
from shared.http.problem import Unavailable
from shared.postgres.pool import CONNECTION_ERRORS, Connection, Pool


@dataclass(frozen=True, slots=True)
class Context:
    """`streams` is where outreach.events is read for whoever listens over HTTP."""

    pool: Pool
    clock: Clock
    catalogue: Catalogue
    streams: Streams

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """One transaction. Raises Unavailable where Postgres does not answer or a lock is held for too long."""
        try:
            async with self.pool.acquire() as connection, connection.transaction():
                yield connection
        except CONNECTION_ERRORS as error:
            raise Unavailable(f"Postgres does not answer: {type(error).__name__}; nothing was changed") from error


def _of(request: Request) -> Context:
    context: Context = request.app.state.alerts
    return context


Alerts = Annotated[Context, Depends(_of)]
