"""A worker process: it takes tasks from the batch, does them, and tells how they went.

The libraries are imported once and serve every task. A worker ends, and its kernel with it, as
soon as the batch closes the connection or dies.
"""

import os
import queue
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from fleetslo.reports.kernel import Running


class Task(Protocol):
    """What a worker can be given. It is pickled, and so is what it returns."""

    def run(self, surroundings: "Surroundings") -> Any:
        """Do it."""


class Surroundings:
    """What a task may use of its worker: ``running`` holds the kernel, ``tell`` reports."""

    def __init__(self, tell: Callable[[str, Any], None]) -> None:
        self.tell = tell
        self._running: Running | None = None

    @property
    def running(self) -> "Running":
        """The kernel of this worker; made at first use, since papermill is slow to import."""
        if self._running is None:
            from fleetslo.reports.kernel import Running

            self._running = Running(lambda pid: self.tell("kernel", pid))
        return self._running

    def end(self) -> None:
        """Kill the kernel, and let no other one start."""
        if self._running is not None:
            self._running.end()


def serve(connection: Any, leave: Callable[[int], None] = os._exit) -> None:
    """Do the tasks that come over a connection, for as long as the other side is there.

    What goes back: ("done", result) or ("broken", traceback) for each task, and in between
    whatever the task tells. ``leave`` ends the process when the other side is gone.
    """
    sending = threading.Lock()

    def tell(what: str, value: Any) -> None:
        with sending:
            connection.send((what, value))

    surroundings = Surroundings(tell)
    tasks: queue.SimpleQueue[Task] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                tasks.put(connection.recv())
        except (EOFError, OSError):
            pass  # the batch is gone
        except Exception:  # noqa: BLE001 - a task that cannot be read; the log says why
            traceback.print_exc()
        finally:
            surroundings.end()
            leave(1)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        try:
            answer = ("done", tasks.get().run(surroundings))
        except Exception:  # noqa: BLE001 - told to the batch, which makes it a failure of the task
            answer = ("broken", traceback.format_exc())
        try:
            tell(*answer)
        except OSError:
            return


def main() -> None:
    """Serve the connection whose file descriptor is the argument."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(Connection(int(sys.argv[1])))


if __name__ == "__main__":
    main()
