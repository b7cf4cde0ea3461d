"""The widget of slo_tuning, driven as a reader and as a next cell would."""

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from tests.tuning_fleet import BROKE, PERIOD, START, Fleet

from fleetslo.errors import OutputError, ParameterError
from fleetslo.explore.panel import ChartPanel
from fleetslo.explore.tuning import TuningView, slo_tuning
from fleetslo.explore.tuning_fleet import fleet_fits, target_fits
from fleetslo.explore.tuning_history import HISTORY, ServicePast, reach_back
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import Exclusion, read_exclusions
from fleetslo.reliability.objectives import Objective, read_objectives, resolve

MINUTE = timedelta(minutes=1)


def drawn(panel: ChartPanel) -> dict[str, Any]:
    """Return the figure that JupyterLab was given."""
    (output,) = panel.figure.outputs
    return output["data"]["application/vnd.plotly.v1+json"]


def reread(path: Path, fleet: Fleet) -> list[Objective]:
    """Return checkout's objectives when a saved file stands beside the others."""
    written = read_objectives([fleet.folder / "availability.yaml", path])
    return resolve(written, fleet.services(PERIOD).iter_rows(named=True))


@pytest.fixture
def fleet(tmp_path: Path) -> Fleet:
    return Fleet(tmp_path)


@pytest.fixture
def view(fleet: Fleet) -> TuningView:
    return slo_tuning(fleet, "checkout", PERIOD)


class TestFirstLook:
    def test_it_starts_from_the_present_target(self, view: TuningView) -> None:
        assert view.problem is None
        assert view.objective.name == "checkout-availability"
        assert view.controls.target == 0.999
        assert view.changed == view.objective

    def test_every_window_of_the_past_is_there(self, view: TuningView) -> None:
        # 21 days hold 15 windows of seven; those that end on day 18 to 21 hold the hour in
        # which 50 of 100 a minute were bad: 3,000 of 1,008,000 are 0.298 %, over the 0.1 %.
        judged = view.windows.filter("is_judged")
        assert judged.height == 15
        missed = judged.filter(pl.col("sli_low") < 0.999)
        assert missed["sli_low"].to_list() == [1 - 3000 / 1_008_000] * 4
        assert missed["end"].to_list() == [START + timedelta(days=n) for n in (18, 19, 20, 21)]
        assert "missed in 4 of 15 windows" in view.past.chart.title

    def test_charts_and_tables_are_drawn(self, view: TuningView) -> None:
        assert drawn(view.past)["data"]
        assert drawn(view.alerts)["data"]
        assert view.targets.table is not None
        assert view.policies.table is not None
        assert view.map.chart is None  # availability has no threshold to move

    def test_a_front_end_gets_the_widget_and_a_terminal_the_words(self, view: TuningView) -> None:
        for one in (view, view.past, view.fired, view.proposal):
            bundle = one._repr_mimebundle_()
            assert "application/vnd.jupyter.widget-view+json" in bundle
            assert bundle["text/plain"] == one.text()

    def test_freshness_is_of_the_tables_that_were_used(self, view: TuningView) -> None:
        told = view.freshness.drop_nulls()
        assert told["table_name"].to_list() == ["requests_hourly", "slo_minutes"]

    def test_its_squad_is_known(self, view: TuningView) -> None:
        assert view.squad == "Payments"
        view.choose(service="search")
        assert view.squad == "Search"

    def test_windows_reach_back_further_than_the_period(self) -> None:
        assert reach_back(PERIOD) == PERIOD.last(HISTORY)
        long = Period(PERIOD.end - 2 * HISTORY, PERIOD.end)
        assert reach_back(long) == long


