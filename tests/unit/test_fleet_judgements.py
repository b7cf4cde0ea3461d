"""A fleet of one service, counted to the minute: what its objectives are judged to be.

From 12 September to 11 October 2026, 12:00 UTC, each minute has 10 orders. All are good but those of
the minutes in ``BAD``.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

import fleetslo as fs
from fleetslo import cli
from fleetslo.errors import PeriodError

# The fleet is made once, by one process.
pytestmark = pytest.mark.xdist_group("shop")

FIRST = datetime(2026, 9, 12, tzinfo=UTC)
LAST = datetime(2026, 10, 11, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BAD = [
    # (from, minutes, bad orders of the 10 in each)
    (datetime(2026, 10, 3, 2, tzinfo=UTC), 60, 10),  # maintenance
    (datetime(2026, 10, 6, 10, tzinfo=UTC), 20, 5),
    (datetime(2026, 9, 20, tzinfo=UTC), 30, 10),
]


ORDERS = ({"sli": "orders"}, {"sli": "orders"})


def slo(
    name: str,
    window: dict[str, Any],
    method: str,
    *entries: dict[str, Any],
    counted: tuple[dict[str, str], dict[str, str]] = ORDERS,
    **meta: Any,
) -> Any:
    ratio = {
        side: {"metricSource": {"type": "fleetslo", "spec": of}}
        for side, of in zip(("good", "total"), counted, strict=True)
    }
    indicator = {
        "metadata": {"name": "counted"},
        "spec": {"ratioMetric": {"counter": True, **ratio}},
    }
    spec: dict[str, Any] = {
        "service": "shop",
        "timeWindow": [window],
        "budgetingMethod": method,
        "objectives": list(entries),
    }
    if len(entries) > 1:
        spec["objectives"] = [{"indicator": indicator, **entry} for entry in entries]
    else:
        spec["indicator"] = indicator
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {"name": name, **meta},
        "spec": spec,
    }


WEEK = {"duration": "7d", "isRolling": True}
MONTH = {
    "duration": "1M",
    "isRolling": False,
    "calendar": {"startTime": "2026-01-01 00:00:00", "timeZone": "Europe/Stockholm"},
}
SLICE = {"timeSliceWindow": "10m", "timeSliceTarget": 0.95}
DOCUMENTS = [
    slo("week", WEEK, "Occurrences", {"target": 0.99}),
    slo("month", MONTH, "Occurrences", {"target": 0.99}),
    slo("slices", WEEK, "Timeslices", {"target": 0.99, **SLICE}),
    slo("ratios", WEEK, "RatioTimeslices", {"target": 0.99, "timeSliceWindow": "10m"}),
    slo(
        "both",
        WEEK,
        "Occurrences",
        {"displayName": "strict", "target": 0.99},
        {"displayName": "lax", "target": 0.95},
    ),
    slo("stricter", WEEK, "Occurrences", {"target": 0.9}),
    slo(
        "stricter",
        WEEK,
        "Occurrences",
        {"target": 0.995},
        annotations={"fleetslo/since": "2026-10-08"},
    ),
    slo("moved", WEEK, "Occurrences", {"target": 0.9}),
    slo(
        "moved",
        WEEK,
        "Occurrences",
        {"target": 0.9},
        counted=({"requests": "successful"}, {"requests": "all"}),
        annotations={"fleetslo/since": "2026-10-08"},
    ),
    slo("maintained", WEEK, "Occurrences", {"target": 0.99}),
    slo("maintained-slices", WEEK, "Timeslices", {"target": 0.99, **SLICE}),
    {
        "apiVersion": "fleetslo/v1",
        "kind": "Exclusion",
        "metadata": {"name": "saturdays"},
        "spec": {
            "reason": "Patching, agreed with support.",
            "objectives": ["maintained*"],
            "starts": "2026-01-03T02:00Z",
            "lasts": "1h",
            "repeats": "FREQ=WEEKLY;BYDAY=SA",
        },
    },
]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fs.Fleet]:
    folder = tmp_path_factory.mktemp("shop")
    objectives = folder / "queries" / "objectives"
    objectives.mkdir(parents=True)
    (folder / "fleetslo.toml").write_text("", encoding="utf-8")
    (objectives / "shop.yaml").write_text(yaml.safe_dump_all(DOCUMENTS), encoding="utf-8")
    orders(folder / "orders.parquet")
    (folder / "requests.csv").write_text(requests(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("FLEETSLO_HOME", raising=False)
        patch.delenv("FLEETSLO_WAREHOUSE", raising=False)
        for words in (
            "create",
            "load sli_events orders.parquet",
            "load requests requests.csv",
            "rollup",
        ):
            assert cli.run(["warehouse", *words.split()]) == 0
        yield fs.open_fleet()


def orders(path: Path) -> None:
    count = (LAST - FIRST) // MINUTE
    bad = [0] * count
    for start, minutes, each in BAD:
        place = (start - FIRST) // MINUTE
        bad[place : place + minutes] = [each] * minutes
    pl.DataFrame(
        {
            "minute": [FIRST + place * MINUTE for place in range(count)],
            "service": "shop",
            "sli": "orders",
            "good_count": [10 - each for each in bad],
            "valid_count": 10,
        },
        schema_overrides={"minute": pl.Datetime("us", "UTC")},
    ).write_parquet(path)


def requests() -> str:
    """Return an hourly request, so that the fleet knows the service."""
    head = (
        "minute,service,endpoint,region,version,request_count,error_count,duration_sum_s,latency,"
        "quality,observed_count"
    )
    hours = (FIRST + count * 60 * MINUTE for count in range((LAST - FIRST) // (60 * MINUTE)))
    rows = [f'{hour:%Y-%m-%dT%H:%MZ},shop,/,eu,1,1,0,0.1,"[[-54,1]]",exact,1' for hour in hours]
    return "\n".join([head, *rows])


def row_of(frame: pl.DataFrame, name: str) -> dict[str, Any]:
    return frame.row(by_predicate=pl.col("objective") == name, named=True)


@pytest.fixture(scope="module")
def period(fleet: fs.Fleet) -> fs.Period:
    """A week that ends on Saturday 10 October: both the maintenance and the incident are in it."""
    return fleet.period("7d", "2026-10-10")


@pytest.fixture(scope="module")
def judged(fleet: fs.Fleet, period: fs.Period) -> pl.DataFrame:
    return fleet.judgements(period)


def test_every_objective_has_a_row_and_no_member_has(judged: pl.DataFrame) -> None:
    assert judged["objective"].to_list() == [
        *("both", "maintained", "maintained-slices", "month", "moved", "ratios"),
        *("slices", "stricter", "week"),
    ]


def test_a_rolling_week_of_orders(judged: pl.DataFrame) -> None:
    row = row_of(judged, "week")
    # 7 x 1,440 x 10 = 100,800 orders, 60 x 10 + 20 x 5 = 700 bad of 0.01 x 100,800 = 1,008
    assert (row["valid_count"], row["bad_count"], row["budget_count"]) == (100_800, 700, 1_008)
    assert row["budget_left"] == pytest.approx(1 - 700 / 1_008)
    assert (row["unit"], row["coverage"], row["is_running"]) == ("events", 1.0, False)


def test_slices_of_ten_minutes(judged: pl.DataFrame) -> None:
    row = row_of(judged, "slices")
    # 1,008 slices; six of the maintenance and two of the incident are bad; 10.08 may be
    assert (row["valid_count"], row["bad_count"], row["unit"]) == (1_008, 8, "slices")
    assert row["budget_spent"] == pytest.approx(8 / 10.08)
    assert row["verdict"] == "at_risk"


def test_shares_of_slices(judged: pl.DataFrame) -> None:
    row = row_of(judged, "ratios")
    # six slices lost all, two lost half: 6 + 2 x 0.5 = 7 of 10.08
    assert (row["valid_count"], row["bad_count"]) == (1_008, 7)
    assert row["budget_spent"] == pytest.approx(7 / 10.08)


def test_a_composite_adds_the_burn_of_its_members(judged: pl.DataFrame) -> None:
    row = row_of(judged, "both")
    # 700 / 1,008 at 99 %, and 700 / 5,040 at 95 %
    assert row["budget_spent"] == pytest.approx(700 / 1_008 + 700 / 5_040)
    assert (row["unit"], row["kind"], row["sli"]) == ("burn", "composite", None)


def test_a_month_in_stockholm_still_runs(judged: pl.DataFrame) -> None:
    row = row_of(judged, "month")
    # Stockholm is at +02:00 on 1 October and at +01:00 on 1 November.
    assert row["window_start"] == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert row["window_end"] == datetime(2026, 10, 31, 23, tzinfo=UTC)
    assert (row["is_running"], row["is_estimated"], row["window_days"]) == (True, True, 30)
    # So far 9 days and 2 hours, 130,800 orders. Every minute of the weeks before had 10, so the
    # 745 hours of this October are expected to have 745 x 600 = 447,000; 1 % of them is 4,470.
    assert row["valid_count"] == 130_800
    assert row["budget_count"] == pytest.approx(4_470)
    assert row["budget_spent"] == pytest.approx(700 / 4_470)
    assert (row["coverage"], row["verdict"]) == (1.0, "met")
    assert row["outage_s"] == pytest.approx(0.01 * 745 * 3600)


def test_maintenance_is_left_out_and_shown_beside(judged: pl.DataFrame) -> None:
    row = row_of(judged, "maintained")
    # Saturday 3 October, 02:00 to 03:00, left the week: 10,020 minutes of orders, 100 bad.
    assert (row["valid_count"], row["bad_count"]) == (100_200, 100)
    assert (row["excluded_minutes"], row["coverage"]) == (60, 1.0)
    assert row["bad_with_excluded"] == 700
    assert row["sli_with_excluded"] == pytest.approx(1 - 700 / 100_800)
    sliced = row_of(judged, "maintained-slices")
    # Six slices are wholly excluded: 1,002 are left, two of them bad.
    assert (sliced["valid_count"], sliced["bad_count"]) == (1_002, 2)
    assert sliced["budget_count"] == pytest.approx(10.02)
    assert (sliced["bad_with_excluded"], sliced["excluded_minutes"]) == (8, 60)


def test_a_changed_objective_is_judged_from_its_change_on(
    fleet: fs.Fleet, period: fs.Period, judged: pl.DataFrame
) -> None:
    row = row_of(judged, "stricter")
    assert (row["target"], row["judged_from"]) == (0.995, datetime(2026, 10, 8, tzinfo=UTC))
    # Two days of orders, none bad.
    assert (row["valid_count"], row["bad_count"], row["coverage"]) == (28_800, 0, 1.0)
    old = row_of(fleet.earlier_judgements(period), "stricter")
    # The five days before, by the target of then: 700 of 0.1 x 72,000.
    assert (old["target"], old["judged_until"]) == (0.9, datetime(2026, 10, 8, tzinfo=UTC))
    assert (old["valid_count"], old["bad_count"]) == (72_000, 700)
    assert old["budget_spent"] == pytest.approx(700 / 7_200)
    assert (old["is_running"], old["coverage"]) == (False, 1.0)


def test_what_is_measured_otherwise_since_is_counted_so_since(
    fleet: fs.Fleet, period: fs.Period, judged: pl.DataFrame
) -> None:
    # Until 8 October orders were counted, 72,000 in five days; since then the requests, one an hour.
    now, before = row_of(judged, "moved"), row_of(fleet.earlier_judgements(period), "moved")
    assert (now["unit"], now["valid_count"], now["bad_count"]) == ("requests", 48, 0)
    assert (before["unit"], before["valid_count"], before["bad_count"]) == ("events", 72_000, 700)
    assert now["burn_6h"] == 0.0
    assert not [found for found in fleet.warehouse.check(LAST) if found.table == "slo_minutes"]


def test_alerts_are_replayed_over_what_is_measured_now(fleet: fs.Fleet, period: fs.Period) -> None:
    view = fleet.service("shop", period)
    # The maintenance lost every order of an hour: ten times the 10 % of "moved", and a page at over
    # 14.4 x 7 / 30 = 3.36 times. But since 8 October requests are counted, of which none was bad.
    now = view.detection("moved")
    assert now is not None
    assert now.alerts.is_empty()
    week = view.detection("week")
    assert week is not None
    assert "page" in week.alerts["severity"].to_list()
    # Where the maintenance is excluded it pages nobody: the incident alone does.
    spared = view.detection("maintained")
    assert spared is not None
    pages = spared.alerts.filter(severity="page")
    assert pages["fired_at"].dt.date().unique().to_list() == [date(2026, 10, 6)]


def test_minutes_reach_back_from_where_a_period_stands(fleet: fs.Fleet) -> None:
    quarter = fs.Period.parse("2026-10-01/2026-12-30")
    minutes = fleet.service("shop", quarter).minutes
    # On 11 October; the month's usual 30 days begin on 11 September, a day before the orders.
    assert minutes["minute"].min() == FIRST
    assert minutes["minute"].max() == datetime(2026, 10, 10, 23, 59, tzinfo=UTC)


def test_objectives_at_a_period_are_those_of_its_end(fleet: fs.Fleet, period: fs.Period) -> None:
    def target(of: fs.Period) -> float:
        return next(one for one in fleet.objectives_at(of) if one.name == "stricter").target

    assert target(period) == 0.995
    # The change came with the end: it held for none of that week.
    assert target(fs.Period.ending("2026-10-08", days=7)) == 0.9


def test_spending_over_any_stretch(fleet: fs.Fleet) -> None:
    hour = fs.Period(datetime(2026, 10, 6, 10, tzinfo=UTC), datetime(2026, 10, 6, 11, tzinfo=UTC))
    spent = fleet.spending(hour, ["shop"])
    assert (row_of(spent, "week")["bad_count"], row_of(spent, "week")["valid_count"]) == (100, 600)
    assert (row_of(spent, "slices")["bad_count"], row_of(spent, "slices")["sli"]) == (2, 4 / 6)
    assert row_of(spent, "ratios")["bad_count"] == 1
    # Burning at 100 / 600 / 0.01 and at 100 / 600 / 0.05 together.
    assert row_of(spent, "both")["bad_count"] == pytest.approx(100 / 6 + 20 / 6)


def test_parts_of_a_stretch_sum_to_the_whole(fleet: fs.Fleet, period: fs.Period) -> None:
    middle = period.start + timedelta(days=2, hours=5, minutes=17)
    names = ["week", "maintained"]
    parts = [fs.Period(period.start, middle), fs.Period(middle, period.end), period]
    one, two, whole = (
        fleet.spending(part).filter(pl.col("objective").is_in(names)) for part in parts
    )
    for count in ("good_count", "valid_count", "bad_count"):
        assert (one[count] + two[count]).to_list() == whole[count].to_list()


def test_a_month_that_runs_is_judged_as_of_the_newest_day(fleet: fs.Fleet) -> None:
    month = fleet.period("2026-10")
    assert fleet.until(month) == datetime(2026, 10, 11, tzinfo=UTC)
    row = row_of(fleet.judgements(month), "week")
    assert row["window_end"] == datetime(2026, 10, 11, tzinfo=UTC)
    # Asked as of a day, it is judged as of that day, however much came later.
    asked = fleet.period("2026-10", "2026-10-05")
    assert fleet.until(asked) == datetime(2026, 10, 5, tzinfo=UTC)
    week = fleet.period("2026-10-11/2026-10-18")
    assert fleet.until(week) == LAST  # its first day is not over


def test_a_period_that_has_not_begun_is_refused(fleet: fs.Fleet) -> None:
    for text, as_of in (("2026-11", ""), ("7d", "2026-10-20"), ("2026-10", "2026-10-20")):
        with pytest.raises(PeriodError, match="end it on 2026-10-11"):
            fleet.period(text, as_of)


def test_an_alert_does_not_count_what_is_excluded(fleet: fs.Fleet) -> None:
    during = fs.Period.ending("2026-10-03T03:00Z", days=7)
    rows = fleet.judgements(during)
    # All orders of the last hour were bad: at 99 % that burns at 100.
    assert row_of(rows, "week")["burn_1h"] == pytest.approx(100)
    assert row_of(rows, "week")["page_firing"]
    assert row_of(rows, "maintained")["burn_1h"] is None
    assert row_of(rows, "maintained")["alerts"] == ""
    assert row_of(rows, "maintained-slices")["burn_1h"] is None
    assert row_of(rows, "slices")["burn_1h"] == pytest.approx(100)


def test_a_window_before_all_data_is_null(fleet: fs.Fleet) -> None:
    later = fs.Period.ending("2027-03-01", days=7)
    assert fleet.until(later) == later.end
    row = fleet.judgements(later, ["shop"])
    assert row.is_empty() or row["sli"].null_count() == row.height
