"""Checks and descriptions of a dataset on the loopback server, against those of a folder."""

from datetime import date, datetime, timedelta
from io import BytesIO
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
    parquet,
    request_row,
    requests,
)

from fleetslo.errors import UnknownTable
from fleetslo.warehouse.base import Finding
from fleetslo.warehouse.bigquery import tables
from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.duckdb import DuckDBWarehouse

SOON = NOON + timedelta(hours=1)
DAY = timedelta(days=1)
ALL = "cause IN ('deployment', 'configuration', 'dependency', 'capacity', 'unknown')"


class Both:
    """Rows that a broken pipeline put into a folder and into a dataset alike."""

    def __init__(self, folder: DuckDBWarehouse, dataset: BigQueryWarehouse) -> None:
        self.folder, self.dataset = folder, dataset

    def put(self, frame: pl.DataFrame, table: str = "requests") -> None:
        """Add rows to a table that lets every column be null."""
        wanted = contract(table)
        parts: list[tuple[date | None, pl.DataFrame]] = [(None, frame)]
        if wanted.partition:
            day = pl.col(wanted.partition).dt.date()
            parts = [
                (one, frame.filter(day == one)) for one in frame.select(day).unique().to_series()
            ]
        for day, part in parts:
            place = self.folder.layout.partition(table, day)
            place.mkdir(parents=True, exist_ok=True)
            part.write_parquet(place / f"part-{len(list(place.iterdir()))}.parquet")
        name = f"{self.dataset.dataset_id}.{table}"
        self.dataset.client.delete_table(name)
        loose = tables.table(self.dataset.dataset_id, wanted, None)
        loose.schema = tables.loose(wanted)
        self.dataset.client.create_table(loose)
        lists = bigquery.ParquetOptions()
        lists.enable_list_inference = True
        config = bigquery.LoadJobConfig(
            source_format="PARQUET", schema=loose.schema, parquet_options=lists
        )
        content = BytesIO()
        frame.write_parquet(content)
        self.dataset.client.load_table_from_file(
            content, name, rewind=True, job_config=config
        ).result()

    def checked(self, as_of: datetime = SOON, **how: Any) -> list[Finding]:
        """What both find; that nothing here was rolled up is another finding."""
        found = [
            [one for one in warehouse.check(as_of, **how) if one.check != "rolled up"]
            for warehouse in (self.folder, self.dataset)
        ]
        assert found[0] == found[1]
        return found[0]


@pytest.fixture
def both(warehouse: DuckDBWarehouse, made: BigQueryWarehouse) -> Both:
    return Both(warehouse, made)


@pytest.mark.long
def test_nothing_is_found_in_sound_rows_or_in_none(both: Both) -> None:
    assert both.checked() == []
    both.put(requests(*minutes(5)))
    both.put(incidents(incident_row()), "incidents")
    assert both.checked() == []


def test_every_planted_fault_of_rows_is_found_alike(both: Both) -> None:
    broken: list[dict[str, Any]] = [
        {"request_count": -1, "error_count": -2, "latency": []},
        {"error_count": 13, "latency": []},
        {"error_count": 14, "latency": [], "region": "aa"},
        {"latency": [{"bucket": 0, "count": 11}]},
        {"latency": [{"bucket": 2000, "count": 1}]},
        {"latency": [{"bucket": 0, "count": -1}]},
        {"quality": None},
        {"duration_sum_s": float("inf")},
        {"minute": NOON + timedelta(seconds=1)},
    ]
    rows = [
        request_row(**{"service": "a", "version": f"{n}", **values})
        for n, values in enumerate(broken)
    ]
    both.put(requests(*minutes(2), *minutes(1, service="b"), *rows))
    both.put(incidents(incident_row(detected_at=NOON - DAY, cause="aliens")), "incidents")
    found = both.checked()
    # an empty histogram is within 12 - 13 and 12 - 14 successes no more than 11 are within 10
    assert {(one.table, one.check, one.severity, one.count) for one in found} == {
        ("requests", "request_count >= 0", "fail", 1),
        ("requests", "error_count >= 0", "fail", 1),
        ("requests", "errors within requests", "fail", 2),
        ("requests", "histogram within successes", "fail", 3),
        ("requests", "latency buckets between -1024 and 1023", "fail", 1),
        ("requests", "latency counts >= 0", "fail", 1),
        ("requests", "quality is not null", "fail", 1),
        ("requests", "duration_sum_s is finite", "fail", 1),
        ("requests", "minute = TIMESTAMP_TRUNC(minute, MINUTE)", "fail", 1),
        ("incidents", ALL, "fail", 1),
        ("incidents", "detected after started", "warn", 1),
    }
    (first,) = (one.example for one in found if one.check == "errors within requests")
    # version 1 in "aa" comes before the others by its grain
    assert "region=aa version=2 request_count=12 error_count=14" in first


@pytest.mark.long
def test_repeated_grains_are_found_alike_with_null_in_them(both: Both) -> None:
    both.put(requests(*minutes(3), *minutes(2)))
    row = dict.fromkeys(contract("errors").by_name) | {
        "minute": NOON, "service": "a", "endpoint": "", "region": "", "version": "",
        "error": "500", "error_count": 1, "is_fault": True,
    }  # fmt: skip
    both.put(pl.DataFrame([row, row, row], schema=contract("errors").schema), "errors")
    found = {one.table: (one.check, one.count) for one in both.checked()}
    # minutes 0 and 1 are there twice, one error three times
    assert found == {"requests": ("unique grain", 2), "errors": ("unique grain", 2)}


