"""The laws of rolling up: what is summed, what is left alone, and what stays when minutes go."""

import random
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from stored_cases import put

from fleetslo.errors import DataFileError
from fleetslo.warehouse import rollups
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.measures import Measure

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FAULTS = Measure("faults", "d-faults", ("cart", "search"), requests="all")
FAST = Measure("fast", "d-fast", ("cart",), requests="successful", within_s=0.5)
LAG = Measure("lag", "d-lag", ("queue",), sli="lag")


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    made = DuckDBWarehouse(f"duckdb://{tmp_path / 'warehouse'}")
    made.create()
    return made


def minutes(seed: int, at: list[datetime], services: tuple[str, ...] = ("cart", "search")) -> Any:
    """Return random requests: a row per minute, service and endpoint."""
    dice, rows = random.Random(seed), []  # noqa: S311
    for minute in at:
        for service in services:
            for endpoint in ("GET /", "POST /"):
                counts = {dice.randint(-40, 5): dice.randint(1, 9) for _ in range(4)}
                errors = dice.randint(0, 3)
                total = sum(counts.values()) + errors
                rows.append(
                    {
                        "minute": minute,
                        "service": service,
                        "endpoint": endpoint,
                        "region": "eu",
                        "version": "1",
                        "request_count": total,
                        "error_count": errors,
                        "duration_sum_s": float(total),
                        "latency": [{"bucket": b, "count": counts[b]} for b in sorted(counts)],
                        "quality": dice.choice(["exact", "sampled"]),
                        "observed_count": total,
                    }
                )
    return pl.DataFrame(rows, schema=contract("requests").schema)


def every(table: str, warehouse: DuckDBWarehouse) -> pl.DataFrame:
    """Return all rows of a table."""
    files = warehouse.layout.files(table)
    schema = contract(table).schema
    frames = [pl.read_parquet(file, hive_partitioning=False) for file in files]
    return pl.concat([pl.DataFrame(schema=schema), *frames])


def hour_row(hour: datetime, requests: int, service: str = "cart") -> dict[str, Any]:
    return {
        "hour": hour,
        "service": service,
        "endpoint": "GET /",
        "region": "eu",
        "version": "1",
        "request_count": requests,
        "error_count": 0,
        "duration_sum_s": None,
        "latency": [],
        "quality": "exact",
        "observed_count": requests,
    }


def hours(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=contract("requests_hourly").schema)


def slo_row(minute: datetime, good: int, objective: str = "faults", **other: Any) -> dict[str, Any]:
    row = {"minute": minute, "service": "cart", "objective": objective, "good_count": good}
    row |= {"definition": f"d-{objective}", "valid_count": good, "uncertain_count": 0}
    return row | other


def slo(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=contract("slo_minutes").schema)


def prints(warehouse: DuckDBWarehouse) -> dict[str, str | None]:
    """Return the fingerprint of every partition there is."""
    layout = warehouse.layout
    tables = [path.name for path in layout.folder.iterdir() if path.is_dir()]
    return {
        f"{name} {day}": layout.fingerprint(name, day)
        for name in tables
        for day in layout.days(name)
    }


# Sums


