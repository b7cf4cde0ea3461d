from datetime import date, timedelta
from functools import partial

import polars as pl
import pytest
from stored_rows import NOON, incident_row, incidents, minutes, request_row, requests

from fleetslo.errors import UnknownTable
from fleetslo.warehouse.base import Finding
from fleetslo.warehouse.contracts import contract
from fleetslo.warehouse.gaps import Gap, gaps, stored_runs

DAY = NOON.date()
SOON = NOON + timedelta(hours=1)


def put(warehouse, frame, table="requests", day: date | None = DAY):
    """Store rows as a broken pipeline might: without the loader's checks."""
    folder = warehouse.layout.partition(table, day)
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_parquet(folder / f"part-{len(list(folder.iterdir()))}.parquet")


def of_rows(warehouse, as_of, tables=None):
    """What the stored rows break; that nothing here was rolled up is another finding."""
    return [one for one in warehouse.check(as_of, tables) if one.check != "rolled up"]


def checked(warehouse, as_of=SOON, tables=None):
    return {(f.table, f.check): f for f in of_rows(warehouse, as_of, tables)}


def test_nothing_is_found_in_sound_data_or_in_none(warehouse):
    assert of_rows(warehouse, SOON) == []
    put(warehouse, requests(*minutes(5)))
    put(warehouse, incidents(incident_row()), "incidents")
    assert of_rows(warehouse, SOON) == []


@pytest.mark.parametrize(
    ("broken", "check", "example"),
    [
        (
            {"request_count": -1, "error_count": -2, "latency": []},
            "request_count >= 0",
            "request_count=-1",
        ),
        (
            {"error_count": 13, "latency": []},
            "errors within requests",
            "request_count=12 error_count=13",
        ),
        (
            {"latency": [{"bucket": 0, "count": 11}]},
            "histogram within successes",
            "request_count=12 error_count=2",
        ),
        (
            {"latency": [{"bucket": 2000, "count": 1}]},
            "latency buckets between -1024 and 1023",
            "latency=[{'bucket': 2000",
        ),
        ({"latency": [{"bucket": 0, "count": -1}]}, "latency counts >= 0", "latency=[{'bucket': 0"),
        ({"quality": None}, "quality is not null", "quality=null"),
        ({"duration_sum_s": float("inf")}, "duration_sum_s is finite", "duration_sum_s=inf"),
        (
            {"minute": NOON + timedelta(seconds=1)},
            "minute = TIMESTAMP_TRUNC(minute, MINUTE)",
            "minute=2026-10-31 12:00:01+00",
        ),
    ],
)
def test_a_broken_rule_is_counted_with_its_first_row(warehouse, broken, check, example):
    put(
        warehouse,
        requests(*minutes(2), *minutes(1, service="b"), request_row(service="a", **broken)),
    )
    found = checked(warehouse)["requests", check]
    assert (found.severity, found.count) == ("fail", 1)
    assert example in found.example
    assert "service=a" in found.example
    assert found.says.startswith("1 rows break: ")


def test_rules_that_warn_come_after_those_that_fail(warehouse):
    row = incident_row(detected_at=NOON - timedelta(minutes=1), cause="aliens")
    put(warehouse, incidents(row), "incidents")
    found = of_rows(warehouse, SOON)
    assert [(f.severity, f.check) for f in found] == [
        ("fail", "cause IN ('deployment', 'configuration', 'dependency', 'capacity', 'unknown')"),
        ("warn", "detected after started"),
    ]


def test_a_repeated_grain_within_a_day(warehouse):
    put(warehouse, requests(*minutes(3)))
    put(warehouse, requests(*minutes(2)))
    found = checked(warehouse)["requests", "unique grain"]
    # minutes 0 and 1 are there twice
    assert (found.severity, found.count) == ("fail", 2)
    assert found.example == (
        "minute=2026-10-31 12:00:00+00 service=checkout endpoint=GET /cart region=eu version=1"
    )


def test_a_repeated_grain_across_days_where_the_time_is_no_part_of_it(warehouse):
    put(warehouse, incidents(incident_row()), "incidents")
    earlier = NOON - timedelta(days=1)
    put(warehouse, incidents(incident_row(started_at=earlier)), "incidents", earlier.date())
    assert checked(warehouse)["incidents", "unique grain"].example == "incident_id=i1"


def test_rows_in_the_folder_of_another_day(warehouse):
    put(warehouse, requests(*minutes(3)), day=date(2026, 10, 30))
    found = checked(warehouse)["requests", "rows in the folder of their day"]
    assert (found.severity, found.count) == ("fail", 1)
    assert found.example.endswith("day=2026-10-30/part-0.parquet: 2026-10-31 to 2026-10-31")


def test_stretches_of_ownership_that_overlap(warehouse):
    row = dict.fromkeys(contract("services").by_name) | {"service": "a", "valid_from": NOON}
    second = row | {"valid_from": NOON + timedelta(days=2), "valid_to": NOON + timedelta(days=4)}
    third = row | {"valid_from": NOON + timedelta(days=4)}
    other = row | {"service": "b"}
    frame = pl.DataFrame([row, second, third, other], schema=contract("services").schema)
    put(warehouse, frame, "services", None)
    found = checked(warehouse)["services", "stretches do not overlap"]
    # the first has no end, though the second follows; the second ends where the third begins
    assert found.count == 1
    assert found.example == "service=a valid_from=2026-10-31 12:00:00+00"


