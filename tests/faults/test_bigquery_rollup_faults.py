"""A rollup of a dataset that is killed between two statements is simply done again."""

import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.loopback import Server

from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.measures import Measure
from fleetslo.warehouse.watching import Asked, Silence

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
FAULTS = Measure("faults", "d-faults", ("checkout",), requests="all")
ROLLER = """
import os, signal, sys
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.measures import Measure
from fleetslo.warehouse.watching import Silence

url, when, nth = sys.argv[1:]


class Killer(Silence):
    heard = 0

    def answered(self, asked):
        self.heard += asked.name == when
        if self.heard == int(nth):
            os.kill(os.getpid(), signal.SIGKILL)


place = BigQueryWarehouse(url)
place.watch(Killer())
place.rollup([Measure("faults", "d-faults", ("checkout",), requests="all")])
"""


def minutes(folder: Path, *counts: int) -> Path:
    """A file of requests: one minute of each of two days for every count."""
    rows = [
        {
            "minute": FIRST + timedelta(days=day, minutes=n), "service": "checkout",
            "endpoint": "", "region": "", "version": "1", "request_count": count,
            "error_count": 0, "duration_sum_s": None, "latency": [], "quality": "exact",
            "observed_count": count,
        }
        for day in range(2)
        for n, count in enumerate(counts)
    ]  # fmt: skip
    file = folder / f"{uuid4().hex}.parquet"
    pl.DataFrame(rows, schema=contract("requests").schema).write_parquet(file)
    return file


def made(*files: Path) -> BigQueryWarehouse:
    place = BigQueryWarehouse(f"bigquery://p/k{uuid4().hex}")
    place.create()
    for file in files:
        place.load("requests", [file])
    return place


def stored(place: BigQueryWarehouse, table: str) -> pl.DataFrame:
    of = contract(table)
    sql = f"SELECT * FROM {table} WHERE {of.partition} >= TIMESTAMP '2026-01-01'"
    return of.cast(place.asker.answer(sql, [], "stored")).sort(of.grain)


class Heard(Silence):
    """Remembers what was asked."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def answered(self, asked: Asked) -> None:
        self.names.append(asked.name)


# The first answer to "rollup requests_hourly" is the MERGE; of slo_minutes it is the third, after
# what stands and what was counted.
@pytest.mark.parametrize(
    ("when", "nth"),
    [
        ("rollup requests_hourly", 1),
        ("count requests", 1),
        ("rollup slo_minutes", 3),
    ],
)
@pytest.mark.long
def test_a_rollup_killed_before_its_note_is_done_again(
    loopback: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str, nth: int
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    files = minutes(tmp_path, 5, 6), minutes(tmp_path, 7, 8, 9)
    place, whole = made(*files), made(*files)
    done = subprocess.run(
        [sys.executable, "-c", ROLLER, place.url, when, str(nth)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole.rollup([FAULTS])
    place.rollup([FAULTS])
    for table in ("requests_hourly", "requests_daily", "slo_minutes"):
        assert_frame_equal(stored(place, table), stored(whole, table))
    # 7 + 8 + 9 of each day: the second file replaced the minutes of the first
    assert stored(place, "requests_daily")["request_count"].to_list() == [24, 24]
    # The day counts as rolled up again, so that it may shrink
    smaller = minutes(tmp_path, 1, 1, 1)
    place.load("requests", [smaller])
    place.rollup([FAULTS])
    assert stored(place, "requests_daily")["request_count"].to_list() == [3, 3]


@pytest.mark.long
def test_rolling_twice_asks_what_changed_and_writes_nothing(
    loopback: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    place = made(minutes(tmp_path, 5, 6))
    place.rollup([FAULTS])
    heard = Heard()
    place.watch(heard)
    place.rollup([FAULTS])
    assert set(heard.names) == {"changes", "notes"}
