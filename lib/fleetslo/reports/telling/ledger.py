"""Who was told what of a run, so that nobody is told twice.

::

    <home>/told/<run id>.json      {"payments/email": "sent", "payments/webhook": "sending"}
    <home>/told/failures.json      {"operators/email": {<page>: [<what was said>, <when>]}}

An entry is written before something is sent and again after it: a process that dies in between
leaves ``sending``, and such a message is not sent again, for it may have arrived. A report that
fails again as it did within a day is not told again, until it came good in between.
"""

import fcntl
import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleetslo.errors import OutputError
from fleetslo.files import folder, write_file

SENDING, SENT, FAILED = "sending", "sent", "failed"
_NEWS_FOR = timedelta(days=1)
_KEPT_S = 400 * 24 * 3600.0


class Told:
    """What one run has told."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.entries: dict[str, str] = _read(path)

    def note(self, what: str, state: str) -> None:
        """Write down how far a message has come."""
        self.entries[what] = state
        _write(self._path, self.entries)


class Failures:
    """What failed, as each recipient was told of it in the last day."""

    def __init__(self, path: Path, now: datetime) -> None:
        self._path = path
        self._now = now
        since = (now - _NEWS_FOR).isoformat()
        self._said: dict[str, dict[str, tuple[str, str]]] = {
            what: {page: (text, at) for page, (text, at) in pages.items() if at > since}
            for what, pages in _read(path).items()
        }

    def knows(self, what: str, page: str, text: str) -> bool:
        """Return whether that was said of a page."""
        return self._said.get(what, {}).get(page, ("", ""))[0] == text

    def note(self, what: str, said: Mapping[str, str]) -> None:
        """Write down what was said of pages."""
        at = self._now.isoformat()
        self._said.setdefault(what, {}).update({page: (text, at) for page, text in said.items()})
        _write(self._path, self._said)

    def came_good(self, pages: Collection[str]) -> None:
        """Forget pages that were made."""
        if any(page in pages for said in self._said.values() for page in said):
            for said in self._said.values():
                for page in pages:
                    said.pop(page, None)
            _write(self._path, self._said)


def _read(path: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    except ValueError:
        raise OutputError(
            f"{path}: damaged, so it is not known who was told; move it away to tell all again"
        ) from None
    return known


def _write(path: Path, entries: Mapping[str, Any]) -> None:
    write_file(path, json.dumps(entries, indent=1, sort_keys=True) + "\n")


class Book:
    """All that was told from one home; held by one process at a time."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self.failures = Failures(place / "failures.json", datetime.now(UTC))

    def of(self, run_id: str) -> Told:
        """Return what a run has told."""
        return Told(self._place / f"{run_id}.json")


@contextmanager
def opened(home: Path) -> Iterator[Book]:
    """Hold what was told, alone; what is older than any run that is kept is removed.

    Raises:
        OutputError: it cannot be written, or is damaged.
    """
    place = folder(home / "told")
    before = time.time() - _KEPT_S
    with (place / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for path in place.glob("*.json"):
            if path.stat().st_mtime < before:
                path.unlink()
        yield Book(place)