@pytest.mark.parametrize("seed", range(3))
def test_hours_and_days_sum_to_minutes(warehouse: DuckDBWarehouse, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    at = sorted({FIRST + dice.randrange(3 * 24 * 60) * MINUTE for _ in range(120)})
    source = minutes(seed, at)
    put(warehouse, "requests", source)
    warehouse.rollup([])
    series = ["service", "endpoint", "region", "version"]
    for table, time, unit in (("requests_hourly", "hour", "1h"), ("requests_daily", "day", "1d")):
        truncated = source.with_columns(pl.col("minute").dt.truncate(unit).alias(time))
        counts = ["request_count", "error_count", "duration_sum_s", "observed_count"]
        by = [time, *series]
        expected = truncated.group_by(by).agg(pl.col(counts).sum()).sort(by)
        rolled = every(table, warehouse).sort(by)
        assert_frame_equal(rolled.select(*by, *counts), expected, check_exact=False)
        entries = [
            frame.select(*by, "latency")
            .explode("latency")
            .unnest("latency")
            .group_by(*by, "bucket")
            .agg(pl.col("count").sum())
            .sort(*by, "bucket")
            for frame in (truncated, rolled)
        ]
        assert_frame_equal(*entries)


def test_small_chunks_of_services_give_the_same_rows(
    warehouse: DuckDBWarehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = DuckDBWarehouse(f"duckdb://{tmp_path / 'other'}")
    other.create()
    source = minutes(1, [FIRST + number * MINUTE for number in range(5)], ("a", "b", "cart"))
    for one in (warehouse, other):
        put(one, "requests", source)
    warehouse.rollup([FAULTS, FAST])
    monkeypatch.setattr(rollups, "MERGED_ROWS", 15)  # 10 rows a service: one at a time
    monkeypatch.setattr(rollups, "COUNTED_ROWS", 20)  # two at a time
    other.rollup([FAULTS, FAST])
    for table in ("requests_hourly", "requests_daily", "slo_minutes"):
        assert_frame_equal(every(table, warehouse), every(table, other))


def test_errors_and_calls_are_summed(warehouse: DuckDBWarehouse) -> None:
    error = {"service": "cart", "endpoint": "GET /", "region": "eu", "version": "1"}
    error |= {"error": "503", "upstream": None, "is_fault": True}
    rows = [error | {"minute": FIRST + n * MINUTE, "error_count": n} for n in (1, 2, 70)]
    put(warehouse, "errors", pl.DataFrame(rows, schema=contract("errors").schema))
    call = {"service": "cart", "upstream": "stock", "region": "eu", "call_count": 5}
    call |= {"error_count": 1, "retry_count": 0, "duration_sum_s": None, "latency": []}
    calls = [call | {"minute": FIRST + n * MINUTE} for n in (1, 2)]
    put(warehouse, "calls", pl.DataFrame(calls, schema=contract("calls").schema))
    warehouse.rollup([])
    # 1 + 2 in the first hour, 70 in the second; 73 in the day; 5 + 5 calls
    assert every("errors_hourly", warehouse)["error_count"].to_list() == [3, 70]
    assert every("errors_daily", warehouse)["error_count"].to_list() == [73]
    assert every("calls_hourly", warehouse)["call_count"].to_list() == [10]


# Only what changed


def test_rolling_twice_changes_nothing(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY]))
    first = warehouse.rollup([FAULTS, FAST])
    assert first.days == {"requests_hourly": 2, "requests_daily": 2, "slo_minutes": 2}
    # Per day: 2 services × 2 endpoints; faults of two services and latency of one, in one minute.
    assert first.rows == {"requests_hourly": 8, "requests_daily": 8, "slo_minutes": 6}
    before, noted = prints(warehouse), warehouse.layout.meta["rolled"]
    second = warehouse.rollup([FAULTS, FAST])
    assert (second.days, second.rows, second.unfilled) == ({}, {}, {})
    assert prints(warehouse) == before
    assert warehouse.layout.meta["rolled"] == noted


def test_late_data_refreshes_its_own_day(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY]))
    warehouse.rollup([FAULTS])
    before = prints(warehouse)
    put(warehouse, "requests", minutes(2, [FIRST + DAY, FIRST + DAY + MINUTE]))
    report = warehouse.rollup([FAULTS])
    assert report.days == {"requests_hourly": 1, "requests_daily": 1, "slo_minutes": 1}
    changed = {name for name, found in prints(warehouse).items() if found != before[name]}
    tables = ("requests", "requests_hourly", "requests_daily", "slo_minutes")
    assert changed == {f"{table} 2026-10-02" for table in tables}
    total = every("requests", warehouse)["request_count"].sum()
    assert every("requests_daily", warehouse)["request_count"].sum() == total
    assert every("slo_minutes", warehouse)["valid_count"].sum() == total


def test_a_restated_day_may_shrink(warehouse: DuckDBWarehouse) -> None:
    at = [FIRST, FIRST + MINUTE]
    put(warehouse, "requests", minutes(1, at))
    warehouse.rollup([FAULTS])
    restated = minutes(1, at).with_columns(pl.lit(1).alias("request_count"), error_count=0)
    put(warehouse, "requests", restated.with_columns(latency=pl.lit([], restated["latency"].dtype)))
    warehouse.rollup([FAULTS])
    # One request in each of 2 minutes × 2 services × 2 endpoints
    assert every("requests_hourly", warehouse)["request_count"].sum() == 8
    assert every("slo_minutes", warehouse)["valid_count"].sum() == 8


