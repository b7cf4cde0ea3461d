"""All or nothing: many partitions written aside, then put in place together.

New partitions are written under ``.staging/``. When all are there, ``journal.json`` is written
beside them in one rename: from then on the change counts as made. Putting it in place is a list
of renames that can be repeated, so a process killed in the middle loses nothing: the next one to
open the folder finishes what has a journal and throws away what has none.

One process writes at a time, which an exclusive lock on ``.lock`` sees to; the system drops the
lock of a killed process.
"""

import fcntl
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from fleetslo.errors import OutputError, WarehouseError
from fleetslo.files import writing
from fleetslo.warehouse.layout import PART, Layout, write_whole

STAGING = ".staging"
JOURNAL = "journal.json"
LOCK = ".lock"


@contextmanager
def locked(layout: Layout) -> Iterator[None]:
    """Hold the right to write to a folder.

    Raises:
        WarehouseError: another process has it.
        OutputError: the folder cannot be written.
    """
    with writing(layout.folder):
        file = (layout.folder / LOCK).open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WarehouseError(
                f"{layout.folder}: another fleetslo command is writing to it; "
                "try again when it is done"
            ) from None
        yield


class Staging:
    """Partitions that are being written and do not count yet."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.folder = layout.folder / STAGING
        self.replaced: list[Path] = []
        self.removed: list[Path] = []

    def replace(self, table: str, day: date | None) -> Path:
        """Return the file to write the new rows of a partition to."""
        relative = self.layout.partition(table, day).relative_to(self.layout.folder)
        self.replaced.append(relative)
        (self.folder / relative).mkdir(parents=True, exist_ok=True)
        return self.folder / relative / PART

    def drop(self, table: str, day: date | None) -> None:
        """Remove a partition, of which no row is left."""
        relative = self.layout.partition(table, day).relative_to(self.layout.folder)
        if relative in self.replaced:
            self.replaced.remove(relative)
        self.removed.append(relative)

    def commit(self, meta: Mapping[str, Any]) -> None:
        """Put every partition in place and replace these entries of the folder's memory."""
        journal = {
            "replace": [path.as_posix() for path in self.replaced],
            "remove": [path.as_posix() for path in self.removed],
            "meta": dict(meta),
        }
        with writing(self.folder):
            write_whole(self.folder / JOURNAL, json.dumps(journal))
        _finish(self.layout)


@contextmanager
def staged(layout: Layout) -> Iterator[Staging]:
    """Hold the lock and a fresh staging folder; whatever is not committed is thrown away.

    Raises:
        WarehouseError: another process is writing.
        OutputError: the folder cannot be written.
    """
    with locked(layout):
        _finish(layout)
        staging = Staging(layout)
        with writing(staging.folder):
            staging.folder.mkdir()
        try:
            yield staging
        finally:
            if not (staging.folder / JOURNAL).is_file():
                shutil.rmtree(staging.folder, ignore_errors=True)


def recover(layout: Layout) -> None:
    """Finish or undo what a killed process left; a process that is still writing is left alone.

    Raises:
        OutputError: there is a change to finish and the folder cannot be written.
    """
    staging = layout.folder / STAGING
    if not staging.is_dir():
        return
    try:
        with locked(layout):
            _finish(layout)
    except OutputError:
        if (staging / JOURNAL).is_file():
            raise
    except WarehouseError:
        return


def _finish(layout: Layout) -> None:
    """Put in place what has a journal, then remove the staging folder."""
    staging = layout.folder / STAGING
    if not staging.is_dir():
        return
    with writing(layout.folder):
        if (staging / JOURNAL).is_file():
            journal = json.loads((staging / JOURNAL).read_text(encoding="utf-8"))
            for relative in journal["replace"]:
                target = layout.folder / relative
                if (staging / relative / PART).is_file():
                    target.mkdir(parents=True, exist_ok=True)
                    (staging / relative / PART).replace(target / PART)
                _keep(target, PART)
            for relative in journal["remove"]:
                _keep(layout.folder / relative, None)
            layout.update_meta(journal["meta"])
            (staging / JOURNAL).unlink()
        shutil.rmtree(staging)


def _keep(partition: Path, name: str | None) -> None:
    """Remove every other part of a partition."""
    for path in partition.glob("part-*.parquet"):
        if path.name != name:
            path.unlink()
