"""SQL that a person typed: refused when it is no question, and answered alike by each warehouse."""

from datetime import UTC, date, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from google.cloud import bigquery
from tests.loopback import Server

from fleetslo.errors import ParameterError, UnknownParameter, UnknownTable, UsageError
from fleetslo.fleet import open_fleet
from fleetslo.warehouse.bigquery.tables import loose
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.extracts import Extracts
from fleetslo.warehouse.statement import statement

START = datetime(2026, 10, 20, tzinfo=UTC)
SUMS = """
  -- what a person might ask
  WITH busy AS (
    SELECT service, SUM(request_count) AS request_count, MAX(hour) AS newest
    FROM requests_hourly
    WHERE hour >= @start AND service IN UNNEST(@services)
    GROUP BY service
  )
  SELECT service, request_count, newest, @factor * 2 AS doubled, DATE(newest) AS day, @wanted AS wanted
  FROM busy
  WHERE request_count > @least
  ORDER BY service DESC
"""


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("DELETE FROM requests WHERE true", "DELETE is not a question"),
        ("CREATE TABLE x AS SELECT 1", "CREATE is not a question"),
        ("DECLARE x INT64; SELECT x", "DECLARE is not a question"),
        ("CALL reliability.fleetslo_rollup()", "CALL is not a question"),
        ("-- nothing", "an empty text is not a question"),
        ("SELECT 1; SELECT 2", "there are 2 statements"),
        ("WITH x AS (SELECT 1) DELETE FROM requests WHERE true", "changes something"),
        ("SELECT 1 INTO t", "changes something"),
        ("SELECT FROM WHERE", "not a query in GoogleSQL"),
    ],
)
def test_what_is_not_one_select_is_refused(sql: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        statement(sql, {})


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("a", "STRING"),
        (True, "BOOL"),
        (1, "INT64"),
        (1.5, "FLOAT64"),
        (date(2026, 10, 1), "DATE"),
        (START, "TIMESTAMP"),
        (["a"], "ARRAY<STRING>"),
        ([], "ARRAY<STRING>"),
        ((1, 2.5), "ARRAY<FLOAT64>"),
        ([START], "ARRAY<TIMESTAMP>"),
    ],
)
def test_a_parameter_has_the_type_of_its_value(value: Any, kind: str) -> None:
    assert str(statement("SELECT @x", {"x": value}).types["x"]) == kind


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({}, ParameterError, "names @start: give its value as start="),
        ({"start": START, "strat": 1}, UnknownParameter, "Did you mean 'start'"),
        ({"start": datetime(2026, 10, 1)}, ParameterError, "without a zone"),  # noqa: DTZ001
        ({"start": {"a": 1}}, ParameterError, "lists of those"),
        ({"start": [1, "a"]}, ParameterError, "mixes INT64 and STRING"),
        ({"start": 2**63}, ParameterError, "more than 64 bits"),
    ],
)
def test_values_and_names_must_agree(
    given: dict[str, Any], kind: type[ParameterError], says: str
) -> None:
    with pytest.raises(kind, match=says):
        statement("SELECT @start", given)


def test_the_embedded_warehouse_answers_it(tiny: Path) -> None:
    frame = open_fleet().sql(
        SUMS, start=START, services=["checkout", "search"], least=0, factor=1.5, wanted=["b", "a"]
    )
    # the same sum by DuckDB alone, over the files
    peer = duckdb.sql(
        "SELECT service, sum(request_count)::BIGINT AS request_count FROM "
        f"read_parquet('{tiny}/warehouse/requests_hourly/**/*.parquet') WHERE hour >= "
        "TIMESTAMPTZ '2026-10-20 00:00:00+00' AND service IN ('checkout', 'search') GROUP BY ALL "
        "ORDER BY service DESC"
    ).pl()
    assert frame.height > 0
    assert frame.select("service", "request_count").equals(peer)
    assert frame.schema["request_count"] == pl.Int64
    assert frame.schema["newest"] == pl.Datetime("us", "UTC")
    assert frame.row(0, named=True)["doubled"] == 3.0
    assert frame["wanted"].to_list()[0] == ["b", "a"]


def test_a_table_that_is_not_there_is_named(tiny: Path) -> None:
    with pytest.raises(UnknownTable, match="request_hourly"):
        open_fleet().sql("SELECT 1 AS one FROM request_hourly")


def test_a_batch_answers_named_questions_alone() -> None:
    with pytest.raises(UsageError, match="in a batch every question has a name"):
        Extracts.sql(None, "SELECT 1")  # type: ignore[arg-type]


def test_a_server_answers_as_the_embedded_warehouse_does(
    tiny: Path, loopback: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", loopback.url)
    one = open_fleet()
    rows = one.sql("SELECT * FROM requests_hourly WHERE hour >= @start", start=START)
    dataset = f"{loopback.client.project}.typed"
    loopback.client.create_dataset(dataset, exists_ok=True)
    columns = loose(contract("requests_hourly"))
    table = bigquery.Table(f"{dataset}.requests_hourly", columns)
    loopback.client.create_table(table, exists_ok=True)
    file = BytesIO()
    rows.select(list(contract("requests_hourly").by_name)).write_parquet(file)
    lists = bigquery.ParquetOptions()
    lists.enable_list_inference = True
    how = bigquery.LoadJobConfig(source_format="PARQUET", schema=columns, parquet_options=lists)
    loopback.client.load_table_from_file(file, table, rewind=True, job_config=how).result()
    asked: dict[str, Any] = {
        "start": START, "services": ["search", "checkout"], "least": 1, "factor": 0.5,
        "wanted": ["x"],
    }  # fmt: skip
    place = BigQueryWarehouse(f"bigquery://{loopback.client.project}/typed")
    assert place.sql(SUMS, **asked).equals(one.sql(SUMS, **asked))
    place.client.close()
