"""Minutes, hours, days and objectives of the tiny fleet tell the same story."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from demo_made import Made, measures

from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.layout import Layout

END = datetime(2026, 11, 1, tzinfo=UTC)
COUNTS = {
    "requests": ["request_count", "error_count", "observed_count", "duration_sum_s"],
    "errors": ["error_count"],
    "calls": ["call_count", "error_count", "retry_count", "duration_sum_s"],
}
DERIVED = [
    "requests_hourly", "errors_hourly", "calls_hourly", "requests_daily", "errors_daily",
]  # fmt: skip


def exploded(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    return (
        frame.select(*keys, "latency")
        .explode("latency", empty_as_null=False)
        .unnest("latency")
        .group_by(*keys, "bucket")
        .agg(pl.col("count").sum())
        .sort(*keys, "bucket")
    )


@pytest.mark.parametrize(
    ("fine", "coarse", "unit", "days"),
    [
        ("requests", "requests_hourly", "hour", 2),
        ("errors", "errors_hourly", "hour", 2),
        ("calls", "calls_hourly", "hour", 1),
        ("requests_hourly", "requests_daily", "day", 35),
        ("errors_hourly", "errors_daily", "day", 35),
    ],
)
def test_sums_are_exact(made: Made, fine: str, coarse: str, unit: str, days: int) -> None:
    finer = {"hour": "minute", "day": "hour"}[unit]
    keys = [unit, *(key for key in contract(fine).grain if key != finer)]
    every = "1h" if unit == "hour" else "1d"
    since = END - timedelta(days=days)
    small = made.table(fine).filter(pl.col(finer) >= since)
    small = small.with_columns(pl.col(finer).dt.truncate(every).alias(unit))
    large = made.table(coarse).filter(pl.col(unit) >= since)
    counts = COUNTS[fine.removesuffix("_hourly")]
    summed = small.group_by(keys).agg(pl.col(counts).sum()).sort(keys, nulls_last=False)
    assert summed.equals(large.select(*keys, *counts).sort(keys, nulls_last=False))
    if "latency" in large.columns:
        assert exploded(small, keys).equals(exploded(large, keys))


def test_faults_are_the_requests_that_failed(made: Made) -> None:
    keys = ["minute", "service", "endpoint", "region", "version"]
    faults = made.table("errors").filter("is_fault").group_by(keys).agg(pl.col("error_count").sum())
    failed = made.table("requests").filter(pl.col("error_count") > 0).select(*keys, "error_count")
    assert faults.sort(keys).equals(failed.sort(keys))


def test_faults_and_mistakes_are_no_more_than_requests(made: Made) -> None:
    keys = ["minute", "service", "endpoint", "region", "version"]
    wrong = made.table("errors").group_by(keys).agg(pl.col("error_count").sum().alias("wrong"))
    both = made.table("requests").join(wrong, on=keys)
    assert both.height == wrong.height
    assert both.filter(pl.col("wrong") > pl.col("request_count")).is_empty()


def test_histograms_hold_every_request_that_was_no_fault(made: Made) -> None:
    for table, count in (
        ("requests", "request_count"),
        ("requests_hourly", "request_count"),
        ("requests_daily", "request_count"),
        ("calls", "call_count"),
        ("calls_hourly", "call_count"),
    ):
        total = pl.col("latency").list.eval(pl.element().struct.field("count").sum()).list.first()
        rows = made.table(table).select(
            total.fill_null(0).alias("total"), (pl.col(count) - pl.col("error_count")).alias("ok")
        )
        assert rows.filter(pl.col("total") != pl.col("ok")).is_empty(), table


def test_durations_are_those_of_the_histograms(made: Made) -> None:
    rows = made.table("requests_daily").filter(pl.col("request_count") > 1000)
    middles = (
        rows.with_row_index()
        .explode("latency")
        .unnest("latency")
        .group_by("index", "duration_sum_s")
        .agg((pl.col("count") * 2 ** ((pl.col("bucket") + 0.5) / 16)).sum().alias("about_s"))
    )
    # Buckets are 4.43 % wide, so their middles are off by 2.2 % at most.
    off = (middles["duration_sum_s"] / middles["about_s"] - 1).abs()
    assert off.max() < 0.022


def test_objectives_count_the_hours_of_a_time_without_minutes(made: Made) -> None:
    days = [END - timedelta(days=31), END - timedelta(days=16)]
    hours = made.table("requests_hourly").filter(pl.col("hour").is_between(*days, closed="left"))
    minutes = made.table("slo_minutes").filter(pl.col("minute").is_between(*days, closed="left"))
    # A second ends bucket -1: those up to it are good, and none is uncertain.
    fast = pl.col("latency").list.eval(
        pl.when(pl.element().struct.field("bucket") <= -1)
        .then(pl.element().struct.field("count"))
        .otherwise(0)
        .sum()
    )
    expected = (
        hours.group_by("service", "hour")
        .agg(
            pl.col("request_count").sum().alias("valid_count"),
            (pl.col("request_count") - pl.col("error_count")).sum().alias("served"),
            fast.list.first().fill_null(0).sum().alias("fast"),
        )
        .sort("service", "hour")
    )
    measured = (
        minutes.filter(pl.col("objective").is_in(["availability", "a-second"]))
        .group_by("service", "objective", pl.col("minute").dt.truncate("1h").alias("hour"))
        .agg(pl.col("good_count", "valid_count", "uncertain_count").sum())
        .sort("service", "hour")
    )
    for objective, good in (("availability", "served"), ("a-second", "fast")):
        found = measured.filter(pl.col("objective") == objective)
        assert found["valid_count"].equals(expected["valid_count"], check_dtypes=False)
        assert found["good_count"].equals(expected[good].alias("good_count"), check_dtypes=False)
        assert found["uncertain_count"].sum() == 0


def test_every_minute_of_31_days_is_covered(made: Made) -> None:
    # 4 services x 31 days x 1,440 minutes, and those of incidents before.
    since = END - timedelta(days=31)
    rows = made.table("slo_minutes").filter(
        (pl.col("objective") == "availability") & (pl.col("minute") >= since)
    )
    assert rows.height == 4 * 31 * 1440
    assert rows.filter(pl.col("valid_count") == 0).height > 0


def test_a_rollup_afterwards_changes_nothing(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    shutil.copytree(made.folder, folder)
    report = open_warehouse(f"duckdb://{folder}").rollup(measures(made.table("services")))
    assert (report.days, report.rows, report.unfilled) == ({}, {}, {})


@pytest.mark.long
def test_a_rollup_from_the_start_finds_the_same(made: Made, tmp_path: Path) -> None:
    folder = tmp_path / "warehouse"
    shutil.copytree(made.folder, folder)
    shutil.rmtree(folder / "slo_minutes")
    Layout(folder).update_meta({"rolled": {}})
    open_warehouse(f"duckdb://{folder}").rollup(measures(made.table("services")))
    again = Made(folder, made.report, [])
    for table in DERIVED:
        order = contract(table).order
        assert again.table(table).sort(order).equals(made.table(table).sort(order)), table
    # Objectives can be counted again where minutes are kept.
    keys = ["service", "objective", "minute"]
    counted = again.table("slo_minutes").sort(keys)
    stored = made.table("slo_minutes").join(counted.select(keys), on=keys, how="semi").sort(keys)
    assert counted.height > 30_000
    assert counted.select(stored.columns).equals(stored)


def test_processes_run_the_versions_that_serve(made: Made) -> None:
    keys = ["hour", "service", "version", "region"]
    running = made.table("runtimes").select(keys)
    serving = made.table("requests_hourly").filter(pl.col("request_count") > 0)
    serving = serving.filter(pl.col("hour") >= running["hour"].min()).select(keys).unique()
    assert serving.join(running, on=keys, how="anti").is_empty()


def test_callers_call_less_than_their_dependencies_serve(made: Made) -> None:
    calls = made.table("calls_hourly").filter(pl.col("upstream") == "payments-gateway")
    served = made.table("requests_hourly").filter(pl.col("service") == "payments-gateway")
    assert 0 < calls["call_count"].sum() < served["request_count"].sum()
