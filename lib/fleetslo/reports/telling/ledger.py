"""Who was told what of a run, so that nobody is told twice.

::

    <home>/told/<run id>.json      {"payments/email": "sent", "payments/webhook": "sending"}

An entry is written before something is sent and again after it: a process that dies in between
leaves ``sending``, and such a message is not sent again, for it may have arrived.
"""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetslo.errors import OutputError
from fleetslo.files import folder, write_file

SENDING, SENT, FAILED = "sending", "sent", "failed"


class Told:
    """What one run has told; held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        except ValueError:
            raise OutputError(
                f"{path}: damaged, so it is not known who was told; move it away to tell all again"
            ) from None
        self.entries: dict[str, str] = known

    def note(self, what: str, state: str) -> None:
        """Write down how far a message has come."""
        self.entries[what] = state
        write_file(self._path, json.dumps(self.entries, indent=1, sort_keys=True) + "\n")


@contextmanager
def told(home: Path, run_id: str) -> Iterator[Told]:
    """Hold what a run has told, alone.

    Raises:
        OutputError: it cannot be written, or is damaged.
    """
    place = folder(home / "told")
    with (place / f".{run_id}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Told(place / f"{run_id}.json")
