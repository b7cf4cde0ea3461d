"""What a daemon remembers of its schedule: up to when each group has been dealt with."""

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from fleetslo.errors import OutputError, UsageError
from fleetslo.files import folder, write_file

FORMAT = 1


class Memory:
    """The instant up to which each group has run, kept as ``schedule/state.json``.

    A time is dealt with once its batch has ended, well or badly; not when the batch was
    cancelled, or when the daemon or the machine went down. So such a time is due again.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "schedule" / "state.json"
        self._until: dict[str, datetime] = {}
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            if stored["format"] != FORMAT:
                raise ValueError(f"format {stored['format']}")
            for key, text in stored["settled_until"].items():
                self._until[key] = datetime.fromisoformat(text)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{self.path}: cannot be read ({error}); move it away, and what was missed "
                "counts as done"
            ) from None

    def until(self, key: str) -> datetime:
        """Return up to when a group has been dealt with."""
        return self._until[key]

    def follow(self, keys: Iterable[str], now: datetime) -> None:
        """Keep these groups and forget others; a new one has missed nothing before ``now``."""
        self._until = {key: self._until.get(key, now) for key in keys}
        self._write()

    def settle(self, key: str, at: datetime) -> None:
        """Remember that a group has been dealt with up to an instant; never an earlier one."""
        if key in self._until and at > self._until[key]:
            self._until[key] = at.astimezone(UTC)
            self._write()

    def _write(self) -> None:
        settled = {key: at.isoformat() for key, at in sorted(self._until.items())}
        text = json.dumps({"format": FORMAT, "settled_until": settled}, indent=1)
        write_file(self.path, text + "\n")


@contextmanager
def alone(home: Path) -> Iterator[None]:
    """Let one daemon at a time look after a home; the lock goes with the process.

    Raises:
        UsageError: another one does.
    """
    with (folder(home / "schedule") / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"another 'fleetslo schedule' runs the schedule of {home}; stop that one first"
            ) from None
        yield
