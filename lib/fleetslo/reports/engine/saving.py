"""A notebook kept on disk while it runs, so that a crash of whatever kind leaves what ran."""

import time
from pathlib import Path
from typing import Any

import nbformat

from fleetslo.files import write_file

# A notebook that is done sooner is written once, at its end.
EVERY_S = 3.0
# Of the time that a notebook runs, saving it takes no more than one part in this many.
_SHARE = 10


class Saving:
    """The file of a notebook that runs; None saves nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._next = time.monotonic() + EVERY_S

    @property
    def due(self) -> bool:
        """Whether it is time to keep the document."""
        return self._path is not None and time.monotonic() >= self._next

    def keep(self, document: Any) -> None:
        """Write the document."""
        if self._path is not None:
            began = time.monotonic()
            write(self._path, document)
            ended = time.monotonic()
            self._next = ended + max(EVERY_S, _SHARE * (ended - began))


def write(path: Path, document: Any) -> None:
    """Write a notebook through a temporary file beside it.

    Raises:
        OutputError: it cannot be written.
    """
    writing: Any = nbformat.writes
    write_file(path, writing(document) + "\n")
