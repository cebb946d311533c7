"""What the supervisor is told about a process it keeps alive."""

import signal
from collections.abc import Callable
from dataclasses import dataclass, field

from services.cli.embedded.processes import Program


def nothing() -> None:
    """For a process that needs no preparation."""


@dataclass(frozen=True, slots=True)
class Child:
    """A process to keep alive.

    program: made anew for every start. prepare: runs before each start, with no such process alive. is_ready: a quick
    question, asked until it says yes; ready_seconds is how long a start may take. adopt: whether a healthy orphan of a
    supervisor that was killed may be kept; only servers whose clients would otherwise wait for a restart are.
    """

    name: str
    program: Callable[[], Program]
    is_ready: Callable[[], bool]
    prepare: Callable[[], None] = field(default=nothing)
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 4.0
    ready_seconds: float = 30.0
    adopt: bool = False
