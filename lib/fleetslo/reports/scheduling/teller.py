"""Telling people of batches that have ended: beside the batches, and again where it failed."""

import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleetslo import errors, resources
from fleetslo.reports.scheduling.attempts import COMMAND
from fleetslo.reports.scheduling.memory import Memory, Untold

_SHORTEST_WAIT_S, _LONGEST_WAIT_S = 1.0, 900.0
# What nobody could be told for so long is no news any more.
_GIVEN_UP = timedelta(days=1)
# A mail server or a webhook has 30 s for an answer; a command that takes this long hangs.
_LIMIT_S = 600.0
_FINAL = (errors.UnknownName.exit_code,)


class Teller:
    """Runs ``fleetslo tell`` for each batch that has ended, in a process of its own.

    That process goes on when this one is killed. It writes down what it sends, so that one
    started again for the same batch sends nothing twice.
    """

    def __init__(
        self,
        memory: Memory,
        home: Path,
        *,
        told: Callable[[bool, int], None],
        say: Callable[[str], None],
        first_wait_s: float,
    ) -> None:
        self._memory = memory
        self._home = home
        self._told = told
        self._say = say
        self._first_wait_s = max(first_wait_s, _SHORTEST_WAIT_S)
        self._later: dict[Untold, tuple[float, float]] = {}
        self._changed = threading.Condition()
        self._woken = True
        self._closing = False
        self._abandoned = threading.Event()
        self.thread = threading.Thread(target=self._work, name="tell", daemon=True)

    def start(self) -> None:
        """Begin with what an earlier daemon has left untold."""
        self.thread.start()

    def wake(self) -> None:
        """Look now: a batch has ended."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Tell what was never tried, and return; what failed before waits for the next daemon."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        while self.thread.is_alive() and not self._abandoned.is_set():
            self.thread.join(0.2)

    def abandon(self) -> None:
        """Let ``close`` return at once; a message that is being sent goes on its way."""
        self._abandoned.set()

    def _work(self) -> None:
        while not self._abandoned.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._woken or self._closing, self._pause_s())
                self._woken, closing = False, self._closing
            for one in self._memory.untold():
                if not self._abandoned.is_set() and self._is_due(one, closing):
                    try:
                        self._try(one)
                    except errors.FleetsloError as error:
                        self._say(str(error))
            self._later = {one: self._later.get(one, (0, 0)) for one in self._memory.untold()}
            if closing:
                return

    def _pause_s(self) -> float | None:
        """Return how long there is nothing to try; None where nothing waits."""
        if not self._later:
            return None
        return max(0.0, min(again for again, _ in self._later.values()) - time.monotonic())

    def _is_due(self, one: Untold, closing: bool) -> bool:
        if closing:
            return one not in self._later
        return self._later.get(one, (0.0, 0.0))[0] <= time.monotonic()

    def _try(self, one: Untold) -> None:
        runs = [name for name in one.runs if (self._home / "runs" / name).is_dir()]
        nobody = resources.find("notebooks", "recipients.yaml") is None
        if nobody or not (runs or one.lost):
            self._memory.told(one)
            return
        code = self._tell(runs or list(one.runs[-1:]), one)
        old = one.ended is not None and datetime.now(UTC) - one.ended > _GIVEN_UP
        if code == 0 or code in _FINAL or old:
            self._memory.told(one)
            self._later.pop(one, None)
            if code:
                self._say(f"people are not told of {', '.join(one.runs)}: given up")
        else:
            wait_s = min(self._later.get(one, (0.0, 0.0))[1] * 2, _LONGEST_WAIT_S)
            wait_s = wait_s or self._first_wait_s
            self._later[one] = (time.monotonic() + wait_s, wait_s)
            self._say(
                f"not everybody could be told of {', '.join(runs)}; tried again in {wait_s:.0f} s"
            )
        self._told(code == 0, len(self._memory.untold()))

    def _tell(self, runs: list[str], one: Untold) -> int:
        command = [
            *COMMAND,
            "tell",
            *runs,
            *(word for name in one.lost for word in ("--lost", name)),
        ]
        try:
            child = subprocess.Popen(  # noqa: S603 - our own command
                command, stdin=subprocess.DEVNULL, start_new_session=True
            )
        except OSError as error:
            self._say(f"people cannot be told: {error}")
            return errors.OutputError.exit_code
        try:
            return child.wait(_LIMIT_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()
