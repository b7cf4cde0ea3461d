"""Loading into a dataset on the loopback server: files, and rows that lie in BigQuery already."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from google.cloud import bigquery
from stored_rows import (
    NOON,
    csv,
    incident_row,
    incidents,
    minutes,
    ndjson,
    parquet,
    request_row,
    requests,
)

from fleetslo.errors import ContractError, DataFileError, ParameterError
from fleetslo.warehouse.base import LoadReport
from fleetslo.warehouse.bigquery import filling
from fleetslo.warehouse.bigquery.filling import load_rows
from fleetslo.warehouse.bigquery.steps import steps
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse

NEXT_DAY = datetime(2026, 11, 1, tzinfo=UTC)
ROWS = [*minutes(3), *minutes(2, start=NEXT_DAY, service="cart")]


def stored(warehouse: BigQueryWarehouse, table: str = "requests") -> pl.DataFrame:
    """Every row of a table, in the order of its contract."""
    wanted = contract(table)
    sql = f"SELECT {', '.join(wanted.by_name)} FROM {table}"
    if wanted.partition:
        sql += f" WHERE {wanted.partition} >= TIMESTAMP '2000-01-01'"
    return wanted.cast(warehouse.asker.answer(sql, [], "test")).sort(wanted.order)


def tables(warehouse: BigQueryWarehouse) -> set[str]:
    return {item.table_id for item in warehouse.client.list_tables(warehouse.dataset_id)}


def refused(
    warehouse: BigQueryWarehouse, file: Path, error: type[Exception] = ContractError
) -> str:
    there, before = tables(warehouse), stored(warehouse)
    with pytest.raises(error) as caught:
        warehouse.load("requests", [file])
    assert stored(warehouse).equals(before)
    assert tables(warehouse) <= there | {"fleetslo_loads"}
    return str(caught.value)


@pytest.mark.parametrize("write", [csv, ndjson, lambda path, rows: parquet(path, requests(*rows))])
def test_every_kind_of_file_stores_the_same_rows(
    made: BigQueryWarehouse, tmp_path: Path, write: Any
) -> None:
    kind = {csv: "csv", ndjson: "ndjson"}.get(write, "parquet")
    report = made.load("requests", [write(tmp_path / f"rows.{kind}", ROWS)])
    # 3 minutes on 31 October, 2 on 1 November
    assert report == LoadReport(rows=5, days=2)
    assert stored(made).equals(requests(*ROWS).sort(contract("requests").order))
    assert not any("staging" in name for name in tables(made))


def test_a_file_loaded_twice_counts_once(made: BigQueryWarehouse, tmp_path: Path) -> None:
    file = csv(tmp_path / "a.csv", ROWS)
    made.load("requests", [file])
    assert made.load("requests", [file]) == LoadReport(0, 0, already_loaded=(file,))
    assert stored(made).height == 5


def test_rows_of_the_same_grain_are_replaced_and_others_kept(
    made: BigQueryWarehouse, tmp_path: Path
) -> None:
    first = csv(tmp_path / "a.csv", ROWS)
    made.load("requests", [first])
    second = csv(tmp_path / "b.csv", minutes(4, request_count=99))
    # minutes 12:00 to 12:02 are there, 12:03 is new
    assert made.load("requests", [second]) == LoadReport(4, 1, replaced=3)
    counts = stored(made).filter(service="checkout")["request_count"].to_list()
    assert counts == [99, 99, 99, 99]
    # what was replaced can be loaded again, and is not taken for what is there already
    assert made.load("requests", [first]) == LoadReport(5, 2, replaced=5)
    counts = stored(made).filter(service="checkout")["request_count"].to_list()
    assert counts == [12, 12, 12, 99]


def test_null_in_the_grain_equals_null(made: BigQueryWarehouse, tmp_path: Path) -> None:
    row = dict.fromkeys(contract("errors").by_name) | {
        "minute": NOON, "service": "a", "endpoint": "", "region": "", "version": "",
        "error": "500", "error_count": 1, "is_fault": True,
    }  # fmt: skip
    frame = pl.DataFrame([row, row | {"upstream": "db"}], schema=contract("errors").schema)
    made.load("errors", [parquet(tmp_path / "a.parquet", frame)])
    again = frame.with_columns(error_count=pl.lit(2, pl.Int64))
    assert made.load("errors", [parquet(tmp_path / "b.parquet", again)]).replaced == 2
    assert stored(made, "errors")["error_count"].to_list() == [2, 2]


def test_a_row_moves_to_another_day_where_the_time_is_no_part_of_the_grain(
    made: BigQueryWarehouse, tmp_path: Path
) -> None:
    made.load("incidents", [parquet(tmp_path / "a.parquet", incidents(incident_row()))])
    moved = incidents(incident_row(started_at=NOON - timedelta(days=40)))
    assert made.load("incidents", [parquet(tmp_path / "b.parquet", moved)]).replaced == 1
    assert stored(made, "incidents")["started_at"].to_list() == [NOON - timedelta(days=40)]


def test_a_table_without_days_is_filled_too(made: BigQueryWarehouse, tmp_path: Path) -> None:
    row = dict.fromkeys(contract("services").by_name) | {"service": "a", "valid_from": NOON}
    frame = pl.DataFrame([row], schema=contract("services").schema)
    file = parquet(tmp_path / "a.parquet", frame)
    assert made.load("services", [file]) == LoadReport(1, 1)
    assert made.load("services", [file]).already_loaded == (file,)
    assert stored(made, "services").equals(frame)


def test_a_broken_file_changes_nothing_and_is_refused_in_the_words_of_the_embedded_warehouse(
    made: BigQueryWarehouse, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    made.load("requests", [csv(tmp_path / "sound.csv", ROWS)])
    rows = [*minutes(12, start=NEXT_DAY, error_count=13), request_row(NEXT_DAY, quality="good")]
    file = csv(tmp_path / "broken.csv", rows)
    said = refused(made, file)
    with pytest.raises(ContractError) as caught:
        warehouse.load("requests", [file])
    assert said == str(caught.value)
    assert "13 rows break the contract" in said
    assert "broken.csv: row 1: column 'error_count' is '13'" in said
    half = tmp_path / "half.parquet"
    parquet(half, requests(*minutes(500)))
    half.write_bytes(half.read_bytes()[:2000])
    assert "cut short or damaged" in refused(made, half, DataFileError)


def test_files_of_any_size_go_up_in_parts_and_every_step_is_told(
    made: BigQueryWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filling, "PART_BYTES", 1000)
    many = requests(*minutes(1000)).join(
        pl.DataFrame({"name": [f"r{n}" for n in range(130)]}), how="cross"
    )
    many = many.with_columns(region="name").select(*contract("requests").by_name)
    told: list[tuple[str, int, int]] = []
    report = made.load(
        "requests",
        [parquet(tmp_path / "a.parquet", many)],
        progress=lambda *step: told.append(step),
    )
    assert report == LoadReport(130_000, 2)  # 1,000 minutes from noon reach into the next day
    counted = "SELECT COUNT(*) AS n FROM requests WHERE minute >= TIMESTAMP '2026-10-01'"
    assert made.asker.answer(counted, [], "test")["n"][0] == 130_000
    assert [total for what, _, total in told if what == "uploading requests"][-1] > 1
    assert told[-1] == ("merging requests", 1, 1)


def test_steps_of_coarse_sources_are_remembered(made: BigQueryWarehouse, tmp_path: Path) -> None:
    every5 = [
        request_row(NOON + timedelta(minutes=5 * n), service=service)
        for n in range(3)
        for service in ("a", "b")
    ]
    made.load("requests", [csv(tmp_path / "a.csv", every5)], step=timedelta(minutes=5))
    made.load("requests", [csv(tmp_path / "b.csv", minutes(3))])
    end = NOON + timedelta(minutes=15)
    five = timedelta(minutes=5)
    # 12:00, 12:05 and 12:10 cover up to 12:15
    assert steps(made, "requests", NOON, end) == {"a": five, "b": five}
    assert steps(made, "requests", NOON - five, NOON) == {}
    assert steps(made, "requests", end, end + five) == {}
    assert steps(made, "errors", NOON, end) == {}
    with pytest.raises(ParameterError, match="is not a whole number"):
        made.load("requests", [csv(tmp_path / "a.csv", every5)], step=timedelta(seconds=90))


def test_a_dataset_without_the_book_has_no_steps_and_gets_the_book_with_a_load(
    made: BigQueryWarehouse, tmp_path: Path
) -> None:
    made.client.delete_table(f"{made.dataset_id}.fleetslo_loads")
    assert steps(made, "requests", NOON, NEXT_DAY) == {}
    assert made.load("requests", [csv(tmp_path / "a.csv", ROWS)]).rows == 5
    assert "fleetslo_loads" in tables(made)


class TestRowsOfASelect:
    SELECT = """
        SELECT
          minute, 'shop' AS service, '' AS endpoint, '' AS region, '' AS version,
          COUNT(*) AS request_count, SUM(bad) AS error_count, 'exact' AS quality,
          CAST(COUNT(*) AS FLOAT64) AS observed_count
        FROM (
          SELECT TIMESTAMP_ADD(@start, INTERVAL n MINUTE) AS minute, bad
          FROM UNNEST([0, 0, 1]) AS n
          CROSS JOIN UNNEST([0, 1]) AS bad
        )
        GROUP BY minute
    """
    START = (bigquery.ScalarQueryParameter("start", "TIMESTAMP", NOON),)

    def test_they_are_cast_and_merged(self, made: BigQueryWarehouse) -> None:
        for replaced in (0, 2):
            report = load_rows(made, contract("requests"), self.SELECT, self.START, "mapping lb")
            assert report == LoadReport(2, 1, replaced)
        found = stored(made).select("minute", "request_count", "error_count", "observed_count")
        # n = 0 twice and n = 1 once, each with a good and a bad one
        assert found.rows() == [(NOON, 4, 2, 4), (NOON + timedelta(minutes=1), 2, 1, 2)]
        assert stored(made)["latency"].to_list() == [[], []]
        assert not any("staging" in name for name in tables(made))

    def test_their_steps_are_remembered(self, made: BigQueryWarehouse) -> None:
        hour = timedelta(hours=1)
        sql = self.SELECT.replace("n MINUTE", "n HOUR")
        load_rows(made, contract("requests"), sql, self.START, "mapping lb", step=hour)
        assert steps(made, "requests", NOON, NOON + 2 * hour) == {"shop": hour}

    @pytest.mark.parametrize(
        ("was", "becomes", "says"),
        [
            ("'exact' AS quality", "'good' AS quality",
             ("2 rows break the contract\n  mapping lb: minute=2026-10-31 12:00:00+00 service=shop "
             "endpoint= region= version=: column 'quality' is 'good': the contract wants quality IN")),
            ("SUM(bad)", "SUM(bad) * 3",
             ("column 'error_count' is '6': the contract wants errors within requests "
             "(error_count <= request_count), request_count is 4")),
            ("CAST(COUNT(*) AS FLOAT64)", "COUNT(*) / 4",
             "column 'observed_count': is not a whole number"),
            ("'shop' AS service", "CAST(NULL AS STRING) AS service",
             "column 'service': is empty; the contract wants a value"),
            ("GROUP BY minute", ("GROUP BY minute UNION ALL SELECT TIMESTAMP '2026-10-31 12:00:00', "
             "'shop', '', '', '', 1, 0, 'exact', 1.0"),
             ("mapping lb: 2 rows have the same minute, service, endpoint, region, version: "
             "minute=2026-10-31 12:00:00+00 service=shop")),
            ("'' AS region, ", "", "mapping lb: requests: column 'region' is missing"),
            ("AS quality", "AS qualty",
             "requests has no column 'qualty'. Did you mean 'quality'?"),
            ("SUM(bad)", "'x'", "column 'error_count' is STRING, not INT64"),
        ],
    )  # fmt: skip
    def test_what_breaks_the_contract_is_named_and_nothing_is_loaded(
        self, made: BigQueryWarehouse, was: str, becomes: str, says: str
    ) -> None:
        sql = self.SELECT.replace(was, becomes)
        with pytest.raises(ContractError) as caught:
            load_rows(made, contract("requests"), sql, self.START, "mapping lb")
        assert says in str(caught.value)
        assert stored(made).is_empty()
        assert not any("staging" in name for name in tables(made))
