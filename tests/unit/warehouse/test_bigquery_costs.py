"""What BigQuery would store, read and charge; checked against the sizes of a demo fleet."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner

from fleetslo.cli import app
from fleetslo.fleet import open_fleet
from fleetslo.resources import packaged
from fleetslo.warehouse.contracts import Contract, read_contracts
from fleetslo.warehouse.costs import (
    GIB,
    LEAST_BILLED,
    REPORTS,
    Ask,
    asked_by_every_report,
    asked_once,
    batch,
    bytes_read,
    columns_read,
    same_of_requests,
    stored,
)
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.queries import list_queries, read_query
from fleetslo.warehouse.sizes import Shape, buckets, column_bytes, rows_a_day

ONE = Shape(1, endpoints=1, regions=1, rate=20, objectives=1, releases=0)
SUMS = ("requests", "requests_hourly", "requests_daily", "errors_hourly", "errors_daily")


def test_a_row_of_an_objective_s_minute_takes_85_bytes() -> None:
    """8 the minute, 2 + 12 service, 2 + 23 objective, 2 + 12 definition, 3 * 8 counts: 85."""
    widths = column_bytes(read_contracts()["slo_minutes"], ONE)
    assert sum(widths.values()) == 8 + 14 + 25 + 14 + 24


def test_a_histogram_takes_16_bytes_for_each_bucket() -> None:
    widths = column_bytes(read_contracts()["requests"], ONE)
    assert widths["latency"] == pytest.approx(16 * buckets(20))


def test_no_request_fills_no_bucket_and_more_requests_fill_more() -> None:
    assert buckets(0) == 0
    # Of a hundredth of a request, a hundredth of a bucket; two hardly ever meet.
    assert buckets(0.01) == pytest.approx(0.01, rel=0.01)
    filled = [buckets(requests) for requests in (2, 20, 200, 2_000, 20_000, 200_000)]
    assert filled == sorted(filled)
    assert all(count <= 320 for count in filled)


def test_rows_are_the_product_of_the_grain() -> None:
    # 10 services, 3 endpoints, 2 regions and 1 version: 60 series; 24 hours of each, and one more
    # for each half a release: 60 * 24.5 hours and 60 * 1.5 days.
    shape = Shape(10, endpoints=3, regions=2, objectives=2, releases=0.5)
    contracts = read_contracts()
    assert rows_a_day(contracts["requests"], shape) == 60 * 1440
    assert rows_a_day(contracts["requests_hourly"], shape) == 60 * 24.5
    assert rows_a_day(contracts["requests_daily"], shape) == 60 * 1.5
    assert rows_a_day(contracts["slo_minutes"], shape) == 10 * 2 * 1440
    assert rows_a_day(contracts["deployments"], shape) == 10 * 2 * 0.5


def test_a_query_reads_the_columns_that_it_names() -> None:
    read = columns_read(read_query("requests/days"))
    assert read == {"requests_daily": {"service", "day", "request_count", "error_count"}}
    # Counting rows reads no column; those it groups by, sums and bounds are read.
    read = columns_read(read_query("slo/window_totals"))
    assert read["slo_minutes"] == set(read_contracts()["slo_minutes"].by_name)
    assert "latency" in columns_read(read_query("latency/services"))["requests_daily"]


@pytest.mark.parametrize("name", list_queries())
def test_every_table_that_a_query_names_is_read_with_its_partition(name: str) -> None:
    for table, columns in columns_read(read_query(name)).items():
        contract = read_contracts()[table]
        assert columns
        assert contract.partition is None or contract.partition in columns


def test_a_question_reads_its_columns_of_its_days() -> None:
    # 1,000,000 rows a day of 8 the day, 14 service and 2 * 8 counts, 28 days: 1.064 GB.
    shape = Shape(1_000_000, endpoints=1, regions=1, releases=0)
    read = bytes_read(Ask("requests/days", 28), shape)
    assert read == {"requests_daily": pytest.approx(1_000_000 * (8 + 14 + 16) * 28)}


def test_a_lookback_is_read_too() -> None:
    shape = Shape(1_000_000)
    days = read_query("oncall/incidents").lookback / timedelta(days=1)
    read = bytes_read(Ask("oncall/incidents", 28), shape)["incidents"]
    width = sum(column_bytes(read_contracts()["incidents"], shape).values())
    assert read == pytest.approx(1_000_000 * 0.01 * (28 + days) * width)


def test_each_table_is_billed_for_ten_mebibytes_at_least() -> None:
    read = bytes_read(Ask("fleet/freshness", 1), Shape(1))
    assert read == dict.fromkeys(read, LEAST_BILLED)
    assert len(read) == 5


def test_a_question_asked_twice_is_one_question() -> None:
    asked = asked_once([Ask("slo/days", 28), Ask("slo/days", 28), Ask("slo/days", 28, 7)], ONE)
    assert asked.height == 2


def test_the_batch_has_the_same_questions_for_any_number_of_services() -> None:
    names = ["query", "days", "before"]
    few, many = batch(Shape(5)), batch(Shape(10_000))
    assert few.select(names).sort(names).equals(many.select(names).sort(names))


def test_pages_that_ask_for_themselves_read_more_than_one_answer_for_all() -> None:
    shape = Shape(3000)
    least, most = asked_by_every_report(shape, squads=375)
    assert batch(shape)["bytes"].sum() < least < most


@pytest.mark.parametrize("rate", [2, 20, 200])
@pytest.mark.parametrize("name", ["requests/days", "latency/services", "latency/endpoints"])
def test_days_are_at_most_three_hundredths_of_minutes(name: str, rate: float) -> None:
    shape, ask = Shape(3000, rate=rate), Ask(name, 28)
    assert sum(bytes_read(ask, shape).values()) <= 0.03 * same_of_requests(ask, shape)


def test_what_is_stored_grows_with_the_days_but_for_the_catalogue() -> None:
    one, ten = (dict(stored(ONE, days).select("table", "bytes").iter_rows()) for days in (1, 10))
    assert ten["requests"] == pytest.approx(10 * one["requests"])
    assert ten["services"] == one["services"]
    assert sum(one.values()) < GIB


def _logical_bytes(contract: Contract, frame: pl.LazyFrame) -> pl.LazyFrame:
    """The bytes of each row, counted: 8, 1 or 2 and the text; nothing for null."""
    parts = []
    for column in contract.columns:
        value = pl.col(column.name)
        if column.type.is_histogram:
            parts.append(value.list.len().cast(pl.Int64) * 16)
        elif column.type.kind == "STRING":
            parts.append(value.str.len_bytes().cast(pl.Int64) + 2)
        else:
            width = 1 if column.type.kind == "BOOL" else 8
            parts.append(pl.when(value.is_not_null()).then(width).otherwise(0).cast(pl.Int64))
    return frame.select(
        "service", pl.col(contract.partition or "service").alias("at"),
        pl.sum_horizontal(*(part.fill_null(0) for part in parts)).alias("bytes"),
    )  # fmt: skip


def _table(home: Path, name: str) -> pl.LazyFrame:
    return pl.scan_parquet(home / f"warehouse/{name}/**/*.parquet", hive_partitioning=False)


def _series(home: Path) -> list[Shape]:
    """Each service, endpoint and region of the last seven days as a fleet of its own."""
    days = _last_week(_table(home, "requests_daily"), "day")
    found = days.group_by("service", "endpoint", "region").agg(
        rate=pl.col("request_count").sum() / (7 * 1440), releases=pl.len() / 7 - 1
    )  # fmt: skip
    return [
        Shape(1, endpoints=1, regions=1, rate=row["rate"], releases=max(row["releases"], 0))
        for row in found.collect().iter_rows(named=True)
    ]


def _last_week(frame: pl.LazyFrame, at: str) -> pl.LazyFrame:
    newest = frame.select(pl.col(at).max().dt.truncate("1d")).collect().item()
    return frame.filter(pl.col(at).dt.truncate("1d") > newest - timedelta(days=7))


@pytest.mark.parametrize("name", SUMS)
def test_the_demo_fleet_is_as_large_as_calculated(name: str, tiny_home: Path) -> None:
    """Within a quarter: real series are uneven over the day, and so fill fewer buckets."""
    contract = read_contracts()[name]
    at = contract.partition or ""
    # Minutes are kept whole for the last days only, and in part around incidents.
    served = _last_week(_table(tiny_home, name), at)
    whole = served.group_by(pl.col(at).dt.date().alias("date")).agg(pl.col(at).n_unique())
    steps = {"minute": 1440, "hour": 24, "day": 1}[at]
    dates = whole.filter(pl.col(at) == steps).collect()["date"].to_list()
    kept = _table(tiny_home, name).filter(pl.col(at).dt.date().is_in(dates))
    total = _logical_bytes(contract, kept).select(pl.col("bytes").sum()).collect().item()
    calculated = sum(
        rows_a_day(contract, shape) * sum(column_bytes(contract, shape).values())
        for shape in _series(tiny_home)
    )
    assert calculated == pytest.approx(total / len(dates), rel=0.25)


@pytest.mark.parametrize(
    "name", ["slo_minutes", "runtimes", "errors", "services", "deployments", "pages"]
)
def test_a_row_of_the_demo_fleet_is_as_wide_as_calculated(name: str, tiny_home: Path) -> None:
    contract = read_contracts()[name]
    rows = _logical_bytes(contract, _table(tiny_home, name))
    found = rows.select(pl.col("bytes").mean()).collect().item()
    widths = column_bytes(contract, Shape(4))
    assert sum(widths.values()) == pytest.approx(found, rel=0.25)


README = Path(__file__).parents[3] / "README.md"


def test_the_readme_shows_what_the_command_prints() -> None:
    words = "warehouse cost --services 100 --services 1000 --services 3000 --services 10000"
    printed = CliRunner().invoke(app, words.split())
    assert printed.exit_code == 0
    text = README.read_text()
    assert f"fleetslo {words}" in text
    for line in printed.output.splitlines():
        assert line.strip() in text
    detail = CliRunner().invoke(app, ["warehouse", "cost", "--services", "3000"]).output
    for line in detail[detail.index(" 28 days, against") :].splitlines():
        assert line.strip() in text


def test_one_fleet_is_told_in_detail() -> None:
    printed = CliRunner().invoke(app, ["warehouse", "cost", "--services", "1", "--price", "1024"])
    assert printed.exit_code == 0
    # 10 MiB, the least of any question, cost 1,024 / 1,048,576 * 10 = 0.0098 dollars.
    line = next(line for line in printed.output.splitlines() if "oncall/incidents" in line)
    assert line.split()[-1] == "0.0098"
    for name in ("slo_minutes", "fleet/freshness", "service_slo", "at 200 a minute"):
        assert name in printed.output


@pytest.mark.parametrize("report", sorted(REPORTS))
def test_a_report_asks_the_questions_that_are_counted(
    report: str, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's objectives of a calendar and with exclusions may ask for further stretches."""
    asked: set[tuple[str, int]] = set()
    query = DuckDBWarehouse.query

    def noted(self: DuckDBWarehouse, name: str, **given: Any) -> pl.DataFrame:
        asked.add((name, round((given["end"] - given["start"]) / timedelta(days=1))))
        return query(self, name, **given)

    monkeypatch.setattr(DuckDBWarehouse, "query", noted)
    notebook = json.loads((packaged("notebooks") / f"reports/{report}.ipynb").read_text())
    names: dict[str, Any] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), names)  # noqa: S102, the project's own notebook
            _choose(names)
    counted = {(ask.query, ask.days) for ask in REPORTS[report]} - {("slo/stretches", 28)}
    assert counted <= asked
    known = {ask.query for ask in REPORTS[report]} | {"slo/slices", "slo/stretches"}
    assert {name for name, _ in asked} <= known | {"slo/minutes"}


def _choose(names: dict[str, Any]) -> None:
    """Put a service and a squad that the tiny fleet has in place of the notebook's own."""
    services = open_fleet().services(open_fleet().period("28d"))
    for key, column in (("service", "service"), ("squad", "squad")):
        if isinstance(names.get(key), str):
            names[key] = services[column].drop_nulls()[0]