def test_a_derived_day_that_was_deleted_is_made_again(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST]))
    warehouse.rollup([FAULTS])
    before = every("requests_daily", warehouse)
    shutil.rmtree(warehouse.layout.folder / "requests_daily")
    assert warehouse.rollup([FAULTS]).days == {"requests_daily": 1}
    assert_frame_equal(every("requests_daily", warehouse), before)


def test_a_damaged_day_stops_it_and_what_was_done_counts(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY]))
    file = warehouse.layout.partition("requests", date(2026, 10, 2)) / "part-0.parquet"
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataFileError, match="day=2026-10-02"):
        warehouse.rollup([FAULTS])
    file.write_bytes(whole)
    assert warehouse.rollup([FAULTS]).days["requests_hourly"] == 1


def test_progress_is_told(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY]))
    told: list[tuple[str, int, int]] = []
    warehouse.rollup([FAULTS], lambda *what: told.append(what))
    assert [what for what in told if what[0] == "roll up slo_minutes"] == [
        ("roll up slo_minutes", done, 2) for done in (0, 1, 2)
    ]


# What stays when minutes go, or were never there


def test_days_whose_minutes_are_gone_keep_their_rows(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY]))
    warehouse.rollup([FAULTS])
    tables = ("requests_hourly", "requests_daily", "slo_minutes")
    before = {table: every(table, warehouse) for table in tables}
    shutil.rmtree(warehouse.layout.partition("requests", date(2026, 10, 1)))
    assert warehouse.rollup([FAULTS]).days == {}
    assert warehouse.rollup([FAULTS]).days == {}
    for table in tables:
        assert_frame_equal(every(table, warehouse), before[table])


def test_a_day_trimmed_to_some_minutes_does_not_shrink(warehouse: DuckDBWarehouse) -> None:
    at = [FIRST + number * MINUTE for number in range(30)]
    put(warehouse, "requests", minutes(1, at))
    warehouse.rollup([FAULTS])
    tables = ("requests_hourly", "requests_daily", "slo_minutes")
    before = {table: every(table, warehouse) for table in tables}
    put(warehouse, "requests", minutes(1, at).filter(pl.col("minute") < FIRST + 10 * MINUTE))
    warehouse.rollup([FAULTS])
    for table in tables:
        assert_frame_equal(every(table, warehouse), before[table])


def test_hours_loaded_directly_make_days_and_stay(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests_hourly", hours(hour_row(FIRST, 10), hour_row(FIRST + HOUR, 20)))
    before = prints(warehouse)
    report = warehouse.rollup([FAULTS])
    assert report.days == {"requests_daily": 1}
    assert every("requests_daily", warehouse)["request_count"].to_list() == [30]  # 10 + 20
    assert before.items() <= prints(warehouse).items()


def test_minutes_around_an_incident_do_not_destroy_loaded_hours(warehouse: DuckDBWarehouse) -> None:
    loaded = hours(hour_row(FIRST, 10_000), hour_row(FIRST + HOUR, 1), hour_row(FIRST, 7, "idle"))
    put(warehouse, "requests_hourly", loaded)
    around = minutes(1, [FIRST + 59 * MINUTE, FIRST + 60 * MINUTE], ("cart",))
    put(warehouse, "requests", around)
    for _ in range(2):
        warehouse.rollup([])
        rolled = every("requests_hourly", warehouse)
        # The loaded first hour is fuller than its last minute; the second hour is not.
        second = around.filter(pl.col("minute") >= FIRST + HOUR)["request_count"].sum()
        totals = rolled.group_by("service", "hour").agg(pl.col("request_count").sum())
        assert sorted(totals.iter_rows()) == [
            ("cart", FIRST, 10_000),
            ("cart", FIRST + HOUR, second),
            ("idle", FIRST, 7),
        ]
    assert warehouse.rollup([]).days == {}
    # Minutes that make a fuller hour than the loaded one take its place.
    more = around.with_columns(pl.col("request_count") + 50_000)
    put(warehouse, "requests", more)
    warehouse.rollup([])
    counts = every("requests_hourly", warehouse).filter(pl.col("service") == "cart")
    assert counts["request_count"].sum() == more["request_count"].sum()


def test_hours_of_a_service_without_minutes_stand_beside_rolled_ones(
    warehouse: DuckDBWarehouse,
) -> None:
    put(warehouse, "requests", minutes(1, [FIRST], ("cart",)))
    warehouse.rollup([])
    rolled = every("requests_hourly", warehouse)
    put(warehouse, "requests_hourly", pl.concat([rolled, hours(hour_row(FIRST, 5, "batch"))]))
    put(warehouse, "requests", minutes(2, [FIRST, FIRST + MINUTE], ("cart",)))
    warehouse.rollup([])
    counts = dict(
        every("requests_daily", warehouse)
        .group_by("service")
        .agg(pl.col("request_count").sum())
        .iter_rows()
    )
    assert counts == {"batch": 5, "cart": every("requests", warehouse)["request_count"].sum()}


# Objectives


def test_only_a_new_objective_is_counted(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + MINUTE]))
    warehouse.rollup([FAULTS])
    asked = watched(warehouse)
    report = warehouse.rollup([FAULTS, FAST])
    assert [name for name, _ in asked] == ["rollups/slo_minutes_latency"]
    assert report.days == {"slo_minutes": 1}
    # Two minutes: faults of cart and search, fast of cart.
    counts = every("slo_minutes", warehouse).group_by("objective").len()
    assert dict(counts.iter_rows()) == {"faults": 4, "fast": 2}
    assert report.unfilled == {}


