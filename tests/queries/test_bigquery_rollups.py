"""Rollups of a dataset, held against those of a folder that was given the same."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from tests.loopback import Server

from fleetslo.warehouse.base import RollupReport
from fleetslo.warehouse.bigquery.changes import EVER
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.measures import Measure

FIRST = datetime(2026, 10, 1, tzinfo=UTC)
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FAULTS = Measure("faults", "d-faults", ("cart", "search"), requests="all")
FAST = Measure("fast", "d-fast", ("cart",), requests="successful", within_s=0.5)
LAG = Measure("lag", "d-lag", ("queue",), sli="lag")
DERIVED = (
    "requests_hourly",
    "errors_hourly",
    "calls_hourly",
    "requests_daily",
    "errors_daily",
    "slo_minutes",
)


class Both:
    """An embedded warehouse and a dataset, given the same and asked the same."""

    def __init__(self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FLEETSLO_BIGQUERY_ENDPOINT", server.url)
        self.folder = folder
        self.embedded = DuckDBWarehouse(f"duckdb://{folder / 'warehouse'}")
        self.dataset = BigQueryWarehouse(f"bigquery://p/r{uuid4().hex}")
        self.embedded.create()
        self.dataset.create()
        self.loads = 0

    def load(self, table: str, rows: pl.DataFrame, *, step: timedelta | None = None) -> None:
        self.loads += 1
        file = self.folder / f"{table}-{self.loads}.parquet"
        rows.write_parquet(file)
        for warehouse in (self.embedded, self.dataset):
            warehouse.load(table, [file], step=step)

    def forget(self, table: str, day: datetime) -> None:
        """Let the rows of a day be gone, as retention does."""
        self.embedded.layout.write_day(
            contract(table), day.date(), pl.DataFrame(schema=contract(table).schema)
        )
        time = contract(table).partition
        start, end = (f"TIMESTAMP '{at:%Y-%m-%d}'" for at in (day, day + DAY))
        self.dataset.asker.do(
            f"DELETE FROM {table} WHERE {time} >= {start} AND {time} < {end}", [], "forget"
        )

    def rollup(self, *measures: Measure) -> tuple[RollupReport, RollupReport]:
        """Roll both up and return what they say, once every table is the same in both."""
        reports = self.embedded.rollup(measures), self.dataset.rollup(measures)
        for table in DERIVED:
            one, other = self.stored(table)
            assert_frame_equal(one, other)
        return reports

    def stored(self, table: str) -> list[pl.DataFrame]:
        """Return all rows of a table in both, in one order."""
        of = contract(table)
        paths = self.embedded.layout.files(table)
        parts = [pl.read_parquet(path, hive_partitioning=False) for path in paths]
        start, end = (f"TIMESTAMP '{at:%Y-%m-%d}'" for at in EVER)
        there = self.dataset.asker.answer(
            f"SELECT * FROM {table} WHERE {of.partition} >= {start} AND {of.partition} < {end}",
            [],
            "stored",
        )
        frames = [pl.concat([pl.DataFrame(schema=of.schema), *parts]), of.cast(there)]
        return [frame.sort(of.grain) for frame in frames]


@pytest.fixture
def both(loopback: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Both:
    return Both(loopback, tmp_path, monkeypatch)


def minutes(seed: int, at: Sequence[datetime], *services: str) -> pl.DataFrame:
    """Return random requests: a row per minute, service and endpoint."""
    dice, rows = random.Random(seed), []  # noqa: S311
    for minute in at:
        for service in services or ("cart", "search"):
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


def errors(at: Sequence[datetime]) -> pl.DataFrame:
    rows = [
        {
            "minute": minute,
            "service": "cart",
            "endpoint": "GET /",
            "region": "eu",
            "version": "1",
            "error": error,
            "upstream": upstream,
            "error_count": place + 1,
            "is_fault": error == "500",
        }
        for place, minute in enumerate(at)
        for error, upstream in (("500", "search"), ("429", None))
    ]
    return pl.DataFrame(rows, schema=contract("errors").schema)


def events(at: Sequence[datetime]) -> pl.DataFrame:
    rows = [
        {"minute": minute, "service": "queue", "sli": "lag", "good_count": 1, "valid_count": 2}
        for minute in at
    ]
    return pl.DataFrame(rows, schema=contract("sli_events").schema)


def hour(at: datetime, requests: int, service: str = "cart") -> pl.DataFrame:
    row: dict[str, Any] = {
        "hour": at,
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
    return pl.DataFrame([row], schema=contract("requests_hourly").schema)


AT = [FIRST + n * 97 * MINUTE for n in range(40)]  # over the first three days


def test_hours_days_and_minutes_are_those_of_the_embedded_warehouse(both: Both) -> None:
    both.load("requests", minutes(1, AT))
    both.load("errors", errors(AT))
    both.load("sli_events", events(AT))
    one, other = both.rollup(FAULTS, FAST, LAG)
    assert (one.days, one.rows) == (other.days, other.rows)
    # 40 minutes of two services for faults, of cart for fast, and 40 of the queue's events
    assert other.rows["slo_minutes"] == 40 * 2 + 40 + 40
    assert other.unfilled == {}


@pytest.mark.long
def test_rolling_twice_writes_nothing(both: Both) -> None:
    both.load("requests", minutes(1, AT))
    both.rollup(FAULTS)
    noted = "SELECT COUNT(*) AS n FROM fleetslo_rolled"
    before = both.dataset.asker.answer(noted, [], "notes")["n"][0]
    one, other = both.rollup(FAULTS)
    assert (one.days, other.days) == ({}, {})
    assert both.dataset.asker.answer(noted, [], "notes")["n"][0] == before


@pytest.mark.long
def test_late_data_rolls_up_its_own_day_alone(both: Both) -> None:
    both.load("requests", minutes(1, AT))
    both.rollup(FAULTS, FAST)
    both.load("requests", minutes(2, [FIRST + DAY + 5 * MINUTE, FIRST + DAY + 6 * MINUTE]))
    one, other = both.rollup(FAULTS, FAST)
    assert (
        other.days
        == one.days
        == {
            "requests_hourly": 1,
            "requests_daily": 1,
            "slo_minutes": 1,
        }
    )


@pytest.mark.long
def test_late_data_beyond_the_horizon_is_left(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    both.load("requests", minutes(1, AT))
    both.rollup(FAULTS)
    monkeypatch.setenv("FLEETSLO_ROLLUP_HORIZON_DAYS", "1")
    near = BigQueryWarehouse(both.dataset.url)
    both.load("requests", minutes(2, [FIRST + 3 * MINUTE, FIRST + DAY + 3 * MINUTE]))
    # the newest minutes are of the third day; the first is two days older, the second one
    report = near.rollup([FAULTS])
    assert report.days["requests_hourly"] == 1
    assert report.left == {"requests_hourly": 1, "slo_minutes": 1}
    assert report.lines()[-2].startswith("requests_hourly: left 1 changed day further back")
    since = FIRST + DAY
    assert near.rollup([FAULTS], since=since).days == {}
    assert near.rollup([FAULTS], since=FIRST).days["requests_hourly"] == 1
    both.load("requests", minutes(3, [FIRST + 3 * MINUTE]))
    assert both.rollup(FAULTS)[1].days["requests_hourly"] == 1


@pytest.mark.long
def test_of_hours_that_were_loaded_and_rolled_the_fuller_side_stands(both: Both) -> None:
    both.load("requests_hourly", hour(FIRST, 10_000))
    both.load("requests_hourly", hour(FIRST + HOUR, 1))
    both.load("requests_hourly", hour(FIRST - 3 * DAY, 7))
    both.load("requests", minutes(1, [FIRST + n * MINUTE for n in (1, 2, 61, 62)]))
    both.rollup(FAULTS)
    stands = both.stored("requests_hourly")[1].filter(service="cart", endpoint="GET /")
    assert stands["request_count"][0] == 7
    assert stands["request_count"][1] == 10_000
    assert stands["request_count"][2] > 1
    both.load("requests", minutes(3, [FIRST + 5 * MINUTE]))
    both.rollup(FAULTS)


@pytest.mark.long
def test_what_was_rolled_stays_when_minutes_go(both: Both) -> None:
    both.load("requests", minutes(1, AT))
    both.rollup(FAULTS, FAST)
    both.forget("requests", FIRST)
    both.rollup(FAULTS, FAST)
    changed = Measure("fast", "d-faster", ("cart",), requests="successful", within_s=0.25)
    one, other = both.rollup(FAULTS, changed)
    assert other.unfilled == one.unfilled == {"fast": (FIRST.date(),)}


@pytest.mark.long
def test_an_objective_that_is_gone_leaves_and_one_that_comes_is_filled_in(both: Both) -> None:
    both.load("requests", minutes(1, AT))
    both.rollup(FAULTS)
    both.rollup(FAST)
    assert both.stored("slo_minutes")[1]["objective"].unique().to_list() == ["fast"]
    both.rollup()
    assert both.stored("slo_minutes")[1].is_empty()


@pytest.mark.long
def test_a_coarse_source_covers_the_minutes_of_its_step(both: Both) -> None:
    both.load("requests", minutes(1, [FIRST + n * 5 * MINUTE for n in range(6)]), step=5 * MINUTE)
    both.rollup(FAULTS)
    # six rows of five minutes for each of two services
    assert both.stored("slo_minutes")[1].height == 6 * 5 * 2


@pytest.mark.long
def test_a_step_ends_with_its_day(both: Both) -> None:
    late = FIRST + DAY - 2 * MINUTE
    both.load("requests", minutes(1, [late]), step=5 * MINUTE)
    both.load("requests", minutes(2, [FIRST + DAY + HOUR, FIRST + 2 * DAY + HOUR]))
    both.rollup(FAULTS)
    found = both.stored("slo_minutes")[1].filter(service="cart")
    # 23:58 covers five minutes, of which two are of its day and three of the next: there a row
    # covers five minutes still; on the third day it covers one
    assert dict(found.group_by(pl.col("minute").dt.day()).len().iter_rows()) == {1: 2, 2: 5, 3: 1}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_any_sequence_of_events_ends_the_same(both: Both, seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311
    known = [FAULTS, FAST, LAG, Measure("rare", "d-rare", ("search",), requests="all")]
    for turn in range(5):
        day = FIRST + dice.randrange(4) * DAY
        at = sorted({day + dice.randrange(1440) * MINUTE for _ in range(15)})
        match dice.randrange(5):
            case 0 | 1:
                both.load("requests", minutes(100 * seed + turn, at))
            case 2:
                both.load(
                    "requests_hourly", hour(day + dice.randrange(24) * HOUR, dice.randrange(99))
                )
            case 3:
                both.load("sli_events", events(at))
            case 4:
                both.forget("requests", day)
        if dice.random() < 0.7:
            both.rollup(*dice.sample(known, dice.randint(1, 4)))
    both.rollup(*known)
