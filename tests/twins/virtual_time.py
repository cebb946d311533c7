"""An event loop whose clock jumps to the next timer, so that hours of waiting cost nothing and always pass alike."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from shared.clock import Clock

T = TypeVar("T")

START = datetime(2026, 11, 24, 12, tzinfo=UTC)  # when every run begins
STEPS_MAX = 200_000  # of one run; more is a loop that no time can end


class NothingLeft(AssertionError):
    """Everybody waits and no timer runs: a deadlock."""


class NeverEnds(AssertionError):
    """Far more steps than any run needs."""


class _Jump:
    """What the loop asks for news from outside: there is none, so the time until the next timer is over at once."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        self._loop.jump(timeout)
        return []

    def close(self) -> None:
        pass


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks and timers in one fixed order. It knows no sockets, threads or signals."""

    _scheduled: list[asyncio.TimerHandle]  # by time, as BaseEventLoop keeps them

    def __init__(self) -> None:
        super().__init__()
        self._selector = _Jump(self)
        self._seconds = 0.0
        self._steps = 0

    def time(self) -> float:
        return self._seconds

    def jump(self, timeout: float | None) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise NeverEnds(f"{STEPS_MAX} steps, {self._seconds} s")
        if timeout is None:
            raise NothingLeft(f"after {self._seconds} s all {len(asyncio.all_tasks(self))} tasks wait for ever")
        if timeout > 0:
            self._seconds = max(self._seconds, self._scheduled[0].when())

    def _process_events(self, event_list: list[Any]) -> None:
        assert not event_list

    def _write_to_self(self) -> None:
        raise AssertionError("another thread calls a loop that no thread shares")


def wall() -> datetime:
    """What a wall clock in the virtual world shows."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


class VirtualClock(Clock):
    """The product's clock on the virtual world's wall."""

    def now(self) -> datetime:
        return wall() + self._offset


def run(main: Coroutine[Any, Any, T]) -> T:
    """`main` in a world of its own. Ends every task that is left."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(main)
    finally:
        _end(loop)


def _end(loop: VirtualLoop) -> None:
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    if left:
        loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
