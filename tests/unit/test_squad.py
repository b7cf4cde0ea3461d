"""One squad as a notebook holds it: on the tiny demo fleet, and on judgements made by hand."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

import fleetslo as fs
from fleetslo.errors import UnknownSquad
from fleetslo.published import read_published_numbers, record
from fleetslo.reliability.combined import combine
from fleetslo.reliability.restatements import published_numbers
from fleetslo.reports.running import one_report, run_schedule
from fleetslo.settings import load_settings
from fleetslo.squad import MOST_PERIODS, SquadView
from fleetslo.warehouse.base import open_warehouse

END = "2026-11-01"
KEY = ("a", "a-availability")


@pytest.fixture(scope="module")
def view(tiny_home: Path) -> SquadView:
    # Whoever ran 'make demo' has a ledger in this folder's own home.
    settings = load_settings({}, {"FLEETSLO_HOME": str(tiny_home)}).settings
    fleet = fs.Fleet(settings, open_warehouse(settings.warehouse))
    return fleet.squad("Payments", fleet.period("28d"))


class TestOnTheDemo:
    def test_it_holds_the_services_that_the_squad_owned(self, view: SquadView) -> None:
        known = view.fleet.services(view.period).filter(pl.col("squad") == "Payments")
        assert view.names == known["service"].to_list()
        assert "checkout" in view.names
        assert set(view.judgements["service"]) <= set(view.names)
        assert set(view.incidents["service"]) <= set(view.names)

    def test_an_unknown_squad_is_named_with_the_nearest(self, view: SquadView) -> None:
        with pytest.raises(UnknownSquad, match="Did you mean 'Payments'"):
            view.fleet.squad("Payment", view.period)

    def test_days_and_causes_add_up_to_what_was_judged_bad(self, view: SquadView) -> None:
        # A window that is not the page's own has days before or after it.
        same = pl.col("window_start").eq(view.period.start) & pl.col("window_end").eq(view.until)
        key = ["service", "objective"]
        for part in (view.days, view.causes):
            sums = part.group_by(key).agg(total=pl.col("bad_count").sum())
            held = view.judgements.filter(same).join(sums, on=key)
            assert held.height > 0
            assert held["total"].to_list() == held["bad_count"].to_list()

    def test_the_combined_result_adds_up_to_its_services(self, view: SquadView) -> None:
        taken = view.contributions.filter(pl.col("kind") == "availability")
        assert taken["service"].n_unique() == taken.height
        spent = view.fleet.spending(view.period, view.names)
        mine = spent.join(taken, on=["service", "objective"], how="semi")
        both = combine(view.contributions, "availability")
        assert both.bad_count == mine["bad_count"].sum()
        assert both.valid_count == mine["valid_count"].sum()

    def test_a_week_is_a_part_of_the_period(self, view: SquadView) -> None:
        week = view.fleet.spending(view.week, view.names)
        assert view.counts["week_bad_count"].sum() == week["bad_count"].sum()
        assert (view.counts["week_bad_count"] <= view.counts["bad_count"]).all()

    def test_without_a_ledger_nothing_is_restated(self, view: SquadView) -> None:
        assert view.restated == []

    def test_the_line_for_the_lab_opens_it_again(self, view: SquadView) -> None:
        opened: dict[str, Any] = {}
        exec(view.lab, {"fleet": view.fleet, "fs": fs}, opened)  # noqa: S102 -- our own line
        assert opened["view"].names == view.names


def judged(*lefts: tuple[str, float | None], end: datetime) -> pl.DataFrame:
    """Judgements of objectives with so much budget left of 1,000 requests; None is not judged."""
    rows = [
        {
            "service": service, "objective": f"{service}-availability", "label": "Availability",
            "unit": "requests", "window_start": end - timedelta(days=28), "window_end": end,
            "target": 0.9, "good_count": 900.0 + 100 * (left or 0), "valid_count": 1000.0,
            "uncertain_count": 0.0, "bad_count": 100.0 - 100 * (left or 0),
            "sli": 0.9 + 0.1 * (left or 0), "budget_left": left, "is_running": False,
            "verdict": "unjudged" if left is None else "missed" if left < 0 else "met",
        }
        for service, left in lefts
    ]  # fmt: skip
    types = {"service": pl.String, "objective": pl.String, "budget_left": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=types)


class ByHand:
    """A fleet of one squad whose judgements are given by how many periods ago they were."""

    def __init__(self, home: Path, *history: list[tuple[str, float | None]]) -> None:
        self.settings = SimpleNamespace(home=home, at_risk_budget_left=0.25)
        self.history = history
        self.asked: list[datetime] = []

    def until(self, period: fs.Period) -> datetime:
        return period.end

    def judgements(self, period: fs.Period, services: Any) -> pl.DataFrame:
        self.asked.append(period.end)
        ago = (datetime(2026, 11, 1, tzinfo=UTC) - period.end) // timedelta(days=28)
        known = self.history[ago] if ago < len(self.history) else [("a", None), ("b", None)]
        return judged(*known, end=period.end)


def squad(fleet: ByHand) -> SquadView:
    services = pl.DataFrame({"service": ["a", "b"], "squad": ["S", "S"]})
    return SquadView(fleet, fs.Period.ending(END, days=28), "S", services)  # type: ignore[arg-type]


class TestPeriodsInARow:
    def row(self, home: Path, *history: list[tuple[str, float | None]]) -> Any:
        fleet = ByHand(home, *history)
        return squad(fleet).in_a_row, len(fleet.asked)

    def test_it_ends_with_a_period_that_was_kept(self, tmp_path: Path) -> None:
        a, b = ("a", -0.5), ("b", 0.5)
        row, asked = self.row(tmp_path, [a, b], [a, b], [("a", 0.1), b], [a, b])
        assert row == {KEY: (2, False)}
        assert asked == 3  # no further back than the row goes

    def test_it_may_be_longer_where_nothing_is_known_before(self, tmp_path: Path) -> None:
        row, _ = self.row(tmp_path, [("a", -0.5)], [("a", -0.1)])
        assert row == {KEY: (2, True)}
        fresh, _ = self.row(tmp_path, [("a", -0.5)], [("b", 0.5)])  # a new objective
        assert fresh == {KEY: (1, True)}

    def test_nothing_is_asked_of_the_past_for_objectives_that_are_met(self, tmp_path: Path) -> None:
        assert self.row(tmp_path, [("a", 0.5)], [("a", -0.5)]) == ({}, 2)

    def test_it_looks_back_no_longer_than_a_year(self, tmp_path: Path) -> None:
        row, asked = self.row(tmp_path, *[[("a", -1.0)]] * 20)
        assert row == {KEY: (MOST_PERIODS, True)}
        assert asked == MOST_PERIODS


class TestRestated:
    def published(self, home: Path, ended: str, left: float, run: str = "r1") -> None:
        told = judged(("a", left), end=datetime.fromisoformat(ended).replace(tzinfo=UTC))
        record(home, run, datetime(2026, 11, 1, 6, tzinfo=UTC), published_numbers(told))

    def test_the_window_before_is_held_against_what_was_published(self, tmp_path: Path) -> None:
        self.published(tmp_path, "2026-10-04", 0.3)
        (row,) = squad(ByHand(tmp_path, [("a", 0.5)], [("a", 0.2)])).restated
        # 30 good more than 900 were published, there are 20 now, of 1,000
        assert (row["published_sli"], row["now_sli"]) == pytest.approx((0.93, 0.92))
        assert row["why"] == "corrected data"

    def test_so_are_this_window_and_the_last_one_that_was_published(self, tmp_path: Path) -> None:
        self.published(tmp_path, "2026-11-01", 0.4, "r1")
        self.published(tmp_path, "2026-10-25", 0.4, "r2")
        self.published(tmp_path, "2026-10-18", 0.4, "r3")  # neither the last nor the one before
        # The window that ended on 25 Oct is judged like that of no whole period ago.
        found = squad(ByHand(tmp_path, [("a", 0.5)])).restated
        assert [f"{row['window_end']:%d %b}" for row in found] == ["01 Nov", "25 Oct"]

    def test_what_is_unchanged_is_not_told(self, tmp_path: Path) -> None:
        self.published(tmp_path, "2026-10-04", 0.2)
        assert squad(ByHand(tmp_path, [("a", 0.5)], [("a", 0.2)])).restated == []


@pytest.fixture
def own_home(tiny_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own, over the shared warehouse."""
    monkeypatch.setenv("FLEETSLO_HOME", str(tmp_path))
    monkeypatch.setenv("FLEETSLO_WAREHOUSE", f"duckdb://{tiny_home}/warehouse")
    return tmp_path