def watched(warehouse: DuckDBWarehouse) -> list[tuple[str, Any]]:
    """Return a list that fills with the statements that the warehouse is asked."""
    asked: list[tuple[str, Any]] = []
    ask = warehouse.query

    def query(name: str, **parameters: Any) -> pl.DataFrame:
        asked.append((name, parameters))
        return ask(name, **parameters)

    warehouse.query = query  # type: ignore[method-assign]
    return asked


def test_statements_depend_on_what_is_measured_not_on_services(warehouse: DuckDBWarehouse) -> None:
    services = tuple(f"s{number}" for number in range(40))
    put(warehouse, "requests", minutes(1, [FIRST], services))
    measures = [Measure(f"{one}-faults", "d1", (one,), requests="all") for one in services]
    measures += [
        Measure(f"{one}-fast", "d2", (one,), requests="all", within_s=0.5) for one in services
    ]
    asked = watched(warehouse)
    warehouse.rollup(measures)
    counting = [name for name, _ in asked if "slo_minutes" in name]
    assert counting == ["rollups/slo_minutes_faults", "rollups/slo_minutes_latency"]
    assert every("slo_minutes", warehouse)["objective"].n_unique() == 80


def test_two_objectives_may_measure_the_same(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST]))
    strict = Measure("strict", FAULTS.definition, ("cart",), requests="all")
    warehouse.rollup([FAULTS, strict])
    rows = every("slo_minutes", warehouse).filter(pl.col("service") == "cart")
    assert rows["objective"].to_list() == ["faults", "strict"]
    assert rows["good_count"].n_unique() == 1


def test_objectives_that_are_gone_leave(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST]))
    warehouse.rollup([FAULTS, FAST])
    asked = watched(warehouse)
    report = warehouse.rollup([FAST])
    assert (asked, report.days, report.rows) == ([], {"slo_minutes": 1}, {"slo_minutes": 1})
    assert every("slo_minutes", warehouse)["objective"].to_list() == ["fast"]
    warehouse.rollup([])
    assert warehouse.layout.files("slo_minutes") == []


def test_a_changed_objective_is_refilled_as_far_as_minutes_go(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST, FIRST + DAY, FIRST + DAY + MINUTE]))
    warehouse.rollup([FAULTS])
    shutil.rmtree(warehouse.layout.partition("requests", date(2026, 10, 1)))
    changed = Measure("faults", "d-get", ("cart",), requests="all", endpoints=("GET *",))
    search = Measure("faults", "d-faults", ("search",), requests="all")
    report = warehouse.rollup([changed, search, FAST])
    rows = every("slo_minutes", warehouse)
    assert sorted(rows.select("service", "objective", "definition", "minute").iter_rows()) == [
        ("cart", "fast", "d-fast", FIRST + DAY),
        ("cart", "fast", "d-fast", FIRST + DAY + MINUTE),
        ("cart", "faults", "d-get", FIRST + DAY),
        ("cart", "faults", "d-get", FIRST + DAY + MINUTE),
        ("search", "faults", "d-faults", FIRST),
        ("search", "faults", "d-faults", FIRST + DAY),
        ("search", "faults", "d-faults", FIRST + DAY + MINUTE),
    ]
    # The changed one lost a day, the new one never had it.
    assert report.unfilled == {"faults": (date(2026, 10, 1),), "fast": (date(2026, 10, 1),)}
    assert report.lines()[-1] == (
        "faults: new or changed, and minutes to fill it in from are gone: "
        "1 day from 2026-10-01 to 2026-10-01"
    )


