"""A process of the virtual world: it can be killed and stopped, and everything it asks of a server takes a while."""

import asyncio
from collections.abc import Coroutine
from random import Random
from typing import Any

# How long the way to a server takes: mostly next to nothing, at times long enough for others to go first.
DELAYS_SECONDS = (0.0, 0.001, 0.001, 0.002, 0.003, 0.005, 0.01, 0.03, 0.2)


class Process:
    """Twins of clients belong to one. `step` is the only place where a process waits for the world."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self.random = random
        self.is_dead = False
        self._goes_on: asyncio.Future[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def __repr__(self) -> str:
        return self.name

    @property
    def is_stopped(self) -> bool:
        return self._goes_on is not None

    async def step(self) -> None:
        """Raises CancelledError in a process that was killed: whatever it wanted to do, it does not."""
        self._live()
        seconds = self.random.choice(DELAYS_SECONDS)
        if seconds:
            await asyncio.sleep(seconds)
        while self._goes_on is not None and not self.is_dead:
            await asyncio.shield(self._goes_on)
        self._live()

    def stop(self) -> None:
        """As SIGSTOP does."""
        if self._goes_on is None:
            self._goes_on = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        """As SIGCONT does."""
        if self._goes_on is not None:
            self._goes_on.set_result(None)
            self._goes_on = None

    def kill(self) -> None:
        """As SIGKILL does; its connections are closed by whoever holds their other end."""
        self.is_dead = True
        for task in self._tasks:
            task.cancel()
        self.go_on()

    def begin(self, task: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        """Something that the process does until it ends."""
        begun = asyncio.get_running_loop().create_task(task, name=self.name)
        self._tasks.append(begun)
        return begun

    def raise_failure(self) -> None:
        """What ended a task of it though the process lives: none ends by itself."""
        for task in self._tasks:
            if task.done():
                task.result()
                raise AssertionError(f"a task of {self.name} ended: {task}")

    def _live(self) -> None:
        if self.is_dead:
            raise asyncio.CancelledError
