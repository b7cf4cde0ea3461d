"""The embedded warehouse as callers see it: opening, querying, describing."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from stored_rows import NOON, csv, incident_row, incidents, minutes, parquet, requests

from fleetslo.errors import (
    DataFileError,
    OutputError,
    SettingsError,
    UnknownQuery,
    WarehouseEmpty,
    WarehouseError,
    WarehouseMissing,
)
from fleetslo.warehouse.base import RollupReport, open_warehouse
from fleetslo.warehouse.contracts import contract, read_contracts
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.engine import answer, connected, explained

PERIOD = {"start": NOON.replace(hour=0), "end": NOON.replace(hour=0) + timedelta(days=1)}


@pytest.fixture
def filled(warehouse, tmp_path):
    rows = [*minutes(3), *minutes(2, start=NOON + timedelta(days=1), service="cart")]
    warehouse.load("requests", [csv(tmp_path / "a.csv", rows)])
    return warehouse


class TestOpening:
    def test_by_address(self, warehouse):
        assert isinstance(open_warehouse(warehouse.url), DuckDBWarehouse)
        assert repr(warehouse) == f"DuckDBWarehouse({warehouse.url!r})"

    def test_a_relative_address_is_of_the_current_folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        assert DuckDBWarehouse("duckdb://here").layout.folder == tmp_path / "here"

    @pytest.mark.parametrize("url", ["", "warehouse", "duckdb:", "duckdb://", "postgres://a/b"])
    def test_what_is_no_address_is_refused(self, url):
        with pytest.raises(
            SettingsError, match=r"is not the address of a warehouse; write duckdb:"
        ):
            open_warehouse(url)

    def test_none_there(self, tmp_path):
        url = f"duckdb://{tmp_path / 'none'}"
        says = (
            r"no warehouse in .*none; make one with 'fleetslo demo' or 'fleetslo warehouse create"
        )
        with pytest.raises(WarehouseMissing, match=says):
            open_warehouse(url)
        warehouse = open_warehouse(url, must_exist=False)
        for use in (
            lambda: warehouse.query("slo/days", **PERIOD),
            lambda: warehouse.load("requests", [tmp_path / "a.csv"]),
            lambda: warehouse.check(NOON),
            lambda: warehouse.rollup([]),
            warehouse.describe,
            warehouse.migrate,
            warehouse.complete_until,
        ):
            with pytest.raises(WarehouseMissing, match=says):
                use()
        assert not (tmp_path / "none").exists()

    def test_create_leaves_what_exists(self, filled):
        before = filled.layout.meta_file.read_bytes()
        filled.create()
        assert filled.layout.meta_file.read_bytes() == before
        assert filled.layout.meta["contracts"] == {
            name: one.version for name, one in read_contracts().items()
        }

    def test_a_folder_that_cannot_be_made(self, tmp_path):
        (tmp_path / "file").write_text("")
        warehouse = DuckDBWarehouse(f"duckdb://{tmp_path / 'file' / 'warehouse'}")
        with pytest.raises(OutputError, match=r"file/warehouse: cannot write: Not a directory"):
            warehouse.create()

    @pytest.mark.skipif(sys.platform != "linux", reason="needs a read-only mount")
    def test_a_read_only_folder_is_read_and_not_written(self, filled, tmp_path):
        """Root may write to anything but a read-only mount, so the test makes one of its own."""
        folder = filled.layout.folder
        script = (
            "import sys\nfrom pathlib import Path\n"
            "from fleetslo.errors import OutputError\n"
            "from fleetslo.warehouse.duckdb import DuckDBWarehouse\n"
            "warehouse = DuckDBWarehouse(sys.argv[1])\n"
            "print(warehouse.describe()['rows'].sum())\n"
            "try:\n    warehouse.load('requests', [Path(sys.argv[2])])\n"
            "except OutputError as error:\n    print(error)\n"
        )
        new = csv(tmp_path / "new.csv", minutes(1, service="new"))
        mount = f"mount --bind {folder} {folder} && mount -o remount,ro,bind {folder}"
        command = ["unshare", "-m", "sh", "-c", f'{mount} || exit 77; exec "$@"', "sh"]
        command += [sys.executable, "-c", script, filled.url, str(new)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        if done.returncode in (1, 77, 126, 127) and not done.stdout:
            pytest.skip(f"no read-only mount can be made here: {done.stderr.strip()}")
        assert done.stdout.splitlines()[0] == "5"
        assert f"{folder}/.lock: cannot write: Read-only file system" in done.stdout


class TestQuery:
    def test_an_empty_warehouse(self, warehouse):
        says = r"holds no data yet; fill it with 'fleetslo demo' or 'fleetslo warehouse load"
        with pytest.raises(WarehouseEmpty, match=says):
            warehouse.query("requests/minutes", **PERIOD)

    def test_an_unknown_query_is_named_before_the_warehouse_is_looked_at(self, tmp_path):
        warehouse = DuckDBWarehouse(f"duckdb://{tmp_path / 'none'}")
        with pytest.raises(UnknownQuery, match=r"no query 'slo/weeks'"):
            warehouse.query("slo/weeks", **PERIOD)

    def test_answers_with_the_columns_of_its_contract(self, filled):
        answer = filled.query("requests/minutes", **PERIOD)
        assert answer["service"].to_list() == ["checkout"] * 3
        assert answer["request_count"].to_list() == [12] * 3
        assert answer["minute"].dtype == pl.Datetime("us", "UTC")
        assert filled.query("requests/minutes", **PERIOD, services=["cart"]).height == 0

    def test_a_table_without_rows_is_empty_and_typed(self, filled):
        assert filled.query("oncall/incidents", **PERIOD).height == 0

    def test_what_began_before_the_period_is_found_by_the_lookback(self, filled, tmp_path):
        row = incident_row(started_at=NOON - timedelta(days=2))
        filled.load("incidents", [parquet(tmp_path / "i.parquet", incidents(row))])
        assert filled.query("oncall/incidents", **PERIOD)["incident_id"].to_list() == ["i1"]

    def test_files_of_other_days_are_not_opened(self, filled):
        later = filled.layout.files("requests")[-1]
        later.write_bytes(b"broken")
        assert filled.query("requests/minutes", **PERIOD).height == 3
        with pytest.raises(DataFileError, match=r"day=2026-11-01/part-0.parquet: cut short"):
            filled.query("requests/minutes", start=NOON, end=NOON + timedelta(days=2))

    def test_a_damaged_file_is_named_though_duckdb_does_not(self, filled):
        file = filled.layout.files("requests")[0]
        whole = file.read_bytes()
        file.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
        with pytest.raises(DataFileError, match=r"day=2026-10-31/part-0.parquet: cut short or dam"):
            filled.query("requests/minutes", **PERIOD)

    def test_sql_that_fails_names_the_query(self, filled, tmp_path, monkeypatch):
        (tmp_path / "fleetslo.toml").write_text("")
        folder = tmp_path / "queries" / "mine"
        folder.mkdir(parents=True)
        (folder / "broken.sql").write_text(
            "SELECT nothing AS service FROM requests WHERE minute >= @start AND minute < @end\n"
        )
        (folder / "broken.yaml").write_text(
            "says: Nothing.\ngrain: [service]\nparameters: {start: TIMESTAMP, end: TIMESTAMP}\n"
            "columns: {service: {type: STRING}}\n"
        )
        monkeypatch.chdir(tmp_path)
        with pytest.raises(WarehouseError, match=r'query mine/broken: .*"nothing"'):
            filled.query("mine/broken", **PERIOD)


class TestDescribe:
    def test_says_what_each_table_holds(self, filled):
        described = filled.describe()
        assert described.columns == ["table", "says", "rows", "days", "first", "last", "bytes"]
        assert described["table"].to_list() == list(read_contracts())
        rows = {row["table"]: row for row in described.iter_rows(named=True)}
        assert rows["requests"] == {
            "table": "requests",
            "says": contract("requests").says,
            "rows": 5,
            "days": 2,
            "first": NOON,
            # the second day holds 12:00 and 12:01
            "last": NOON + timedelta(days=1, minutes=1),
            "bytes": sum(file.stat().st_size for file in filled.layout.files("requests")),
        }
        assert rows["errors"]["rows"] == 0
        assert rows["errors"]["first"] is None
        assert rows["services"]["days"] is None

    def test_reads_no_rows(self, filled):
        """The rows may be garbage as long as the footer is whole."""
        file = filled.layout.files("requests")[0]
        whole = file.read_bytes()
        file.write_bytes(whole[:4] + b"\xff" * 60 + whole[64:])
        assert filled.describe()["rows"].sum() == 5

    def test_names_a_file_that_is_cut_short(self, filled):
        file = filled.layout.files("requests")[0]
        file.write_bytes(file.read_bytes()[:100])
        with pytest.raises(DataFileError, match=r"part-0.parquet: cut short or damaged"):
            filled.describe()


class TestCompleteUntil:
    def put(self, warehouse, table, time):
        row = dict.fromkeys(contract(table).by_name) | {contract(table).partition: time}
        frame = pl.DataFrame([row], schema=contract(table).schema)
        folder = warehouse.layout.partition(table, time.date())
        folder.mkdir(parents=True, exist_ok=True)
        frame.write_parquet(folder / "part-0.parquet")

    def test_nothing_is_complete_in_an_empty_warehouse(self, warehouse):
        assert warehouse.complete_until() is None

    def test_the_end_of_the_newest_minute(self, filled):
        assert filled.complete_until() == NOON + timedelta(days=1, minutes=2)

    def test_whichever_table_reaches_furthest(self, filled):
        self.put(filled, "sli_events", NOON + timedelta(days=2))
        assert filled.complete_until() == NOON + timedelta(days=2, minutes=1)
        self.put(filled, "slo_minutes", NOON + timedelta(days=3))
        assert filled.complete_until() == NOON + timedelta(days=3, minutes=1)

    def test_an_hour_counts_only_where_its_minutes_are_not_stored(self, filled):
        day = NOON + timedelta(days=1)
        self.put(filled, "requests_hourly", day)
        assert filled.complete_until() == day + timedelta(minutes=2)
        self.put(filled, "requests_hourly", day + timedelta(hours=1))
        assert filled.complete_until() == day + timedelta(hours=2)

    def test_the_last_row_of_a_coarser_source_covers_its_step(self, warehouse, tmp_path):
        file = csv(tmp_path / "a.csv", minutes(1))
        warehouse.load("requests", [file], step=timedelta(minutes=5))
        assert warehouse.complete_until() == NOON + timedelta(minutes=5)


def test_a_full_disk_is_named(tmp_path):
    """/dev/full answers every write as a full disk does."""
    copy = "COPY (SELECT range FROM range(1000000)) TO '/dev/full' (FORMAT csv)"
    says = r"load requests: cannot write: .*No space left"
    with pytest.raises(OutputError, match=says), explained("load requests"):
        duckdb.sql(copy)


@pytest.mark.long
def test_ctrl_c_in_a_statement_is_ctrl_c():
    pairs = "FROM range(30000) a, range(100000) b"
    stop = threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT))
    stop.start()
    with pytest.raises(KeyboardInterrupt), explained("query"), connected() as connection:
        answer(connection, f"SELECT sum(hash(a.range * b.range)) {pairs}")
    stop.join()


def test_other_errors_pass_as_they_are():
    with pytest.raises(RuntimeError, match=r"mine"), explained("query"):
        raise RuntimeError("mine")


def test_a_rollup_report_has_a_line_per_table():
    report = RollupReport(days={"requests_hourly": 2}, rows={"requests_hourly": 1200})
    assert report.lines() == ["requests_hourly: 1,200 rows in 2 days"]


def test_what_does_not_fit_in_memory_goes_to_disk_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with connected() as connection:
        answer(connection, "SET memory_limit = '40MB'")
        # 5,000,000 numbers of 8 bytes are 40 MB before they are sorted
        numbers = "SELECT hash(range) AS h FROM range(5000000) ORDER BY h"
        answer(connection, f"CREATE TABLE sorted AS {numbers}")
        assert answer(connection, "SELECT count(*) FROM sorted") == [(5_000_000,)]
        assert list(tmp_path.glob("fleetslo-*/*"))
    assert list(tmp_path.iterdir()) == []


def test_times_are_utc_whatever_the_machine_says(filled, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    answer = filled.query("requests/minutes", **PERIOD)
    assert answer["minute"].min() == datetime(2026, 10, 31, 12, tzinfo=UTC)


def test_folders_with_odd_names_work(tmp_path):
    warehouse = DuckDBWarehouse(f"duckdb://{tmp_path / 'it is 50% [mine]*' / 'wäre?'}")
    warehouse.create()
    file = parquet(tmp_path / "o'clock [1].parquet", requests(*minutes(2)))
    warehouse.load("requests", [file])
    assert warehouse.query("requests/minutes", **PERIOD).height == 2
    assert warehouse.describe()["rows"].sum() == 2