@pytest.mark.long
def test_a_repeated_grain_across_days(both: Both) -> None:
    both.put(incidents(incident_row(), incident_row(started_at=NOON - DAY)), "incidents")
    (found,) = both.checked()
    assert (found.check, found.example) == ("unique grain", "incident_id=i1")


@pytest.mark.long
def test_stretches_that_overlap_are_found_alike(both: Both) -> None:
    row = dict.fromkeys(contract("services").by_name) | {"service": "a", "valid_from": NOON}
    second = row | {"valid_from": NOON + 2 * DAY, "valid_to": NOON + 4 * DAY}
    third = row | {"valid_from": NOON + 4 * DAY}
    frame = pl.DataFrame([row, second, third], schema=contract("services").schema)
    both.put(frame, "services")
    (found,) = both.checked()
    assert (found.count, found.example) == (1, "service=a valid_from=2026-10-31 12:00:00+00")


@pytest.mark.long
def test_late_data_and_gaps_are_found_alike(both: Both) -> None:
    rows = [row for n, row in enumerate(minutes(10)) if n not in (2, 5, 6, 7)]
    later = [row for n, row in enumerate(minutes(30, start=NOON + DAY)) if n != 4]
    both.put(requests(*rows, *minutes(10, service="cart"), *later))
    found = both.checked(NOON + 3 * DAY)
    assert [one.check for one in found] == [
        "fresh",
        "no gaps in a service",
        "no gaps in the fleet",
    ]
    # 4 minutes of the first day; nobody from 12:10 to noon of the next day, and in 12:04 of it
    assert [one.count for one in found] == [1, 4, 1430 + 1]


@pytest.mark.long
def test_only_the_days_and_tables_asked_for_are_looked_at(both: Both) -> None:
    bad = request_row(NOON, quality="good")
    both.put(requests(bad, *minutes(3, start=NOON + DAY)))
    first = both.checked(NOON + DAY, tables=["requests"])[0]
    assert first.check.startswith("quality IN")
    assert both.checked(NOON + DAY, tables=["incidents"]) == []
    assert both.checked(NOON + DAY, since=NOON + DAY) == []
    with pytest.raises(UnknownTable, match="no table 'request'"):
        both.dataset.check(SOON, ["request"])


def test_an_array_that_is_null_is_an_empty_one(made: BigQueryWarehouse, tmp_path: Path) -> None:
    made.load("requests", [csv(tmp_path / "a.csv", minutes(3))])
    bound = "WHERE minute > TIMESTAMP '2026-01-01'"
    made.asker.do(f"UPDATE requests SET latency = NULL {bound}", [], "test")
    assert made.check(SOON, ["requests"]) == []


def test_steps_of_coarse_sources_are_no_gaps(made: BigQueryWarehouse, tmp_path: Path) -> None:
    every5 = [request_row(NOON + timedelta(minutes=5 * n), service="slow") for n in (0, 1, 3)]
    made.load("requests", [csv(tmp_path / "a.csv", every5)], step=timedelta(minutes=5))
    made.load("requests", [csv(tmp_path / "b.csv", minutes(20))])
    (found,) = [one for one in made.check(SOON, ["requests"]) if one.severity == "warn"]
    assert (found.count, found.example) == (5, "slow from 2026-10-31T12:10Z to 2026-10-31T12:15Z")


def test_a_table_that_is_missing_or_another_is_a_finding(made: BigQueryWarehouse) -> None:
    older = tables.table(made.dataset_id, contract("calls"), None)
    older.schema = [field for field in older.schema if field.name != "retry_count"]
    for name in ("calls", "pages"):
        made.client.delete_table(f"{made.dataset_id}.{name}")
    made.client.create_table(older)
    found = {(one.table, one.check): one for one in made.check(SOON)}
    assert set(found) == {("calls", "columns of the contract"), ("pages", "the table exists")}
    assert found["calls", "columns of the contract"].example == (
        "table calls has no column 'retry_count' (INT64)"
    )


def test_a_dataset_is_described_and_says_how_far_it_reaches(
    place: BigQueryWarehouse, tmp_path: Path
) -> None:
    place.create()
    assert place.describe()["rows"].sum() == 0
    assert place.complete_until() is None
    frame = requests(*minutes(3), *minutes(2, start=NOON + DAY))
    place.load("requests", [parquet(tmp_path / "a.parquet", frame)])
    rows = {row["table"]: row for row in place.describe().iter_rows(named=True)}
    found = rows["requests"]
    assert (found["rows"], found["days"]) == (5, 2)
    assert (found["first"], found["last"]) == (NOON, NOON + DAY + timedelta(minutes=1))
    assert rows["services"]["days"] is None
    assert place.complete_until() == NOON + DAY + timedelta(minutes=2)
    slow = [request_row(NOON + 2 * DAY, service="slow")]
    place.load("requests", [csv(tmp_path / "b.csv", slow)], step=timedelta(minutes=5))
    assert place.complete_until() == NOON + 2 * DAY + timedelta(minutes=5)
