"""Work that follows a widget: once per burst of changes, and after the front end was told."""

import asyncio
from collections.abc import Callable

PAUSE_S = 0.15  # a held arrow key changes a list some twenty times a second


class Debounced:
    """A callback that does its work once, a moment after the last of several calls.

    In a kernel the moment passes in its event loop. Without one (a script, a test) the work is
    done at once.

    Args:
        work: what to do.
        announce: called at every call, to show that the work is to come.
        pause_s: how long no further call must come, in seconds.
    """

    def __init__(
        self,
        work: Callable[[], None],
        *,
        announce: Callable[[], None] = lambda: None,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._work = work
        self._announce = announce
        self._pause_s = pause_s
        self._timer: asyncio.TimerHandle | None = None

    def __call__(self, _change: object = None) -> None:
        """Ask for the work to be done."""
        self._announce()
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._work()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(self._pause_s, self._run)

    def _run(self) -> None:
        self._timer = None
        self._work()