class TestAlerts:
    def test_the_incident_is_paged_at_night(self, view: TuningView) -> None:
        # Half of the requests fail: burn 500 ×. At 7 days the workbook's first factor is
        # 2 % × 168 h ÷ 1 h = 3.36, so one minute in an hour is 500 / 60 = 8.3 × already: both
        # windows burn over it at the end of the first minute.
        assert view.tried is not None
        found = view.tried.detections["workbook"]
        first = found.alerts.filter(pl.col("severity") == "page").row(0, named=True)
        assert first["fired_at"] == BROKE + MINUTE
        assert first["is_out_of_hours"]  # 05:00 in Stockholm
        assert first["incident_ids"] == ["INC-1"]

    def test_the_one_that_hurt_nobody_is_missed_and_unseen(self, view: TuningView) -> None:
        assert view.tried is not None
        assert view.held is not None
        incidents = view.tried.detections["workbook"].incidents
        assert dict(incidents.select("incident_id", "is_missed").rows()) == {
            "INC-1": False,
            "INC-2": True,
        }
        unseen = dict(view.held.incidents.select("incident_id", "is_unseen").rows())
        assert unseen == {"INC-1": False, "INC-2": True}
        # 3,000 of a budget of 1,008: 298 %.
        spent = view.held.incidents.filter(pl.col("incident_id") == "INC-1")["spent"][0]
        assert spent == pytest.approx(3000 / 1008)

    def test_another_policy_changes_the_tables_below(self, view: TuningView) -> None:
        view.controls.policy.value = "proportional"
        assert "proportional" in view.policies.table.title

    def test_a_target_that_nothing_breaks_never_pages(self, view: TuningView) -> None:
        # At 40 % a total outage burns at 1 / 0.6 = 1.67, under every page's factor.
        view.choose(target=0.4)
        assert view.tried is not None
        assert view.tried.rows("workbook")[0]["page_month"] == 0
        assert "never page and miss two of 2 incidents" in view.policies.table.title


class TestTrying:
    def test_the_slider_and_the_box_are_one(self, view: TuningView) -> None:
        view.controls.slider.value = 0.995
        assert view.controls.target == 0.995
        assert "was met in all 15 windows" in view.past.chart.title
        view.controls.box.value = 99.93
        assert view.controls.target == 0.9993
        assert view.controls.slider.value == 0.9995  # the nearest of the ladder

    def test_a_threshold_moves_the_windows(self, view: TuningView) -> None:
        view.choose(objective="checkout-latency")
        assert view.controls.within_s == 0.1
        before = view.windows["sli_low"].min()
        offered = [value for _, value in view.controls.threshold.options]
        view.choose(within_s=max(offered))
        assert view.windows["sli_low"].min() > before
        assert drawn(view.map)["data"]

    def test_alerts_at_another_threshold_are_counted_anew(
        self, view: TuningView, fleet: Fleet
    ) -> None:
        view.choose(objective="checkout-latency", within_s=0.1)
        assert fleet.warehouse.asked == []
        other = next(v for _, v in view.controls.threshold.options if v > 0.1)
        view.choose(within_s=other)
        (asked,) = fleet.warehouse.asked
        assert asked["name"] == "rollups/slo_minutes_latency"
        assert asked["fast_bucket"] == asked["cut_bucket"]  # a bound, which cuts no bucket
        view.choose(target=0.95)
        assert len(fleet.warehouse.asked) == 1  # the same minutes serve every target

    def test_what_is_not_kept_is_told(self, view: TuningView, fleet: Fleet) -> None:
        fleet.warehouse.days = 3
        view.choose(objective="checkout-latency")
        other = next(v for _, v in view.controls.threshold.options if v > 0.1)
        view.choose(within_s=other)
        assert "Alerts are replayed from 22 Oct 00:00 on" in view.status.value
        assert view.tried is not None
        assert view.tried.period == Period(PERIOD.end - timedelta(days=3), PERIOD.end)

    def test_where_nothing_is_kept_the_windows_still_stand(
        self, view: TuningView, fleet: Fleet
    ) -> None:
        fleet.warehouse.days = 0
        view.choose(objective="checkout-latency")
        other = next(v for _, v in view.controls.threshold.options if v > 0.1)
        view.choose(within_s=other)
        assert view.problem is None
        assert "Requests are not kept by the minute" in view.status.value
        assert view.tried is None
        assert view.policies.text() == "There is no table."
        assert view.past.chart is not None

    def test_time_slices_are_tuned_in_slices(self, view: TuningView) -> None:
        view.choose(objective="checkout-hours")
        # A week has 168 hours; the broken one has half of its requests bad, under the 95 %.
        judged = view.windows.filter("is_judged")
        assert judged["valid_count"].to_list() == [168.0] * 15
        bad = (judged["valid_count"] - judged["good_count"]).to_list()
        assert bad == [0] * 11 + [1] * 4
        assert view.controls.threshold.layout.display == "none"

    def test_slices_from_before_anything_was_counted_are_none(self, fleet: Fleet) -> None:
        # A slice without data is bad here; those of the 159 days before the data are no data.
        one = replace(
            next(one for one in fleet.objectives if one.name == "checkout-hours"), no_data="bad"
        )
        fleet.objectives = [one]
        view = slo_tuning(fleet, "checkout", PERIOD)
        judged = view.windows.filter("is_judged")
        assert judged.height == 15
        assert judged["sli_low"].min() == 167 / 168

    def test_excluded_minutes_do_not_count(self, fleet: Fleet) -> None:
        hour = (BROKE, BROKE + 60 * MINUTE)
        fleet.exclusions = [exclusion(fleet, *hour)]
        view = slo_tuning(fleet, "checkout", PERIOD)
        assert view.windows["sli_low"].unique().to_list() == [1.0]


