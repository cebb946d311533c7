"""What the routes of scoring need, opened once per process."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from services.scoring.api.lag import LogEnds
from shared.postgres.pool import Pool


@dataclass(frozen=True, slots=True)
class Context:
    """`pool` runs named statements, `engine` the lists that are filtered dynamically."""

    pool: Pool
    engine: AsyncEngine
    topic: str
    ends: LogEnds


def _of(request: Request) -> Context:
    context: Context = request.app.state.scoring
    return context


Scoring = Annotated[Context, Depends(_of)]
