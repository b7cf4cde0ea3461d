"""Where an embedded warehouse keeps its rows: Parquet files, one folder per table and day.

::

    <folder>/fleetslo-warehouse.json                  what the folder remembers
    <folder>/requests/day=2026-10-31/part-0.parquet   one file per UTC day
    <folder>/services/part-0.parquet                  tables without a partition

What replaces a partition is one file, put there by one rename: a reader sees all of the old or all
of the new. (A table made in parallel may have several parts; they hold different rows.)
Rows are sorted by cluster, then grain, so that the row groups of one service are found without
reading the others.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from fleetslo.errors import WarehouseError
from fleetslo.files import writing
from fleetslo.warehouse.contracts import Contract

FORMAT = 1
META_FILE = "fleetslo-warehouse.json"
PART = "part-0.parquet"

# About as many rows as one service writes in a day: a question about a service reads few groups.
ROW_GROUP_ROWS = 50_000


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader finds the old text or the new, never a part of it."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


class Layout:
    """The files of one embedded warehouse, by table and day."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def exists(self) -> bool:
        """Return whether there is a warehouse in the folder."""
        return self.meta_file.is_file()

    def fingerprint_of_all(self) -> str:
        """Return a digest of every file's name, size, number and time of change.

        A file is replaced and never changed in place, so a new one has a number of its own.
        """
        told = hashlib.sha256(self.meta_file.read_bytes() if self.exists() else b"")
        for path in sorted(self.folder.glob("*/**/*.parquet")):
            try:
                about = path.stat()
            except FileNotFoundError:  # replaced just now, so that the digest is of neither state
                continue
            name = path.relative_to(self.folder)
            told.update(f"{name} {about.st_size} {about.st_ino} {about.st_mtime_ns}\n".encode())
        return told.hexdigest()

    @property
    def meta_file(self) -> Path:
        """The JSON file with what the folder remembers."""
        return self.folder / META_FILE

    @property
    def meta(self) -> dict[str, Any]:
        """What the folder remembers.

        ``format``; ``contracts``, the version of each table; ``loads``, the files that were
        loaded; ``steps``, by table the services whose source is coarser; ``rolled``, what
        the rollups note for themselves.

        Raises:
            WarehouseError: the file is damaged.
        """
        empty = {"format": FORMAT, "contracts": {}, "loads": [], "steps": {}, "rolled": {}}
        if not self.exists():
            return empty
        try:
            return empty | dict(json.loads(self.meta_file.read_text(encoding="utf-8")))
        except (ValueError, OSError) as error:
            raise WarehouseError(
                f"{self.meta_file}: cannot be read ({error}); restore it from a copy, "
                "or make the warehouse again"
            ) from None

    def update_meta(self, changes: Mapping[str, Any]) -> None:
        """Replace top-level entries of ``meta`` in one step.

        Raises:
            OutputError: the file cannot be written.
        """
        with writing(self.meta_file):
            text = json.dumps(self.meta | dict(changes), indent=1, sort_keys=True)
            write_whole(self.meta_file, text + "\n")

    def partition(self, table: str, day: date | None) -> Path:
        """Return the folder of a table's day, or of a whole table that has no partition."""
        return self.folder / table / f"day={day.isoformat()}" if day else self.folder / table

    def days(self, table: str, start: datetime | None = None) -> list[date]:
        """Return the days that a table holds rows of, oldest first; [] without a partition.

        Days that end before ``start`` are left out.
        """
        folders = (self.folder / table).glob("day=*")
        days = [
            date.fromisoformat(path.name.removeprefix("day="))
            for path in folders
            if next(path.glob("part-*.parquet"), None)
        ]
        if start is not None:
            days = [day for day in days if day >= start.astimezone(UTC).date()]
        return sorted(days)

    def files(
        self, table: str, start: datetime | None = None, end: datetime | None = None
    ) -> list[Path]:
        """Return the files of a table that may hold rows in ``[start, end)``, oldest first.

        A table without a partition has the same files for every stretch of time.
        """
        found = sorted((self.folder / table).glob("part-*.parquet"))
        for day in self.days(table):
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            if end is not None and midnight >= end:
                continue
            if start is not None and midnight + timedelta(days=1) <= start:
                continue
            found.extend(sorted(self.partition(table, day).glob("part-*.parquet")))
        return found

    def fingerprint(self, table: str, day: date | None) -> str | None:
        """Return a text that changes when the rows of a day are written anew, or None."""
        parts = [path.stat() for path in sorted(self.partition(table, day).glob("part-*.parquet"))]
        return ",".join(f"{stat.st_size}-{stat.st_mtime_ns}" for stat in parts) or None

    def steps(self, table: str, start: datetime, end: datetime) -> dict[str, timedelta]:
        """Return the services whose rows of a table cover more than its grain in ``[start, end)``.

        Such a source covers every minute of a step with one row at its first minute.
        """
        found: dict[str, timedelta] = {}
        for service, stretches in self.meta["steps"].get(table, {}).items():
            for first, last, step_s in stretches:
                if datetime.fromisoformat(first) < end and datetime.fromisoformat(last) > start:
                    step = timedelta(seconds=step_s)
                    found[service] = max(step, found.get(service, step))
        return found

    def write_day(self, contract: Contract, day: date | None, frame: pl.DataFrame) -> None:
        """Replace the rows of one partition in one step; no rows remove it.

        Args:
            contract: the table's contract; the frame is cast to it and sorted.
            day: the UTC day, or None for a table without a partition.
            frame: all rows of that day.

        Raises:
            ContractError: the frame does not have the contract's columns.
            OutputError: the folder cannot be written.
        """
        rows = contract.cast(frame).sort(contract.order)
        folder = self.partition(contract.table, day)
        with writing(folder):
            kept: list[str] = []
            if rows.height:
                folder.mkdir(parents=True, exist_ok=True)
                temporary = folder / f".{PART}"
                rows.write_parquet(
                    temporary, compression="zstd", row_group_size=ROW_GROUP_ROWS, statistics=True
                )
                temporary.replace(folder / PART)
                kept = [PART]
            for path in folder.glob("part-*.parquet"):
                if path.name not in kept:
                    path.unlink()
