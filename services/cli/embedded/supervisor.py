"""Keeps processes alive: one watch per child, so that one that is down never delays the restart of another."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait

from services.cli.embedded.child import Child
from services.cli.embedded.folder import CannotStart, Folder
from services.cli.embedded.processes import (
    Program,
    Running,
    end_orphans,
    find,
    log_tail,
    read_record,
    recorded,
    spawn,
)

BACKOFF_SECONDS_MIN = 0.5
BACKOFF_SECONDS_MAX = 10.0
STEADY_SECONDS = 30.0  # a child that ran this long starts its backoff from the beginning
ADOPT_SECONDS = 5.0  # an orphan that is not healthy by then is ended and started again
READY_POLL_SECONDS = 0.05

Say = Callable[[str], None]


class Supervisor:
    """Starts, watches and stops the children of one box. Hold the folder's lock as long as it lives."""

    def __init__(self, folder: Folder, box_id: str, say: Say) -> None:
        self._folder = folder
        self._box_id = box_id
        self._say = say
        self._watches: dict[str, _Watch] = {}

    def start(self, children: Sequence[Child]) -> None:
        """Start all in parallel and return when each is ready; then watch them.

        Waits for every result before it raises the first failure, so that none is left behind unwatched.
        """
        if not children:
            return
        watches = [_Watch(child, self._folder, self._box_id, self._say) for child in children]
        self._watches |= {watch.child.name: watch for watch in watches}
        with ThreadPoolExecutor(len(watches)) as pool:
            outcomes = [pool.submit(watch.start) for watch in watches]
            try:
                wait(outcomes)
            except BaseException:  # Ctrl-C: the pool would wait for starts that may take minutes
                for watch in watches:
                    watch.give_up()
                raise
        for outcome in outcomes:
            outcome.result()

    def running(self, name: str) -> Running | None:
        """The process of this name as it is now."""
        watch = self._watches.get(name)
        return watch.running if watch else None

    def stop(self, names: Sequence[str] | None = None) -> None:
        """Stop these children, or all, in parallel, and watch them no more."""
        stopped = [w for n, w in self._watches.items() if names is None or n in names]
        if not stopped:
            return
        with ThreadPoolExecutor(len(stopped)) as pool:
            list(pool.map(lambda watch: watch.stop(), stopped))
        for watch in stopped:
            del self._watches[watch.child.name]


class _Watch:
    """One child and the thread that starts it again whenever it ends."""

    def __init__(self, child: Child, folder: Folder, box_id: str, say: Say) -> None:
        self.child = child
        self.running: Running | None = None
        self._folder = folder
        self._box_id = box_id
        self._say = say
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name=f"watch {child.name}", daemon=True)

    def start(self) -> None:
        program = self.child.program()
        self.running = self._adopted(program)
        if self.running is None:
            self._end_orphans()
            self.running = self._spawn(program)
            self._wait_until_ready(self.running, program)
        self._thread.start()

    def give_up(self) -> None:
        """Let a start that is under way end without its result."""
        self._stop.set()

    def stop(self) -> None:
        self._stop.set()
        self._end()
        if self._thread.ident is not None:
            self._thread.join()
        self._end()  # what the thread may have started in between
        self._folder.record(self.child.name).unlink(missing_ok=True)

    def _end(self) -> None:
        if self.running is not None:
            self.running.end(self.child.stop_signal, self.child.stop_seconds)

    def _end_orphans(self) -> None:
        child = self.child
        end_orphans(self._folder, self._box_id, child.name, child.stop_signal, child.stop_seconds)

    def _spawn(self, program: Program) -> Running:
        self.child.prepare()
        return spawn(program, self._folder.record(self.child.name))

    def _adopted(self, program: Program) -> Running | None:
        """The healthy orphan with the same settings, where there is one."""
        record = read_record(self._folder.record(self.child.name))
        process = recorded(find(self._box_id, self.child.name), record)
        if not self.child.adopt or process is None or record is None or record.conf != program.conf:
            return None
        deadline = time.monotonic() + ADOPT_SECONDS
        while not self.child.is_ready():
            if time.monotonic() > deadline:
                return None
            self._stop.wait(READY_POLL_SECONDS)
        return Running(process)

    def _wait_until_ready(self, running: Running, program: Program) -> None:
        deadline = time.monotonic() + self.child.ready_seconds
        while not self.child.is_ready():
            if running.wait(READY_POLL_SECONDS):
                raise CannotStart(f"{self.child.name} {running.exit} at its start:\n{log_tail(program.log)}")
            if self._stop.is_set():
                raise CannotStart(f"{self.child.name} was stopped while it started")
            if time.monotonic() > deadline:
                raise CannotStart(f"{self.child.name} was not ready after {self.child.ready_seconds:.0f} s")

    def _keep_alive(self) -> None:
        backoff = BACKOFF_SECONDS_MIN
        while self.running is not None:
            started = time.monotonic()
            self.running.wait()
            if time.monotonic() - started > STEADY_SECONDS:
                backoff = BACKOFF_SECONDS_MIN
            if self._stop.is_set():
                return
            self._say(f"{self.child.name} {self.running.exit}; it starts again in {backoff:.1f} s")
            if self._stop.wait(backoff):
                return
            backoff = min(backoff * 2, BACKOFF_SECONDS_MAX)
            try:
                self.running = self._spawn(self.child.program())
            except (CannotStart, OSError) as error:
                self._say(f"{self.child.name} cannot start: {error}")
