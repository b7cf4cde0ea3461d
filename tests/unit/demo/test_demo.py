"""The tiny fleet as a whole: what it holds, how it is put in place, what it refuses."""

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
from demo_made import Made, measures

from fleetslo.errors import OutputError, ParameterError, SettingsError, WarehouseError
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.demo.making import make_demo
from fleetslo.warehouse.demo.plan import make_plan
from fleetslo.warehouse.demo.workers import make_parts, parts_of, work
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.layout import Layout

END = datetime(2026, 11, 1, tzinfo=UTC)


def digests(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_every_table_is_filled(made: Made) -> None:
    assert {table for table in read_contracts() if made.table(table).is_empty()} == set()


def test_rows_lie_in_the_order_of_their_contract(made: Made) -> None:
    for contract in read_contracts().values():
        for path in (made.folder / contract.table).rglob("*.parquet"):
            rows = pl.read_parquet(path, hive_partitioning=False)
            assert rows.schema == pl.Schema(contract.schema), path
            keys = rows.select(contract.order)
            assert keys.equals(keys.sort(contract.order)), path


def test_nothing_breaks_a_contract(made: Made) -> None:
    findings = open_warehouse(f"duckdb://{made.folder}").check(END)
    # Around trouble, minutes are kept of those in trouble only.
    assert {(it.table, it.severity) for it in findings} <= {("requests", "warn"), ("calls", "warn")}
    assert {it.check for it in findings} <= {"no gaps in a service", "no gaps in the fleet"}


def test_the_report_counts_what_was_made(made: Made) -> None:
    report = made.report
    assert (report.size, report.seed, report.services) == ("tiny", 1, 4)
    assert report.rows == sum(made.table(table).height for table in read_contracts())
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    assert report.bytes == sum(path.stat().st_size for path in files)
    assert report.truth == made.folder / "truth.json"
    assert json.loads(report.truth.read_text())["size"] == "tiny"


def test_progress_counts_services(made: Made) -> None:
    assert made.told == [("make services", done, 4) for done in range(5)]


def test_it_ends_when_november_begins(made: Made) -> None:
    assert open_warehouse(f"duckdb://{made.folder}").complete_until() == END


@pytest.mark.long
def test_another_seed_fills_an_empty_warehouse_with_another_fleet(
    made: Made, tmp_path: Path
) -> None:
    folder = tmp_path / "warehouse"
    DuckDBWarehouse(f"duckdb://{folder}").create()
    report = make_demo(folder, "tiny", 2, processes=1)
    assert report.seed == 2
    assert Layout(folder).meta["demo"] == {"seed": 2, "size": "tiny"}
    before, after = digests(made.folder), digests(folder)
    same = {name for name in before if before[name] == after.get(name)}
    assert not [name for name in same if name.startswith(("requests/", "deployments/"))]
    # Without measures nothing is known of objectives.
    assert not (folder / "slo_minutes").exists()


def test_what_the_demo_did_not_make_is_not_overwritten(made: Made, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(WarehouseError, match="holds data that the demo did not make; give another"):
        make_demo(tmp_path, "tiny")
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]

    loaded = tmp_path / "loaded"
    shutil.copytree(made.folder, loaded)
    Layout(loaded).update_meta({"loads": [{"table": "requests"}]})
    with pytest.raises(WarehouseError, match="did not make"):
        make_demo(loaded, "tiny")


@pytest.mark.parametrize(
    ("address", "size", "seed", "error", "message"),
    [
        ("bigquery://project/dataset", "tiny", 1, SettingsError, "in a folder, not in bigquery"),
        ("/nowhere", "smal", 1, ParameterError, "no size 'smal'. Did you mean 'small'"),
        ("/nowhere", "tiny", -1, ParameterError, "seed -1 is negative"),
    ],
)
def test_wrong_wishes_are_refused(
    address: str, size: str, seed: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        make_demo(address, size, seed)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        make_demo(tmp_path / "file" / "warehouse", "tiny")


KILLED = """
import sys, time
from fleetslo.warehouse.demo.making import make_demo

def stop(what, done, total):
    if done == 1:
        print("made one", flush=True)
        time.sleep(60)

make_demo(sys.argv[1], "tiny", 3, None, stop, processes=1)
"""


def test_a_killed_run_leaves_the_folder_as_it_was_and_the_next_one_makes_the_same(
    made: Made, tmp_path: Path
) -> None:
    folder = tmp_path / "warehouse"
    shutil.copytree(made.folder, folder)
    before = digests(folder)
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, str(folder)], stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        assert run.stdout.readline() == "made one\n"
        run.send_signal(signal.SIGKILL)
    assert digests(folder) == before
    assert (tmp_path / ".warehouse.making").exists()
    # The next run clears up after it, and makes the same bytes in two processes as in one.
    make_demo(folder, "tiny", 1, measures, processes=2)
    assert digests(folder) == before
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse"]


def test_a_process_that_dies_stops_everything(tmp_path: Path) -> None:
    parts = parts_of(make_plan("tiny", 1), tmp_path, [])
    assert len(parts) == 2

    def kill(service: str) -> None:
        for child in multiprocessing.active_children():
            if child.pid is not None:
                os.kill(child.pid, signal.SIGKILL)

    with pytest.raises(WarehouseError, match=r"ended with -9; if memory ran out"):
        make_parts(parts, 2, kill)
    assert multiprocessing.active_children() == []


def test_a_process_says_what_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    parts = [
        replace(part, services=part.services[-1:])
        for part in parts_of(make_plan("tiny", 1), tmp_path / "file", [])
    ]
    with pytest.raises(OutputError, match=r"file: cannot write: Not a directory"):
        make_parts(parts, 2, lambda service: None)


def test_a_process_names_services_then_counts_rows(tmp_path: Path) -> None:
    whole = parts_of(make_plan("tiny", 1), tmp_path, [])[0]
    part = replace(whole, services=whole.services[1:2])
    handler = signal.getsignal(signal.SIGINT)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    try:
        work(part, theirs)
    finally:
        signal.signal(signal.SIGINT, handler)
    said = [ours.recv() for _ in range(len(part.services) + 1)]
    assert said[:-1] == [service.name for service in part.services]
    assert said[-1] == sum(
        pl.scan_parquet(path).select(pl.len()).collect().item()
        for path in tmp_path.rglob("part-*.parquet")
    )
