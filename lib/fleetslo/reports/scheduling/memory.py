"""What a daemon remembers: up to when each group has been dealt with, and who is to be told."""

import fcntl
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fleetslo.errors import OutputError, UsageError
from fleetslo.files import folder, write_file

FORMAT = 1


@dataclass(frozen=True)
class Untold:
    """The runs of a group at one of its times, of which people are still to be told.

    ``lost`` are its reports that came to nothing. ``ended`` is when that was known; None while
    another attempt may follow.
    """

    key: str
    at: datetime
    runs: Sequence[str]
    lost: Sequence[str] = ()
    ended: datetime | None = None


class Memory:
    """What a daemon needs to know after it was killed, kept as ``schedule/state.json``.

    That is the instant up to which each group has run. A time is dealt with once its batch has
    ended, well or badly; not when the batch was cancelled, or when the daemon or the machine went
    down. So such a time is due again. And it is each batch that people are still to be told of:
    it is written down before its first run begins, and the runs of one that was cut short are
    told with those that make up for it. Threads may share it.
    """

    def __init__(self, home: Path) -> None:
        self.path = home / "schedule" / "state.json"
        self._until: dict[str, datetime] = {}
        self._untold: list[Untold] = []
        self._lock = threading.Lock()
        try:
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            if stored["format"] != FORMAT:
                raise ValueError(f"format {stored['format']}")
            for key, text in stored["settled_until"].items():
                self._until[key] = datetime.fromisoformat(text)
            self._untold = [_untold(one) for one in stored.get("untold", ())]
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(
                f"{self.path}: cannot be read ({error}); move it away, and what was missed "
                "counts as done"
            ) from None

    def until(self, key: str) -> datetime:
        """Return up to when a group has been dealt with."""
        with self._lock:
            return self._until[key]

    def follow(self, keys: Iterable[str], now: datetime) -> None:
        """Keep these groups and forget others; a new one has missed nothing before ``now``."""
        with self._lock:
            self._until = {key: self._until.get(key, now) for key in keys}
            for one in self._untold:
                if one.key not in self._until:
                    self._end(one.key, one.at, (), now)
            self._write()

    def begin(self, key: str, at: datetime, run_id: str) -> None:
        """Remember that a run of a group begins, before it does."""
        at = at.astimezone(UTC)
        with self._lock:
            for place, one in enumerate(self._untold):
                if (one.key, one.at, one.ended) == (key, at, None):
                    self._untold[place] = replace(one, runs=(*one.runs, run_id))
                    break
            else:
                self._untold.append(Untold(key, at, (run_id,)))
            self._write()

    def settle(self, key: str, at: datetime, now: datetime, lost: Sequence[str] = ()) -> None:
        """Remember that a group has been dealt with up to an instant; never an earlier one.

        People can be told from ``now`` on of what ran for it.
        """
        at = at.astimezone(UTC)
        with self._lock:
            self._end(key, at, lost, now)
            if key in self._until and at > self._until[key]:
                self._until[key] = at
            self._write()

    def _end(self, key: str, at: datetime, lost: Sequence[str], now: datetime) -> None:
        self._untold = [
            replace(one, ended=now, lost=tuple(lost) if one.at == at else ())
            if one.key == key and one.at <= at and one.ended is None
            else one
            for one in self._untold
        ]

    def untold(self) -> list[Untold]:
        """Return the batches that have ended and that people are still to be told of."""
        with self._lock:
            return [one for one in self._untold if one.ended is not None]

    def told(self, what: Untold) -> None:
        """Forget a batch: people were told of it, or nobody is to be."""
        with self._lock:
            self._untold.remove(what)
            self._write()

    def _write(self) -> None:
        record = {
            "format": FORMAT,
            "settled_until": {key: at.isoformat() for key, at in sorted(self._until.items())},
            "untold": [
                {
                    "key": one.key,
                    "at": one.at.isoformat(),
                    "runs": list(one.runs),
                    "lost": list(one.lost),
                    "ended": one.ended and one.ended.isoformat(),
                }
                for one in self._untold
            ],
        }
        write_file(self.path, json.dumps(record, indent=1) + "\n")


def _untold(stored: dict[str, Any]) -> Untold:
    ended = stored["ended"]
    return Untold(
        stored["key"],
        datetime.fromisoformat(stored["at"]),
        tuple(stored["runs"]),
        tuple(stored["lost"]),
        ended and datetime.fromisoformat(ended),
    )


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
