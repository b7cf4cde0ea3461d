"""A load is all or nothing, whenever the process dies; see also the disk and the lock."""

import signal
import subprocess
import sys
import time
from datetime import timedelta

import polars as pl
import pytest
from stored_rows import NOON, csv, minutes

from fleetslo.errors import ContractError, OutputError, WarehouseError
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.journal import JOURNAL, STAGING, locked, staged

# Loads a file and kills itself, as kill -9 would: at the n-th rename, or while days are written.
LOADER = """
import os, signal, sys
from pathlib import Path
from fleetslo.warehouse.duckdb import DuckDBWarehouse

url, file, when = sys.argv[1:]
rename, left = Path.replace, [int(when)]

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def replace(self, target):
    if left[0] == 0:
        die()
    left[0] -= 1
    return rename(self, target)

def progress(what, done, total):
    if left[0] < 0 and what == "writing requests" and done == 1:
        die()

Path.replace = replace
DuckDBWarehouse(url).load("requests", [Path(file)], progress=progress)
"""


HOLDER = """
import sys, time
from pathlib import Path
from fleetslo.warehouse.journal import staged
from fleetslo.warehouse.layout import Layout

with staged(Layout(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def load_and_die(warehouse, file, when):
    command = [sys.executable, "-c", LOADER, warehouse.url, str(file), str(when)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def counts(warehouse):
    files = warehouse.layout.files("requests")
    return pl.concat([pl.read_parquet(file) for file in files])["request_count"].to_list()


@pytest.fixture
def loaded(warehouse, tmp_path):
    """Two days of two minutes each, 12 requests in each."""
    rows = [*minutes(2), *minutes(2, start=NOON + timedelta(days=1))]
    warehouse.load("requests", [csv(tmp_path / "old.csv", rows)])
    return warehouse


@pytest.fixture
def changed(tmp_path):
    rows = [*minutes(2), *minutes(2, start=NOON + timedelta(days=1))]
    return csv(tmp_path / "new.csv", [row | {"request_count": 100} for row in rows])


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        (-1, [12] * 4),  # between the first day and the second
        (0, [12] * 4),  # before the journal is there
        (1, [100] * 4),  # the journal is there, nothing is in place
        (2, [100] * 4),  # the first day is in place
        (3, [100] * 4),  # both days are, the folder's memory is not
    ],
)
def test_a_killed_load_is_all_there_or_not_at_all(loaded, changed, when, expected):
    assert load_and_die(loaded, changed, when) == -signal.SIGKILL
    assert (loaded.layout.folder / STAGING).is_dir()
    reopened = DuckDBWarehouse(loaded.url)
    assert counts(reopened) == expected
    assert not (reopened.layout.folder / STAGING).exists()
    assert len(reopened.layout.meta["loads"]) == (2 if expected[0] == 100 else 1)
    report = reopened.load("requests", [changed])
    assert counts(reopened) == [100] * 4
    assert report.already_loaded == ((changed,) if expected[0] == 100 else ())


def test_a_load_that_is_not_killed_renames_four_times(loaded, changed):
    # the journal, two days, the memory
    assert load_and_die(loaded, changed, 4) == 0
    assert counts(loaded) == [100] * 4


def test_a_load_finishes_what_is_left_before_it_begins(loaded, changed, tmp_path):
    assert load_and_die(loaded, changed, 1) == -signal.SIGKILL
    later = csv(tmp_path / "later.csv", minutes(1, start=NOON + timedelta(days=2)))
    loaded.load("requests", [later])
    assert counts(loaded) == [*[100] * 4, 12]


def test_other_parts_of_a_replaced_day_are_removed_even_after_a_kill(loaded, changed):
    (day, _) = loaded.layout.files("requests")
    day.rename(day.with_name("part-3.parquet"))
    assert load_and_die(loaded, changed, 2) == -signal.SIGKILL
    assert counts(DuckDBWarehouse(loaded.url)) == [100] * 4


def test_while_one_process_writes_another_is_refused(loaded, changed, tmp_path):
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(loaded.layout.folder),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WarehouseError, match=r"another fleetslo command is writing to it"):
            loaded.load("requests", [changed])
        # Reading goes on, and does not take away what the other is writing.
        assert counts(DuckDBWarehouse(loaded.url)) == [12] * 4
        assert (loaded.layout.folder / STAGING).is_dir()
    finally:
        holder.kill()
        holder.communicate()
    DuckDBWarehouse(loaded.url)
    assert not (loaded.layout.folder / STAGING).exists()


def test_an_error_in_the_middle_leaves_nothing(loaded):
    def break_off():
        with staged(loaded.layout) as staging:
            staging.replace("requests", NOON.date()).write_bytes(b"half")
            raise ContractError("stop")

    with pytest.raises(ContractError, match=r"stop"):
        break_off()
    assert counts(loaded) == [12] * 4
    assert not (loaded.layout.folder / STAGING).exists()


def test_a_journal_that_cannot_be_finished_waits(loaded, changed):
    assert load_and_die(loaded, changed, 1) == -signal.SIGKILL
    day = loaded.layout.files("requests")[0].parent
    aside = day.rename(day.with_name("aside"))
    day.write_text("in the way")
    with pytest.raises(OutputError, match=r"cannot write"):
        DuckDBWarehouse(loaded.url)
    assert (loaded.layout.folder / STAGING / JOURNAL).is_file()
    day.unlink()
    aside.rename(day)
    assert counts(DuckDBWarehouse(loaded.url)) == [100] * 4


def test_a_folder_that_cannot_be_locked_is_read_all_the_same(loaded):
    (loaded.layout.folder / STAGING).mkdir()
    lock = loaded.layout.folder / ".lock"
    lock.unlink()
    lock.mkdir()
    assert counts(DuckDBWarehouse(loaded.url)) == [12] * 4
    with pytest.raises(OutputError, match=r"cannot write: Is a directory"), locked(loaded.layout):
        pass


def test_ctrl_c_leaves_nothing_half_written(loaded, tmp_path):
    """Interrupt a real load of many rows at whatever it is doing."""
    rows = csv(tmp_path / "rows.csv", minutes(1440, start=NOON.replace(hour=0)))
    header, *lines = rows.read_text().splitlines()
    many = [line.replace("checkout", f"service-{i}") for i in range(100) for line in lines]
    (tmp_path / "many.csv").write_text("\n".join([header, *many]) + "\n")
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from fleetslo.warehouse.duckdb import DuckDBWarehouse\n"
        "warehouse = DuckDBWarehouse(sys.argv[1])\nprint('ready', flush=True)\n"
        "warehouse.load('requests', [Path(sys.argv[2])], progress=lambda *what: print(what, flush=True))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", script, loaded.url, str(tmp_path / "many.csv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    assert "reading" in child.stdout.readline()
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    child.communicate(timeout=60)
    assert child.returncode != 0
    assert counts(DuckDBWarehouse(loaded.url)) == [12] * 4
    assert not (loaded.layout.folder / STAGING).exists()
