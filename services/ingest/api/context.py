"""What the routes of ingest need, opened once per process."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from services.ingest.backlog import Backlog
from services.ingest.intake import Intake
from services.ingest.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """`intake` decides and forwards; `backlog` says how far scoring is behind."""

    settings: Settings
    intake: Intake
    backlog: Backlog


def _of(request: Request) -> Context:
    context: Context = request.app.state.ingest
    return context


Ingest = Annotated[Context, Depends(_of)]