def test_minutes_loaded_directly_stay_while_their_definition_does(
    warehouse: DuckDBWarehouse,
) -> None:
    put(
        warehouse,
        "slo_minutes",
        slo(slo_row(FIRST, 5), slo_row(FIRST, 3, "fast", definition="d-other")),
    )
    report = warehouse.rollup([FAULTS, FAST])
    kept = every("slo_minutes", warehouse)
    assert kept.select("objective", "good_count").rows() == [("faults", 5)]
    assert report.unfilled == {"fast": (date(2026, 10, 1),)}
    assert warehouse.rollup([FAULTS, FAST]).days == {}


def test_minutes_around_an_incident_join_those_loaded_directly(warehouse: DuckDBWarehouse) -> None:
    loaded = slo(*[slo_row(FIRST + number * MINUTE, 1_000_000) for number in range(3)])
    put(warehouse, "slo_minutes", loaded)
    around = minutes(1, [FIRST + MINUTE], ("cart",))
    put(warehouse, "requests", around)
    valid = around["request_count"].sum()
    for _ in range(2):
        report = warehouse.rollup([FAULTS])
        rows = every("slo_minutes", warehouse)
        assert rows["valid_count"].to_list() == [1_000_000, valid, 1_000_000]
    assert report.days == {}
    # A definition that changes is refilled for the minute that there is, and that is said.
    changed = Measure("faults", "d-new", ("cart",), requests="all")
    report = warehouse.rollup([changed])
    assert every("slo_minutes", warehouse)["minute"].to_list() == [FIRST + MINUTE]
    assert report.unfilled == {"faults": (date(2026, 10, 1),)}


def test_sli_events_are_counted_beside_requests(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST]))
    events = [
        {
            "minute": FIRST + n * MINUTE,
            "service": "queue",
            "sli": sli,
            "good_count": n,
            "valid_count": 9,
        }
        for n in range(3)
        for sli in ("lag", "age")
    ]
    put(warehouse, "sli_events", pl.DataFrame(events, schema=contract("sli_events").schema))
    warehouse.rollup([FAULTS, LAG])
    lag = every("slo_minutes", warehouse).filter(pl.col("objective") == "lag")
    assert lag.select("good_count", "valid_count", "uncertain_count").rows() == [
        (0, 9, 0),
        (1, 9, 0),
        (2, 9, 0),
    ]
    asked = watched(warehouse)
    put(warehouse, "sli_events", pl.DataFrame(events[:4], schema=contract("sli_events").schema))
    warehouse.rollup([FAULTS, LAG])
    assert [name for name, _ in asked] == ["rollups/slo_minutes_events"]


def test_a_coarser_source_covers_the_minutes_of_its_step(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    rows = minutes(1, [FIRST, FIRST + 5 * MINUTE], ("cart",))
    rows.write_parquet(tmp_path / "coarse.parquet")
    put(warehouse, "requests", minutes(2, [FIRST], ("search",)))
    warehouse.load("requests", [tmp_path / "coarse.parquet"], step=timedelta(minutes=5))
    warehouse.rollup([FAULTS])
    found = every("slo_minutes", warehouse)
    cart = found.filter(pl.col("service") == "cart")
    assert cart["minute"].to_list() == [FIRST + number * MINUTE for number in range(10)]
    reported = cart.filter(pl.col("valid_count") > 0)["minute"].to_list()
    assert reported == [FIRST, FIRST + 5 * MINUTE]
    assert cart["valid_count"].sum() == rows["request_count"].sum()
    assert found.filter(pl.col("service") == "search").height == 1


def test_a_minute_without_matching_requests_is_covered(warehouse: DuckDBWarehouse) -> None:
    put(warehouse, "requests", minutes(1, [FIRST], ("cart",)))
    nothing = Measure("faults", "d", ("cart", "nobody"), requests="all", endpoints=("PUT *",))
    warehouse.rollup([nothing])
    rows = every("slo_minutes", warehouse)
    assert rows.select("service", "good_count", "valid_count").rows() == [("cart", 0, 0)]
