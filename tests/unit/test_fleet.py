"""The fleet as a notebook holds it, on the tiny demo fleet."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

import fleetslo as fs
from fleetslo import cli
from fleetslo.errors import NoData, PeriodError, UnknownService, WarehouseEmpty
from fleetslo.periods import Period
from fleetslo.reports.running import one_report, run_schedule
from fleetslo.settings import load_settings

END = "2026-11-01"


@pytest.fixture
def fleet(tiny: Path) -> fs.Fleet:
    return fs.open_fleet()


def test_it_shows_where_its_data_lies(fleet: fs.Fleet, tiny: Path) -> None:
    assert repr(fleet) == f"Fleet('duckdb://{tiny}/warehouse')"
    assert f"{fleet.last_day:%Y-%m-%d}" == END


def test_a_period_is_checked_against_the_data(fleet: fs.Fleet) -> None:
    assert fleet.period("7d") == fs.Period.ending(END, days=7)
    with pytest.raises(PeriodError, match="end it on 2026-11-01"):
        fleet.period("2026-12")  # it has not begun
    with pytest.raises(PeriodError, match="end it on 2026-11-01"):
        fleet.period("28d", "2026-11-15")  # a report as of then would lack two weeks
    with pytest.raises(NoData, match="no hour was recorded"):
        fleet.period("2019-01")


def test_judgements_agree_with_a_sum_of_their_minutes(fleet: fs.Fleet) -> None:
    period = fleet.period("28d")
    judged = fleet.judgements(period)
    assert judged.height == judged.select("service", "objective").unique().height
    # A month of a calendar may have begun before the period.
    first = judged["judged_from"].min()
    assert isinstance(first, datetime)
    minutes = fleet.query("slo/minutes", period=Period(min(first, period.start), period.end))
    counted = judged.filter(
        (pl.col("method") == "Occurrences")
        & (pl.col("kind") != "composite")
        & (pl.col("excluded_minutes") == 0)
    )
    assert counted.height > judged.height / 2
    for row in counted.iter_rows(named=True):
        mine = minutes.filter(
            (pl.col("service") == row["service"])
            & (pl.col("objective") == row["objective"])
            & pl.col("minute").is_between(row["judged_from"], row["window_end"], closed="left")
        )
        assert row["valid_count"] == mine["valid_count"].sum()
        assert row["good_count"] == mine["good_count"].sum()
        # covered minutes over those of the window so far
        so_far = min(row["window_end"], period.end) - row["judged_from"]
        assert row["coverage"] == pytest.approx(mine.height / (so_far / timedelta(minutes=1)))


def test_hours_add_up_to_what_is_judged(fleet: fs.Fleet) -> None:
    view = fleet.service("checkout", fleet.period("28d"))
    assert view.judgements.height
    for row in view.judgements.filter(~pl.col("is_running")).iter_rows(named=True):
        hours = view.spent_by_hour(row["objective"])
        assert hours["bad_count"].sum() == pytest.approx(row["bad_count"])
        assert hours["valid_count"].sum() == pytest.approx(row["valid_count"])


def test_what_a_week_spent_is_what_its_minutes_say(fleet: fs.Fleet) -> None:
    view = fleet.service("checkout", fleet.period("28d"))
    week = Period(view.period.end - timedelta(days=7), view.period.end)
    minutes = fleet.query("slo/minutes", period=week, services=["checkout"])
    counted = view.judgements.filter(
        (pl.col("method") == "Occurrences")
        & (pl.col("kind") != "composite")
        & (pl.col("excluded_minutes") == 0)
        & (pl.col("judged_from") <= week.start)
    )
    assert counted.height
    for row in counted.iter_rows(named=True):
        mine = minutes.filter(pl.col("objective") == row["objective"])
        bad = mine["valid_count"].sum() - mine["good_count"].sum()
        assert view.week_spent[row["objective"]] == pytest.approx(bad / row["budget_count"])


def test_one_services_judgements_are_the_fleets(fleet: fs.Fleet) -> None:
    period = fleet.period("28d")
    everyone = fleet.judgements(period)
    view = fleet.service("checkout", period)
    assert view.judgements.equals(everyone.filter(pl.col("service") == "checkout"))
    assert view.minutes["service"].unique().to_list() == ["checkout"]
    assert view.tightest["objective"].startswith("checkout-")
    assert view.threshold["target"] == 0.99


def test_the_overview_has_a_row_per_service(fleet: fs.Fleet) -> None:
    view = fleet.overview(fleet.period("28d"))
    assert sorted(row["service"] for row in view.rows) == view.services["service"].to_list()
    assert {"slo_minutes", "requests_hourly"} <= set(view.freshness["table_name"])


def test_an_unknown_service_is_named_with_the_nearest(fleet: fs.Fleet) -> None:
    with pytest.raises(UnknownService, match="Did you mean 'checkout'"):
        fleet.service("chekout", fleet.period("7d"))


def test_a_rollup_after_the_demo_changes_nothing(
    tiny_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(tiny_home / "warehouse", tmp_path / "warehouse")
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    assert cli.run(["warehouse", "rollup"]) == 0
    assert "everything was up to date" in capsys.readouterr().out
    assert cli.run(["warehouse", "check"]) == 0


def test_an_empty_warehouse_says_how_to_fill_it(tmp_path: Path) -> None:
    url = f"duckdb://{tmp_path}/w"
    assert cli.run(["warehouse", "create", "--warehouse", url]) == 0
    with pytest.raises(WarehouseEmpty, match="warehouse load"):
        fs.open_fleet(url).period("7d")


@pytest.fixture
def own_home(tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, over the shared warehouse."""
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{tiny_home}/warehouse")
    return tmp_path


