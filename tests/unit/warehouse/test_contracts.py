from datetime import UTC, datetime, timedelta

import duckdb
import polars as pl
import pytest
from stored_rows import NOON, request_row, requests

from fleetslo.errors import ContractError, UnknownTable
from fleetslo.warehouse.contracts import (
    contract,
    read_contract,
    read_contracts,
)
from fleetslo.warehouse.rules import Check

# DATA.md: nine tables that are filled, six that rollup derives.
FILLED = {
    "services", "requests", "errors", "sli_events", "calls", "deployments", "incidents", "pages",
    "runtimes",
}  # fmt: skip
DERIVED = {
    "requests_hourly", "requests_daily", "errors_hourly", "errors_daily", "calls_hourly",
    "slo_minutes",
}  # fmt: skip


def test_every_table_of_the_design_has_a_contract():
    contracts = read_contracts()
    assert set(contracts) == FILLED | DERIVED
    assert {name for name, one in contracts.items() if one.derived} == DERIVED
    for one in contracts.values():
        assert one.says.endswith(".")
        assert one.version >= 1
        assert one.grain
        if one.table != "services":
            assert one.partition
        assert one.cluster[0] == "service"


def test_hours_and_days_have_the_columns_of_the_minutes():
    for fine, coarse, time in [
        ("requests", "requests_hourly", "hour"),
        ("requests", "requests_daily", "day"),
        ("errors", "errors_hourly", "hour"),
        ("errors", "errors_daily", "day"),
        ("calls", "calls_hourly", "hour"),
    ]:
        names = list(contract(fine).by_name)
        assert list(contract(coarse).by_name) == [time, *names[1:]]
        assert contract(coarse).partition == time


def test_a_row_covers_its_step():
    assert contract("requests").step == timedelta(minutes=1)
    assert contract("runtimes").step == timedelta(hours=1)
    assert contract("errors_daily").step == timedelta(days=1)
    assert contract("incidents").step is None
    assert contract("services").step is None


def test_rows_are_kept_by_cluster_then_grain():
    assert contract("requests").order == ("service", "endpoint", "minute", "region", "version")


def test_an_unknown_table_is_named_with_the_nearest():
    with pytest.raises(UnknownTable, match=r"no table 'request'. Did you mean 'requests'"):
        contract("request")


def values(frame, sql):
    return duckdb.from_arrow(frame.to_arrow()).project(sql).fetchall()


def test_every_rule_runs_on_duckdb_and_a_valid_row_keeps_them_all():
    frame = requests(request_row())
    for check in contract("requests").every_check:
        assert values(frame, check.sql("duckdb")) == [(True,)], check.name
    for one in read_contracts().values():
        empty = pl.DataFrame(schema=one.schema)
        for check in one.every_check:
            assert values(empty, check.sql("duckdb")) == []


@pytest.mark.parametrize(
    ("function", "latency", "expected"),
    [
        # 6 + 4 = 10 durations
        ("HISTOGRAM_TOTAL(latency) = 10", [(-44, 6), (-43, 4)], True),
        ("HISTOGRAM_TOTAL(latency) = 0", [], True),
        ("HISTOGRAM_IN_RANGE(latency)", [(-1024, 1), (1023, 1)], True),
        ("HISTOGRAM_IN_RANGE(latency)", [(-1025, 1)], False),
        ("HISTOGRAM_IN_RANGE(latency)", [(1024, 1)], False),
        ("HISTOGRAM_COUNTED(latency)", [(0, 0)], True),
        ("HISTOGRAM_COUNTED(latency)", [(0, -1)], False),
    ],
)
def test_the_functions_of_histograms(function, latency, expected):
    entries = [{"bucket": bucket, "count": count} for bucket, count in latency]
    frame = requests(request_row(latency=entries))
    assert values(frame, Check("rule", function).sql("duckdb")) == [(expected,)]


def test_the_functions_of_histograms_in_bigquery_are_googlesql():
    rule = Check("rule", "HISTOGRAM_TOTAL(latency) <= request_count - error_count")
    assert rule.sql("bigquery") == (
        "(SELECT COALESCE(SUM(b.count), 0) FROM UNNEST(latency) AS b) "
        "<= request_count - error_count"
    )


def test_an_unknown_function_of_histograms_is_refused():
    with pytest.raises(ContractError, match=r"no function HISTOGRAM_SUM"):
        Check("rule", "HISTOGRAM_SUM(latency) = 1").sql("duckdb")


