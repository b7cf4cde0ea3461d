"""The judgements of a batch: the fleet is judged once a period, for all of its pages.

::

    <batch>/judgements/<period and instant>.parquet    one file per period that somebody asked for

A page of one service and one of the fleet thus say the same of it, and a thousand pages cost what
one overview does. A file appears by one rename; one process at a time makes it.
"""

import fcntl
import io
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import polars as pl

from fleetslo.files import write_file, writing
from fleetslo.periods import Period


def judged_once(
    batch: Path, period: Period, until: datetime, judge: Callable[[], pl.DataFrame]
) -> pl.DataFrame:
    """Return what a batch judged of a period as of an instant; the first to ask judges.

    Args:
        batch: the folder of the batch.
        period: the period.
        until: the instant.
        judge: returns the judgements of all services.

    Raises:
        OutputError: they cannot be written.
    """
    moments = "_".join(f"{at:%Y%m%dT%H%M%S}" for at in (period.start, period.end, until))
    file = batch / "judgements" / f"{moments}.parquet"
    if not file.is_file():
        with writing(file):
            file.parent.mkdir(exist_ok=True)
            lock = file.with_suffix(".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.is_file():
                held = io.BytesIO()
                judge().write_parquet(held)
                write_file(file, held.getvalue())
    return pl.read_parquet(file)