@pytest.mark.xdist_group("runs-notebooks")
@pytest.mark.long
def test_the_schedule_is_run_and_published(own_home: Path) -> None:
    done = run_schedule(
        load_settings().settings, as_of=END, only=["fleet_overview", "service_slo/checkout"]
    )
    assert {result.outcome for result in done.results.values()} == {"ok"}
    assert done.index == own_home / "site/current/index.html"
    pages = sorted(
        p.relative_to(own_home / "site/current").as_posix()
        for p in (own_home / "site/current").glob("*/**/*.html")
    )
    assert pages == [
        "2026-10-04_2026-11-01/fleet_overview.html",
        "2026-10-04_2026-11-01/service_slo/checkout.html",
    ]
    overview = (own_home / "site/current" / pages[0]).read_text(encoding="utf-8")
    assert 'href="service_slo/checkout.html"' in overview
    assert (own_home / "site/current" / pages[1]).stat().st_size < 700_000


@pytest.mark.xdist_group("runs-notebooks")
def test_one_report_ends_on_the_newest_whole_day(own_home: Path) -> None:
    page = one_report("service_slo", {"service": "checkout"}, load_settings().settings)
    assert page == own_home / "reports/2026-10-04_2026-11-01/service_slo/checkout.html"


def test_what_does_not_exist_is_refused_before_a_kernel_starts(own_home: Path) -> None:
    settings = load_settings().settings
    for given, kind in (
        ({"service": "nobody"}, UnknownService),
        ({"period": "2030-01"}, PeriodError),
    ):
        with pytest.raises(kind):
            one_report("service_slo", given, settings)
    assert not (own_home / "runs").exists()


def test_periods_reach_back_as_far_as_an_alert_looks(fleet: fs.Fleet) -> None:
    period = fleet.period("28d")
    totals = fleet.query(
        "slo/window_totals", period=period.last(timedelta(days=3)), window_minutes=[60, 4320]
    )
    hour = totals.filter(pl.col("window_minutes") == 60)
    days = totals.filter(pl.col("window_minutes") == 4320)
    assert hour["covered_minutes"].max() == 60
    assert days["covered_minutes"].max() == 4320