def test_days_that_were_not_rolled_up_are_a_warning_until_they_are(warehouse):
    put(warehouse, requests(*minutes(3)))
    found = {one.table: (one.severity, one.count) for one in warehouse.check(SOON)}
    assert found == {"requests_hourly": ("warn", 1), "slo_minutes": ("warn", 1)}
    assert warehouse.check(SOON, ["requests"]) == []
    warehouse.rollup([])
    assert warehouse.check(SOON) == []
    put(warehouse, requests(*minutes(4)))  # late data
    late = {one.table for one in warehouse.check(SOON) if one.check == "rolled up"}
    assert late == {"requests_hourly", "slo_minutes"}


def test_data_that_is_late(warehouse):
    put(warehouse, requests(*minutes(2)))
    # the newest row covers up to 12:02; requests may be 6 h late
    assert of_rows(warehouse, NOON + timedelta(hours=6, minutes=2)) == []
    (found,) = of_rows(warehouse, NOON + timedelta(hours=8, minutes=2))
    assert (found.check, found.severity, found.says, found.example) == (
        "fresh",
        "warn",
        "the newest row is 8.0 h old; it may be 6 h",
        "minute=2026-10-31T12:01Z",
    )


def test_a_file_that_cannot_be_read_is_a_finding_and_others_are_checked(warehouse):
    put(warehouse, requests(*minutes(500)))
    (file,) = warehouse.layout.files("requests")
    file.write_bytes(file.read_bytes()[:2000])
    put(warehouse, incidents(incident_row(cause="aliens")), "incidents")
    found = of_rows(warehouse, SOON)
    assert [(f.table, f.check) for f in found][::-1] == [
        ("requests", "readable files"),
        (
            "incidents",
            "cause IN ('deployment', 'configuration', 'dependency', 'capacity', 'unknown')",
        ),
    ]
    assert str(file) in found[-1].example


def test_only_the_tables_asked_for_are_looked_at(warehouse):
    put(warehouse, requests(request_row(quality="good")))
    assert of_rows(warehouse, SOON, ["incidents"]) == []
    assert len(of_rows(warehouse, SOON, ["requests"])) == 1
    with pytest.raises(UnknownTable, match=r"no table 'request'"):
        of_rows(warehouse, SOON, ["request"])


class TestGaps:
    def found(self, warehouse):
        with warehouse.connection() as connection:
            runs = stored_runs(
                connection,
                warehouse.layout,
                contract("requests"),
                warehouse.layout.days("requests"),
            )
        return gaps(runs, partial(warehouse.layout.steps, "requests"))

    def test_a_service_that_misses_minutes_in_which_another_reported(self, warehouse):
        rows = [row for place, row in enumerate(minutes(10)) if place not in (2, 5, 6, 7)]
        put(warehouse, requests(*rows, *minutes(10, service="cart")))
        assert self.found(warehouse) == [
            Gap(
                "no gaps in a service",
                4,
                "1 services miss minutes in which others reported",
                "checkout from 2026-10-31T12:05Z to 2026-10-31T12:08Z",
            )
        ]
        (finding,) = of_rows(warehouse, SOON)
        assert finding == Finding(
            "requests",
            "no gaps in a service",
            "warn",
            4,
            "1 services miss minutes in which others reported",
            "checkout from 2026-10-31T12:05Z to 2026-10-31T12:08Z",
        )

    def test_a_service_is_not_missed_before_its_first_minute_or_after_its_last(self, warehouse):
        put(
            warehouse,
            requests(*minutes(3, start=NOON + timedelta(minutes=3)), *minutes(10, service="b")),
        )
        assert self.found(warehouse) == []

    def test_minutes_in_which_nobody_reported(self, warehouse):
        later = NOON + timedelta(days=1)
        put(warehouse, requests(*minutes(3), *minutes(3, service="b")))
        put(warehouse, requests(*minutes(1, start=later)), day=later.date())
        (gap,) = self.found(warehouse)
        # 12:00 to 12:02 are there, then 12:00 of the next day: 1,440 - 3 minutes are not
        assert (gap.name, gap.missing) == ("no gaps in the fleet", 1437)
        assert gap.example == "nobody from 2026-10-31T12:03Z to 2026-11-01T12:00Z"

    def test_old_days_that_are_kept_in_part_are_not_looked_at(self, warehouse):
        old = NOON - timedelta(days=3)
        put(warehouse, requests(*minutes(5, start=old)), day=old.date())
        put(warehouse, requests(*minutes(20), *minutes(20, service="b")))
        # the old day has 5 minutes; half of the median of (5, 40) is 11.25
        assert self.found(warehouse) == []

    def test_a_coarser_source_covers_its_step(self, warehouse):
        every5 = [request_row(NOON + timedelta(minutes=5 * n), service="slow") for n in (0, 1, 3)]
        warehouse.layout.update_meta(
            {
                "steps": {
                    "requests": {"slow": [["2026-10-31T12:00:00Z", "2026-10-31T12:20:00Z", 300]]}
                }
            }
        )
        put(warehouse, requests(*every5, *minutes(20)))
        assert [(gap.missing, gap.example) for gap in self.found(warehouse)] == [
            (5, "slow from 2026-10-31T12:10Z to 2026-10-31T12:15Z")
        ]