def exclusion(fleet: Fleet, start: datetime, end: datetime) -> Exclusion:
    path = fleet.folder / "maintenance.yaml"
    path.write_text(
        "apiVersion: fleetslo/v1\n"
        "kind: Exclusion\n"
        "metadata: {name: agreed}\n"
        "spec:\n"
        "  reason: agreed maintenance\n"
        "  services: [checkout]\n"
        f"  starts: {start:%Y-%m-%d %H:%M}\n"
        f"  ends: {end:%Y-%m-%d %H:%M}\n",
        encoding="utf-8",
    )
    (found,) = read_exclusions(path)
    return found


class TestDocument:
    def test_a_template_becomes_a_document_of_the_service(
        self, view: TuningView, fleet: Fleet, tmp_path: Path
    ) -> None:
        view.choose(target=0.998)
        found = {one.name: one for one in reread(view.save(tmp_path / "own.yaml"), fleet)}
        own = found["checkout-availability"]
        assert own.target == 0.998
        assert own.source.startswith(str(tmp_path / "own.yaml"))  # it wins over the template
        before = view.objective
        assert (own.display_name, own.description) == ("availability", "Three nines.")
        assert (own.labels, own.owner, own.window) == (before.labels, "shop", before.window)
        assert own.selector == before.selector
        assert found["search-availability"].target == 0.999

    def test_a_threshold_is_written_with_it(
        self, view: TuningView, fleet: Fleet, tmp_path: Path
    ) -> None:
        view.choose(objective="checkout-latency")
        other = next(v for _, v in view.controls.threshold.options if v > 0.1)
        view.choose(within_s=other, target=0.95)
        found = {one.name: one for one in reread(view.save(tmp_path / "own.yaml"), fleet)}
        changed = found["checkout-latency"]
        assert (changed.target, changed.selector.within_s) == (0.95, other)
        assert changed.labels == {"journey": "buying"}

    def test_time_slices_stay(self, view: TuningView, fleet: Fleet, tmp_path: Path) -> None:
        view.choose(objective="checkout-hours", target=0.98)
        found = {one.name: one for one in reread(view.save(tmp_path / "own.yaml"), fleet)}
        changed = found["checkout-hours"]
        assert (changed.target, changed.slice_target) == (0.98, 0.95)
        assert changed.slice_length == timedelta(hours=1)

    def test_a_file_is_never_replaced_unasked(self, view: TuningView, tmp_path: Path) -> None:
        path = tmp_path / "mine.yaml"
        path.write_text("precious", encoding="utf-8")
        with pytest.raises(OutputError, match="there is a file already"):
            view.save(path)
        assert path.read_text(encoding="utf-8") == "precious"
        view.save(path, overwrite=True)
        assert path.read_text(encoding="utf-8") == view.document

    def test_the_button_writes_and_says_so(self, view: TuningView, tmp_path: Path) -> None:
        home = tmp_path / "queries" / "objectives" / "checkout-availability.yaml"
        assert view.proposal.path.value == str(home)
        view.proposal.button.click()
        assert home.read_text(encoding="utf-8") == view.document
        assert f"Written to {home}" in view.proposal._told.value
        view.proposal.button.click()
        assert "there is a file already" in view.proposal._told.value
        view.proposal.replaces.value = True
        view.proposal.button.click()
        assert "Written to" in view.proposal._told.value

    def test_a_path_that_cannot_be_written_is_one_clear_error(
        self, view: TuningView, tmp_path: Path
    ) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(OutputError, match="a file stands where a folder is needed"):
            view.save(tmp_path / "file" / "own.yaml")


