"""The ledger of published numbers: what readers were told of each window, and when.

::

    <home>/published/
      20261101T060004Z-3fa9.parquet     one file per run that published a site

A file is written once, in one step, and never changed, so that a reader meets a whole run or none.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from fleetslo.errors import OutputError
from fleetslo.files import write_file
from fleetslo.reliability.restatements import NUMBERS

COLUMNS = {"run_id": pl.String, "published_at": pl.Datetime("us", "UTC"), **NUMBERS}
"""Columns of the ledger; the grain is one row per run, service, objective and window."""

KEPT = timedelta(days=400)
"""A window of a year can still be held against its predecessor, with a month to spare."""

_FOLDER = "published"


def record(
    home: Path, run_id: str, published_at: datetime, rows: Iterable[Mapping[str, Any]]
) -> Path | None:
    """Write what a run published and return the file; None when it published no numbers.

    What was published longer ago than ``KEPT`` is removed.

    Args:
        home: the home folder of the settings.
        run_id: name of the run.
        published_at: when its site took its place.
        rows: ``restatements.published_numbers`` of its pages; the same window of two pages, a
            squad's and its service's, is written once.

    Raises:
        OutputError: the file cannot be written.
    """
    once = {(row["service"], row["objective"], row["window_end"]): row for row in rows}
    if not once:
        return None
    frame = _typed(list(once.values())).select(
        pl.lit(run_id).alias("run_id"),
        pl.lit(published_at).cast(COLUMNS["published_at"]).alias("published_at"),
        *NUMBERS,
    )
    held = io.BytesIO()
    frame.write_parquet(held)
    path = write_file(home / _FOLDER / f"{run_id}.parquet", held.getvalue())
    _prune(home / _FOLDER, published_at - KEPT)
    return path


def _typed(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    times = [name for name, dtype in NUMBERS.items() if dtype == COLUMNS["published_at"]]
    texts = {name: pl.String if name in times else dtype for name, dtype in NUMBERS.items()}
    frame = pl.DataFrame([{key: row[key] for key in NUMBERS} for row in rows], schema=texts)
    return frame.with_columns(pl.col(times).str.to_datetime(time_unit="us", time_zone="UTC"))


def _prune(folder: Path, before: datetime) -> None:
    """Remove the files of runs that published before an instant; their names begin with it."""
    for path in folder.glob("*.parquet"):
        if path.name < f"{before:%Y%m%dT%H%M%SZ}":
            with suppress(OSError):
                path.unlink()


def read_published_numbers(home: Path, services: Sequence[str] = ()) -> pl.DataFrame:
    """Return what was published, one row per run, service, objective and window; see ``COLUMNS``.

    Empty where nothing was published yet. ``services`` empty means all of them.

    Raises:
        OutputError: a file of the ledger is damaged.
    """
    frames = [pl.DataFrame(schema=COLUMNS)]
    wanted = pl.col("service").is_in(list(services)) if services else pl.lit(value=True)
    for path in sorted((home / _FOLDER).glob("*.parquet")):
        try:
            frames.append(pl.scan_parquet(path).filter(wanted).select(*COLUMNS).collect())
        except (OSError, pl.exceptions.PolarsError) as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise OutputError(f"{path}: cannot be read ({said}); move it away") from None
    return pl.concat(frames)