class TestCast:
    def test_fills_nullable_columns_and_orders_them(self):
        row = request_row()
        del row["duration_sum_s"]
        frame = pl.DataFrame([dict(reversed(row.items()))])
        cast = contract("requests").cast(frame)
        assert cast.schema == contract("requests").schema
        assert cast["duration_sum_s"].to_list() == [None]
        assert cast["minute"].to_list() == [NOON]

    def test_a_histogram_that_is_null_is_empty(self):
        frame = requests(request_row()).with_columns(latency=pl.lit(None))
        assert contract("requests").cast(frame)["latency"].to_list() == [[]]

    def test_refuses_a_time_without_a_zone(self):
        frame = requests(request_row()).with_columns(
            minute=pl.lit(datetime(2026, 10, 31, 12))  # noqa: DTZ001
        )
        with pytest.raises(
            ContractError,
            match=r"requests: column 'minute' is a time without a zone; store it as UTC",
        ):
            contract("requests").cast(frame)

    def test_refuses_an_unknown_column_with_the_nearest(self):
        frame = requests(request_row()).with_columns(error_counts=1)
        with pytest.raises(ContractError, match=r"no column 'error_counts'. Did you mean 'error_c"):
            contract("requests").cast(frame)

    def test_refuses_a_missing_column(self):
        with pytest.raises(ContractError, match=r"requests: column 'service' is missing"):
            contract("requests").cast(requests(request_row()).drop("service"))

    def test_refuses_null_where_it_may_not_be(self):
        frame = requests(request_row(service=None), request_row(service=None))
        with pytest.raises(ContractError, match=r"column 'service' is null in 2 rows"):
            contract("requests").cast(frame)

    def test_refuses_another_type(self):
        frame = requests(request_row()).with_columns(request_count=pl.lit("many"))
        with pytest.raises(ContractError, match=r"'request_count' is String, not INT64"):
            contract("requests").cast(frame)


class TestRead:
    GOOD = (
        "table: t\nsays: A table.\ngrain: [at]\npartition: at\ncolumns:\n  at: {type: TIMESTAMP}\n"
    )

    def read(self, tmp_path, text, name="t"):
        path = tmp_path / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        return read_contract(path)

    def test_reads_what_it_says(self, tmp_path):
        text = self.GOOD + "  x: {type: FLOAT64, unit: s, nullable: true, checks: ['>= 0']}\n"
        text += "version: 3\nlate_after_hours: 1.5\nchecks:\n"
        text += "  - {name: later, expression: x < 9, severity: warn}\n"
        one = self.read(tmp_path, text)
        assert one.version == 3
        assert one.late_after == timedelta(minutes=90)
        assert one.column("x").unit == "s"
        assert [check.name for check in one.every_check] == ["x is finite", "x >= 0", "later"]
        assert one.every_check[-1].severity == "warn"

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (("table: t", "table: u"), "table is 'u'; it must be the file's name"),
            (("grain: [at]", "grain: [it]"), "names 'it', which is no column"),
            (("grain: [at]", "grains: [at]"), "unknown key 'grains'. Did you mean 'grain'"),
            (("grain: [at]\n", ""), "'grain' is missing"),
            (("TIMESTAMP", "TIME"), "column 'at': 'TIME' is not a type"),
            (("TIMESTAMP", "STRING"), "partition 'at' must be a TIMESTAMP"),
            (("{type: TIMESTAMP}", "TIMESTAMP"), "column 'at' needs a type"),
            (("{type: TIMESTAMP}", "{type: DATE, nul: 1}"), "unknown key 'nul'"),
            (("says: A table.", "checks: [x]"), "a check needs a name and an expression"),
            (
                ("says: A table.", "checks: [{name: n, expression: at, severity: bad}]"),
                "severity 'bad' is neither fail nor warn",
            ),
            (("table: t", "table: [t"), "not valid YAML"),
        ],
    )
    def test_refuses_what_is_wrong_and_says_where(self, tmp_path, change, says):
        with pytest.raises(ContractError, match=r"t.yaml") as refused:
            self.read(tmp_path, self.GOOD.replace(*change))
        assert says in str(refused.value)

    def test_refuses_what_is_no_mapping(self, tmp_path):
        with pytest.raises(ContractError, match=r"a contract is a mapping"):
            self.read(tmp_path, "- a\n")

    def test_an_edited_contract_is_read_again(self, tmp_path, monkeypatch):
        (tmp_path / "fleetslo.toml").write_text("")
        tables = tmp_path / "queries" / "tables"
        tables.mkdir(parents=True)
        (tables / "t.yaml").write_text(self.GOOD)
        monkeypatch.chdir(tmp_path)
        assert contract("t").version == 1
        (tables / "t.yaml").write_text(self.GOOD + "version: 2\n")
        assert contract("t").version == 2
        assert contract("requests").version == 1


def test_utc_is_meant_by_timestamp():
    assert contract("requests").schema["minute"] == pl.Datetime("us", "UTC")
    assert NOON.tzinfo is UTC
