"""What a batch works out once a period for all of its pages, such as the fleet's judgements.

::

    <batch>/judgements/<period and instant>.parquet    one file per period that somebody asked for
    <batch>/services/<period>.parquet                  likewise

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


def once(
    batch: Path, what: str, moments: tuple[datetime, ...], work: Callable[[], pl.DataFrame]
) -> pl.DataFrame:
    """Return what a batch worked out of the fleet; the first to ask does the work.

    Args:
        batch: the folder of the batch.
        what: its name, such as ``judgements``.
        moments: what it depends on: the bounds of a period, the instant of a judgement.
        work: returns it, for all services.

    Raises:
        OutputError: it cannot be written.
    """
    file = batch / what / f"{'_'.join(f'{at:%Y%m%dT%H%M%S}' for at in moments)}.parquet"
    if not file.is_file():
        with writing(file):
            file.parent.mkdir(exist_ok=True)
            lock = file.with_suffix(".lock").open("w")
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not file.is_file():
                held = io.BytesIO()
                work().write_parquet(held)
                write_file(file, held.getvalue())
    return pl.read_parquet(file)
