"""Tables of a company's own in BigQuery, read through a mapping, on a server on loopback."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from google.cloud import bigquery
from typer.testing import CliRunner

from fleetslo import resources
from fleetslo.cli import app
from fleetslo.errors import ContractError, ParameterError, UsageError, WarehouseError
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.bigquery import mapped
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.mappings import read_mapping

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
# A table of a log sink, as far as it matters here.
SINK = (
    "CREATE TABLE `{table}` (`timestamp` TIMESTAMP, insertId STRING, "
    "resource STRUCT<type STRING, labels STRUCT<backend_service_name STRING, zone STRING>>, "
    "httpRequest STRUCT<requestMethod STRING, requestUrl STRING, status INT64, latency FLOAT64>, "
    "jsonpayload_type_loadbalancerlogentry STRUCT<statusdetails STRING>)"
)
ENTRY = (
    "(TIMESTAMP '{at}', '{id}', STRUCT('http_load_balancer' AS type, "
    "STRUCT('cart' AS backend_service_name, 'b' AS zone) AS labels), "
    "STRUCT('GET' AS requestMethod, 'https://shop.example/cart/17' AS requestUrl, "
    "{status} AS status, 0.25 AS latency), STRUCT('' AS statusdetails))"
)


class Place:
    """A project with a mapping of a log sink's table, which lies in a dataset of its own."""

    def __init__(self, folder: Path, warehouse: BigQueryWarehouse) -> None:
        self.file = folder / "queries" / "mappings" / "our-lb.yaml"
        self.warehouse, self.table = warehouse, f"{warehouse.dataset_id}_logs.requests"

    def says(self, **columns: str) -> None:
        given = {"sample_rate": "'0.5'"} | columns
        lines = "".join(f"  {name}: {expression}\n" for name, expression in given.items())
        self.file.write_text(
            f"says: Ours.\nsource: load-balancer/log_sink\nfrom: {self.table}\ncolumns:\n{lines}"
        )

    def load(self, table: str = "requests", **options: Any) -> Any:
        return mapped.load(self.warehouse, table, read_mapping("our-lb"), **options)

    def add(self, *entries: tuple[datetime, int]) -> None:
        rows = ", ".join(
            ENTRY.format(at=at.isoformat(), id=uuid4().hex, status=status) for at, status in entries
        )
        self.warehouse.client.query(f"INSERT INTO `{self.table}` VALUES {rows}").result()

    def totals(self) -> list[tuple[Any, ...]]:
        sql = "SELECT minute, request_count, error_count FROM requests WHERE minute >= '2026-01-01' ORDER BY minute"
        how = bigquery.QueryJobConfig(default_dataset=self.warehouse.dataset_id)
        return [tuple(row) for row in self.warehouse.client.query(sql, job_config=how).result()]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loopback: Any) -> Place:
    (tmp_path / resources.PROJECT_FILE).write_text("")
    (tmp_path / "queries" / "mappings").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    warehouse = open_warehouse(f"bigquery://p/mapped_{uuid4().hex}")
    assert isinstance(warehouse, BigQueryWarehouse)
    place = Place(tmp_path, warehouse)
    place.says()
    loopback.client.create_dataset(place.table.rpartition(".")[0])
    loopback.client.query(SINK.format(table=place.table)).result()
    return place


def answer(place: Place, start: datetime, end: datetime) -> list[dict[str, Any]]:
    mapping = read_mapping("our-lb")
    sql = mapping.statement(mapping.source_for("requests"), f"`{place.table}`", bounded=True)
    period = [
        bigquery.ScalarQueryParameter(name, "TIMESTAMP", at)
        for name, at in (("start", start), ("end", end))
    ]
    return place.warehouse.asker.answer(sql, period, "ours").sort("minute").to_dicts()


