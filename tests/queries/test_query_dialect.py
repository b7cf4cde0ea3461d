"""The forms that DuckDB gets instead of a literal translation mean the same."""

import duckdb
import polars as pl
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.warehouse.dialect import names_in, to_duckdb
from fleetslo.warehouse.types import Type

LATENCY = "STRUCT(bucket BIGINT, count BIGINT)[]"
HISTOGRAM = "ARRAY<STRUCT<bucket INT64, count INT64>>"


def literal(sql: str) -> str:
    """Return sqlglot's own translation."""
    return sqlglot.transpile(sql, read="bigquery", write="duckdb")[0]


def ours(sql: str, parameters: dict[str, str] | None = None, **columns: str) -> str:
    kinds = {name: Type.parse(text) for name, text in (parameters or {}).items()}
    return to_duckdb(sql, kinds, {name: Type.parse(text) for name, text in columns.items()})


@pytest.fixture(scope="module")
def rows() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(
        f"""CREATE TABLE rows AS SELECT * FROM (VALUES
        ('a', [{{bucket: 1, count: 2}}, {{bucket: 3, count: 4}}]::{LATENCY}),
        ('a', []::{LATENCY}), ('b', NULL::{LATENCY}), ('b', [{{bucket: 3, count: 5}}]::{LATENCY}),
        ('c', [{{bucket: 9, count: NULL}}, {{bucket: 1, count: 7}}]::{LATENCY})
        ) AS t(service, latency)"""
    )
    return connection


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT service, (SELECT SUM(e.count) FROM UNNEST(latency) AS e) AS n FROM rows",
        "SELECT service, (SELECT SUM(e.count) FROM UNNEST(latency) AS e WHERE e.bucket < 3) AS n FROM rows",
        "SELECT service, (SELECT SUM(IF(e.bucket < 3, e.count, 1)) FROM UNNEST(latency) AS e) AS n FROM rows",
        "SELECT rows.service, e.bucket, e.count FROM rows CROSS JOIN UNNEST(rows.latency) AS e",
        "SELECT service, SUM(e.count) AS n FROM rows AS r CROSS JOIN UNNEST(r.latency) AS e GROUP BY service",
        "SELECT service, e.count FROM rows CROSS JOIN UNNEST(latency) AS e WHERE service < 'c' AND e.bucket > 1",
        "WITH some AS (SELECT service FROM rows) SELECT a.service FROM some AS a INNER JOIN some AS b ON a.service = b.service",
        # These are left to sqlglot.
        "SELECT service, (SELECT MAX(e.count) FROM UNNEST(latency) AS e) AS n FROM rows",
        "SELECT service, (SELECT SUM(DISTINCT e.count) FROM UNNEST(latency) AS e) AS n FROM rows",
        "SELECT (SELECT SUM(1) FROM rows) AS n",
        "SELECT service, m FROM rows CROSS JOIN UNNEST(GENERATE_ARRAY(0, 2)) AS m",
        "SELECT service, e.count FROM rows LEFT JOIN UNNEST(latency) AS e",
        "SELECT service IN ('a', 'b') AS found FROM rows",
    ],
)  # fmt: skip
def test_same_rows_as_the_literal_translation(rows: duckdb.DuckDBPyConnection, sql: str) -> None:
    expected = rows.sql(literal(sql)).fetchall()
    assert sorted(rows.sql(ours(sql)).fetchall(), key=repr) == sorted(expected, key=repr)


@pytest.mark.parametrize(
    ("sql", "written"),
    [
        (
            "SELECT (SELECT SUM(e.count) FROM UNNEST(latency) AS e WHERE e.bucket < 3) FROM rows",
            "LIST_SUM(LIST_TRANSFORM(latency, LAMBDA e : CASE WHEN e.bucket < 3 THEN e.count END))",
        ),
        (
            "SELECT r.service, e.count FROM rows AS r CROSS JOIN UNNEST(r.latency) AS e",
            "FROM (SELECT *, UNNEST(latency) AS e FROM rows AS r) AS r",
        ),
        ("SELECT x IN UNNEST(@names)", "LIST_CONTAINS($names, x)"),
        (
            "WITH high AS (SELECT a FROM t WHERE a > 1) SELECT a FROM high",
            "high AS NOT MATERIALIZED (",
        ),
        ("WITH most AS (SELECT MAX(a) AS a FROM t) SELECT a FROM most", "most AS (SELECT MAX"),
        ("SELECT DIV(a + b, c - d) * 2", "(a + b) // (c - d) * 2"),
        ("SELECT TIMESTAMP_TRUNC(x, MONTH)", "DATE_TRUNC('MONTH', x)"),
        ("SELECT TIMESTAMP_ADD(x, INTERVAL 5 MILLISECOND)", "INTERVAL '5' MILLISECOND"),
    ],
)
def test_written_as(sql: str, written: str) -> None:
    assert written in ours(sql)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["SECOND", "MINUTE", "HOUR", "DAY"]),
    st.integers(0, 5000),
    st.sampled_from(["UTC", "Europe/Stockholm", "America/New_York", "Asia/Kathmandu"]),
)
def test_time_is_utc_whatever_the_session(second: int, unit: str, amount: int, zone: str) -> None:
    sql = (
        f"SELECT TIMESTAMP_TRUNC(t, {unit}) AS a, TIMESTAMP_ADD(t, INTERVAL {amount} {unit}) AS b, "
        f"TIMESTAMP_SUB(t, INTERVAL n {unit}) AS c FROM stamps"
    )
    length = {"SECOND": 1, "MINUTE": 60, "HOUR": 3600, "DAY": 86400}[unit]
    with duckdb.connect() as connection:
        connection.execute(f"SET TimeZone = '{zone}'")
        connection.execute(
            f"CREATE TABLE stamps AS SELECT to_timestamp({second}) AS t, {amount} AS n"
        )
        seconds = [value.timestamp() for value in connection.sql(ours(sql)).pl().row(0)]
    assert seconds == [
        second - second % length,
        second + amount * length,
        second - amount * length,
    ]


def test_counts_come_back_as_int64(rows: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT service, SUM(1) AS n, ARRAY_AGG(STRUCT(1 AS bucket, 2 AS count)) AS latency "
        "FROM rows GROUP BY service UNION ALL SELECT 'd', SUM(1) AS n, ANY_VALUE(latency) FROM rows"
    )
    answer = rows.sql(ours(sql, service="STRING", n="INT64", latency=HISTOGRAM)).pl()
    of = Type.parse(HISTOGRAM).polars
    assert answer.schema == {"service": pl.String, "n": pl.Int64, "latency": of}


def test_an_empty_array_has_the_type_of_its_parameter(rows: duckdb.DuckDBPyConnection) -> None:
    sql = (
        "SELECT COUNT(*) AS n FROM rows WHERE ARRAY_LENGTH(@names) = 0 OR service IN UNNEST(@names)"
    )
    translated = ours(sql, {"names": "ARRAY<STRING>"}, n="INT64")
    for names, count in (([], 5), (["a"], 2), (["a", "c"], 3), (["z"], 0)):
        assert rows.sql(translated, params={"names": names}).fetchall() == [(count,)]


def test_names_in_a_statement() -> None:
    sql = "WITH a AS (SELECT x FROM t WHERE x > @start) SELECT x FROM a CROSS JOIN s WHERE x < @end"
    assert names_in(sql) == (("s", "t"), ("end", "start"))