class TestTrouble:
    def test_an_unknown_service_is_told_and_another_can_be_chosen(self, fleet: Fleet) -> None:
        view = slo_tuning(fleet, "chekout", PERIOD)
        assert view.problem is not None
        assert "Did you mean 'checkout'?" in view.problem
        assert view.text() == view.problem
        assert view.past.widget.layout.display == "none"
        view.controls.service.value = "search"
        assert view.problem is None

    def test_a_service_without_an_objective_is_not_offered(self, view: TuningView) -> None:
        assert [value for _, value in view.controls.service.options] == ["checkout", "search"]

    def test_a_wrong_choice_in_code_is_an_error(self, view: TuningView) -> None:
        with pytest.raises(ParameterError, match="policy cannot be 'none'"):
            view.choose(policy="none")
        with pytest.raises(ParameterError, match="there is no choice 'planet'"):
            view.choose(planet="mars")
        with pytest.raises(ParameterError, match=r"a target of 1\.0 cannot be"):
            view.choose(target=1.0)

    def test_an_empty_name_is_the_first_with_an_objective(self, fleet: Fleet) -> None:
        assert slo_tuning(fleet, "", PERIOD).objective.service == "checkout"

    def test_what_nobody_foresaw_is_a_sentence_too(self, fleet: Fleet) -> None:
        fleet.broken = "slo/minutes"
        view = slo_tuning(fleet, "checkout", PERIOD)
        assert view.problem == "This cannot be drawn: ValueError: the disk is gone"
        fleet.broken = ""
        view.update()
        assert view.problem is None

    def test_a_fleet_without_objectives_has_nothing_to_choose(self, fleet: Fleet) -> None:
        fleet.objectives = []
        view = slo_tuning(fleet, "", PERIOD)
        assert view.problem == "no service has an objective that fleetslo can measure"

    def test_going_back_asks_nothing(self, view: TuningView, fleet: Fleet) -> None:
        view.choose(service="search")
        asked = len(fleet.asked)
        view.choose(service="checkout")
        assert len(fleet.asked) == asked


class TestFits:
    def test_each_objective_of_the_service_is_held_against_its_past(self, view: TuningView) -> None:
        past = ServicePast(
            view.fleet,
            {"service": "checkout", "oncall_timezone": None, "tier": 1},
            PERIOD,
            reach_back(PERIOD),
            view.fleet.objectives_at(PERIOD, ["checkout"]),
        )
        found = {row["objective"]: row for row in past.fits.iter_rows(named=True)}
        assert found["checkout-availability"]["fit"] == "fits"  # met in 11 of 15 windows
        assert found["checkout-availability"]["met_count"] == 11
        assert found["checkout-hours"]["missed_count"] == 0

    def test_days_say_of_the_fleet_what_minutes_say(self, fleet: Fleet) -> None:
        rows = fleet_fits(fleet, PERIOD)
        found = {row["objective"]: row for row in rows.iter_rows(named=True)}
        assert found["checkout-availability"]["met_count"] == 11
        assert found["checkout-availability"]["worst_spent"] == pytest.approx(3000 / 1008)
        assert found["search-availability"]["fit"] == "too_loose"  # nothing was ever bad
        assert found["checkout-hours"]["window_count"] == 15

    def test_a_squad_has_its_own(self, fleet: Fleet) -> None:
        rows = fleet_fits(fleet, PERIOD, squad="Search")
        assert rows["service"].unique().to_list() == ["search"]
        assert target_fits(fleet, PERIOD, squad="Search").title == "One too loose of 1 objective"
        with pytest.raises(ParameterError, match="Did you mean 'Search'"):
            fleet_fits(fleet, PERIOD, squad="Serch")
