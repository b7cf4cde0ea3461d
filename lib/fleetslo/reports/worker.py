"""A worker process: it takes tasks from the batch, does them, and tells how they went.

The libraries are imported once and serve every task. A worker ends, and its notebook with it, as
soon as the batch closes the connection or dies.
"""

import os
import select
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

from fleetslo.reports.engine.preloading import import_nbformat

if TYPE_CHECKING:
    from fleetslo.reports.engine.execution import Running


class Task(Protocol):
    """What a worker can be given. It is pickled, and so is what it returns."""

    def run(self, surroundings: "Surroundings") -> Any:
        """Do it."""


class Surroundings:
    """What a task may use of its worker: ``running`` holds the notebook, ``tell`` reports.

    While a task runs, a thread watches the ``connection``. A task that forks this process must
    have it alone: it says so by an attribute ``forks``, and calls ``lost`` itself.
    """

    def __init__(self, connection: Any, leave: Callable[[int], None]) -> None:
        self.connection: int = connection.fileno()
        self._sending = connection
        self._leave = leave
        self._running: Running | None = None

    def tell(self, what: str, value: Any) -> None:
        """Send something to the batch while the task goes on."""
        self._sending.send((what, value))

    @property
    def running(self) -> "Running":
        """The notebook of this worker; made at first use, since papermill is slow to import."""
        if self._running is None:
            from fleetslo.reports.engine.execution import Running

            self._running = Running(lambda pid: self.tell("kernel", pid))
        return self._running

    def lost(self) -> None:
        """End this process, since nobody waits for it: kill the notebook, let no other start."""
        if self._running is not None:
            self._running.end()
        self._leave(1)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Call ``lost`` from a thread when the connection closes."""
        done, wake = os.pipe()

        def watch() -> None:
            poller = select.poll()
            poller.register(self.connection, 0)  # heard of only when it is closed
            poller.register(done, select.POLLIN)
            if any(descriptor == self.connection for descriptor, _ in poller.poll()):
                self.lost()

        thread = threading.Thread(target=watch, daemon=True)
        thread.start()
        try:
            yield
        finally:
            os.write(wake, b".")
            thread.join()
            os.close(done)
            os.close(wake)


def serve(connection: Any, leave: Callable[[int], None] = os._exit) -> None:
    """Do the tasks that come over a connection, for as long as the other side is there.

    What goes back: ("done", result) or ("broken", traceback) for each task, and in between
    whatever the task tells. ``leave`` ends the process when the other side is gone.
    """
    surroundings = Surroundings(connection, leave)
    while True:
        try:
            task = connection.recv()
        except Exception as error:  # noqa: BLE001 - gone, or a task that cannot be read
            if not isinstance(error, EOFError | OSError):
                traceback.print_exc()  # into the log
            surroundings.lost()
            return
        try:
            if getattr(task, "forks", False):
                answer = ("done", task.run(surroundings))
            else:
                with surroundings.watched():
                    answer = ("done", task.run(surroundings))
        except Exception:  # noqa: BLE001 - told to the batch, which makes it a failure of the task
            answer = ("broken", traceback.format_exc())
        try:
            surroundings.tell(*answer)
        except OSError:
            surroundings.lost()
            return


def main() -> None:
    """Serve the connection whose file descriptor is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import_nbformat()
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