def test_the_usual_columns_of_a_log_sink_need_no_mapping(place: Place) -> None:
    place.add((NOON, 200), (NOON, 503), (NOON + MINUTE, 200), (NOON + 2 * MINUTE, 200))
    first, second = answer(place, NOON, NOON + 2 * MINUTE)
    # Each entry stands for 1 / 0.5 = 2 requests; the third minute is outside the period.
    assert (first["minute"], first["service"]) == (NOON, "cart")
    assert first["endpoint"] == "GET /cart/{id}"
    assert (first["request_count"], first["error_count"]) == (4, 2)
    assert [dict(bucket) for bucket in first["latency"]] == [{"bucket": -33, "count": 2}]
    assert second["minute"] == NOON + MINUTE


# The view of a log bucket's linked dataset, as far as it matters here.
VIEW = (
    "CREATE TABLE `{table}` (log_name STRING, insert_id STRING, `timestamp` TIMESTAMP, "
    "resource STRUCT<type STRING, labels JSON>, http_request STRUCT<request_method STRING, "
    "request_url STRING, status INT64, latency STRUCT<seconds INT64, nanos INT64>>, "
    "json_payload JSON)"
)
SEEN = (
    "('requests', '{id}', TIMESTAMP '{at}', STRUCT('http_load_balancer' AS type, "
    "JSON '{{\"backend_service_name\": \"cart\"}}' AS labels), STRUCT('GET' AS request_method, "
    "'https://shop.example/cart/17' AS request_url, 200 AS status, "
    "STRUCT(0 AS seconds, 250000000 AS nanos) AS latency), "
    'JSON \'{{"statusDetails": "response_sent_by_backend"}}\')'
)


