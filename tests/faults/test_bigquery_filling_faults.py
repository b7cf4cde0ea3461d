"""What goes wrong while a dataset is filled: a killed process, a server that breaks off."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from tests.loopback import Server

from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract

NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)
LOADER = """
import os, signal, sys
from pathlib import Path
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

url, file, when = sys.argv[1:]


def killed_at(what, done, total):
    if f"{what} {done}" == when:
        os.kill(os.getpid(), signal.SIGKILL)


BigQueryWarehouse(url).load("requests", [Path(file)], progress=killed_at)
print("done")
"""


@pytest.fixture
def place(loopback: Server, monkeypatch: pytest.MonkeyPatch) -> BigQueryWarehouse:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    made = BigQueryWarehouse(f"bigquery://p/f{uuid4().hex}")
    made.create()
    return made


def rows_file(path: Path, count: int, **given: object) -> Path:
    row = {
        "service": "checkout", "endpoint": "", "region": "", "version": "1", "request_count": 9,
        "error_count": 0, "duration_sum_s": None, "latency": [], "quality": "exact",
        "observed_count": 9,
    } | given  # fmt: skip
    rows = [{"minute": NOON + timedelta(minutes=n), **row} for n in range(count)]
    pl.DataFrame(rows, schema=contract("requests").schema).write_parquet(path)
    return path


def load_in_another_process(place: BigQueryWarehouse, file: Path, when: str) -> int:
    """Load a file in a process that kills itself at a step; return how it ended."""
    done = subprocess.run(
        [sys.executable, "-c", LOADER, place.url, str(file), when],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.returncode


def counted(place: BigQueryWarehouse) -> tuple[int, int]:
    """How many rows of requests there are, and what their requests add up to."""
    found = place.asker.answer(
        "SELECT COUNT(*) AS n, COALESCE(SUM(request_count), 0) AS total FROM requests "
        "WHERE minute >= TIMESTAMP '2026-01-01'",
        [],
        "test",
    )
    n, total = found.row(0)
    return int(n), int(total)


@pytest.mark.parametrize(
    ("when", "already"),
    [
        ("uploading requests 0", (0, 0)),  # before the load job
        ("merging requests 0", (0, 0)),  # between the load job and the MERGE
        ("merging requests 1", (50, 450)),  # between the MERGE and the book of loads
    ],
)
def test_a_load_that_was_killed_is_done_again_and_nothing_is_doubled(
    place: BigQueryWarehouse, tmp_path: Path, when: str, already: tuple[int, int]
) -> None:
    file = rows_file(tmp_path / "a.parquet", 50)
    assert load_in_another_process(place, file, when) == -signal.SIGKILL
    assert counted(place) == already
    assert place.load("requests", [file]).rows == 50
    assert counted(place) == (50, 450)  # 50 minutes of 9 requests
    assert place.load("requests", [file]).already_loaded == (file,)


def test_a_killed_load_of_other_rows_leaves_those_that_were_there(
    place: BigQueryWarehouse, tmp_path: Path
) -> None:
    place.load("requests", [rows_file(tmp_path / "a.parquet", 50)])
    second = rows_file(tmp_path / "b.parquet", 20, request_count=1, observed_count=1)
    assert load_in_another_process(place, second, "merging requests 0") == -signal.SIGKILL
    assert counted(place) == (50, 450)
    assert place.load("requests", [second]).replaced == 20
    assert counted(place) == (50, 30 * 9 + 20)


def test_a_load_that_nobody_kills_ends_well(place: BigQueryWarehouse, tmp_path: Path) -> None:
    file = rows_file(tmp_path / "a.parquet", 5)
    assert load_in_another_process(place, file, "never") == 0
    assert counted(place) == (5, 45)