@pytest.mark.xdist_group("runs-notebooks")
def test_a_squads_page_is_published_and_its_numbers_kept(own_home: Path) -> None:
    done = run_schedule(load_settings().settings, as_of=END, only=["squad_review/Payments"])
    assert {result.outcome for result in done.results.values()} == {"ok"}
    (page,) = (own_home / "site/current").glob("*/squad_review/*.html")
    assert page.stat().st_size < 700_000
    index = (own_home / "site/current/index.html").read_text(encoding="utf-8")
    assert f'<a href="2026-10-04_2026-11-01/squad_review/{page.name}">Payments</a>' in index
    told = read_published_numbers(own_home, ["checkout"])
    assert set(told["window_end"]) == {datetime(2026, 11, 1, tzinfo=UTC)}
    fleet = fs.open_fleet()
    now = fleet.judgements(fleet.period("28d", END), ["checkout"]).filter(~pl.col("is_running"))
    assert sorted(told["bad_count"]) == sorted(now["bad_count"])
    # The same window again, from the same data: nothing is restated.
    assert fleet.squad("Payments", fleet.period("28d", END)).restated == []


def test_a_squad_that_does_not_exist_is_refused_before_a_kernel_starts(own_home: Path) -> None:
    with pytest.raises(UnknownSquad, match="no service of"):
        one_report("squad_review", {"squad": "Nobody"}, load_settings().settings)
    assert not (own_home / "runs").exists()