def test_the_usual_columns_of_log_analytics_need_no_mapping(place: Place) -> None:
    table = f"{place.table}_view"
    place.warehouse.client.query(VIEW.format(table=table)).result()
    # The entry a arrived twice.
    rows = ", ".join(SEEN.format(at=NOON.isoformat(), id=name) for name in ("a", "a", "b"))
    place.warehouse.client.query(f"INSERT INTO `{table}` VALUES {rows}").result()
    place.file.write_text(
        f"says: Ours.\nsource: load-balancer/log_analytics\nfrom: {table}\n"
        "columns: {sample_rate: 'NULL'}\n"
    )
    place.table = table
    [row] = answer(place, NOON, NOON + MINUTE)
    assert (row["service"], row["endpoint"]) == ("cart", "GET /cart/{id}")
    assert (row["request_count"], row["duration_sum_s"], row["quality"]) == (2, 0.5, "exact")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({}, UsageError, "reads a period; give --from and --to"),
        ({"start": NOON}, UsageError, "give --from and --to"),
        ({"start": NOON, "end": NOON}, ParameterError, "is not before --to"),
        (
            {"start": NOON + timedelta(seconds=30), "end": NOON + MINUTE},
            ParameterError,
            "--from 2026-10-01T12:00:30.*cuts a row of requests",
        ),
        (
            {"start": NOON, "end": NOON + MINUTE, "step": 5 * MINUTE},
            ParameterError,
            "--to .*cuts a row of requests, which covers 0:05:00",
        ),
    ],
)
def test_a_period_that_is_wrong_is_refused(
    place: Place, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        place.load(**options)


PERIOD = {"start": NOON, "end": NOON + timedelta(hours=1)}


def test_a_column_that_the_table_lacks_is_named(place: Place) -> None:
    place.file.write_text(
        f"says: x\nsource: load-balancer/log_sink\nfrom: {place.table}\ncolumns: {{version: insertId}}\n"
    )
    with pytest.raises(
        ContractError,
        match=r"our-lb.yaml: columns: 'sample_rate' is not mapped, and p\..*\.requests has no such",
    ):
        place.load(**PERIOD)


def test_an_expression_that_does_not_fit_the_table_is_named(place: Place) -> None:
    place.says(status="httpRequest.statsu")
    with pytest.raises(
        ContractError, match=r"our-lb.yaml: columns: status: 'httpRequest.statsu' does not fit p\."
    ):
        place.load(**PERIOD)


def test_a_table_that_is_not_there_is_named(place: Place) -> None:
    place.file.write_text(place.file.read_text().replace(".requests", ".nothing"))
    with pytest.raises(WarehouseError, match=r"our-lb.yaml: from: there is no table p\..*nothing"):
        place.load(**PERIOD)


def test_a_mapping_without_a_table_reads_files_alone(place: Place) -> None:
    place.file.write_text("says: x\nsource: load-balancer/log_sink\n")
    with pytest.raises(
        UsageError, match=r"our-lb.yaml: from: names no table, and no file is given"
    ):
        place.load(**PERIOD)


def test_a_table_without_a_time_is_read_whole(place: Place) -> None:
    place.file.write_text(f"says: x\nsource: four-keys\nfrom: {place.table}\n")
    with pytest.raises(UsageError, match=r"our-lb.yaml: time: names no column, so its table is"):
        place.load("incidents", **PERIOD)


@pytest.mark.long
def test_a_period_loaded_again_when_rows_came_late_replaces_its_rows(place: Place) -> None:
    place.warehouse.create()
    place.add((NOON, 200), (NOON + MINUTE, 503))
    first = place.load(**PERIOD)
    assert (first.rows, first.days, first.replaced) == (2, 1, 0)
    # Each entry stands for 1 / 0.5 = 2 requests.
    assert place.totals() == [(NOON, 2, 0), (NOON + MINUTE, 2, 2)]
    place.add((NOON, 500))
    again = place.load(start=NOON, end=NOON + MINUTE)
    assert (again.rows, again.replaced) == (1, 1)
    assert place.totals() == [(NOON, 4, 2), (NOON + MINUTE, 2, 2)]
    assert place.load("errors", **PERIOD).rows == 2


def test_the_command_reads_the_table_that_the_mapping_names(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", place.warehouse.url)
    place.warehouse.create()
    place.add((NOON, 200))
    told = ["warehouse", "load", "requests", "--mapping", "our-lb"]
    period = ["--from", "2026-10-01", "--to", "2026-10-02"]
    result = CliRunner().invoke(app, [*told, *period])
    assert result.exit_code == 0, result.output
    assert "requests: 1 rows in 1 days" in result.output
    assert place.totals() == [(NOON, 2, 0)]


def test_a_mapping_reads_files_into_bigquery_too(place: Place) -> None:
    place.warehouse.create()
    file = place.file.parent / "log.csv"
    file.write_text("at,app,code\n2026-10-01T12:00:07Z,cart,503\n")
    place.file.write_text(
        "says: Ours.\nsource: load-balancer/log_sink\ncolumns: {logged_at: at, service: app, "
        "status: code, method: 'NULL', url: 'NULL', status_details: 'NULL', latency_s: 'NULL', "
        "sample_rate: 'NULL'}\nreads: {at: TIMESTAMP, app: STRING, code: INT64}\n"
    )
    source = read_mapping("our-lb").for_files("requests")
    assert place.warehouse.load("requests", [file], source=source).rows == 1
    assert place.warehouse.load("requests", [file], source=source).already_loaded == (file,)
    assert place.totals() == [(NOON, 1, 1)]


def test_apollos_counters_grow_across_the_start_of_a_period(place: Place) -> None:
    table = f"{place.table}_apollo"
    place.warehouse.client.query(
        f"CREATE TABLE `{table}` (sent_at TIMESTAMP, service STRING, endpoint STRING, host STRING, "
        "what STRING, status_code STRING, stat STRING, unit STRING, sample FLOAT64)"
    ).result()
    rows = ", ".join(
        f"(TIMESTAMP '{(NOON + timedelta(seconds=second)).isoformat()}', 'cart', 'GET:/', 'a', "
        f"'endpoint-request-rate', '200', NULL, 'request', {count})"
        for second, count in ((-30, 100), (30, 107), (90, 110))
    )
    place.warehouse.client.query(f"INSERT INTO `{table}` VALUES {rows}").result()
    place.file.write_text(
        f"says: Apollo.\nsource: apollo\nfrom: {table}\ntime: sent_at\n"
        "columns: {observed_at: sent_at}\n"
    )
    place.warehouse.create()
    place.load(**PERIOD)
    # 107 - 100 though 100 was counted before the period; 110 - 107; nothing of the minute before.
    assert place.totals() == [(NOON, 7, 0), (NOON + MINUTE, 3, 0)]
