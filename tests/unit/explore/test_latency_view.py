"""The widget of explore_latency, driven as a reader and as a next cell would."""

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.hand_fleet import PERIOD, Fleet

from fleetslo.charts import palette
from fleetslo.errors import ObjectiveError, ParameterError
from fleetslo.explore.comparison import Selection
from fleetslo.explore.latency import LatencyView, explore_latency
from fleetslo.explore.panel import ChartPanel, TablePanel
from fleetslo.explore.surroundings import in_colours
from fleetslo.periods import Period
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.windows import RollingWindow


def drawn(panel: ChartPanel) -> dict[str, Any]:
    """Return the figure that JupyterLab was given."""
    (output,) = panel.figure.outputs
    return output["data"]["application/vnd.plotly.v1+json"]  # type: ignore[no-any-return]


@pytest.fixture
def view(fleet: Fleet, period: Period) -> LatencyView:
    return explore_latency(fleet, "checkout", period)


class TestFirstLook:
    def test_it_compares_a_period_with_the_one_before(self, view: LatencyView) -> None:
        assert view.problem is None
        assert view.selection == Selection("checkout")
        assert view.after["hour"].min() == view.period.start
        assert view.before["hour"].max() == view.period.start - timedelta(hours=1)
        assert view.hours.height == view.before.height + view.after.height

    def test_three_charts_and_two_tables_are_drawn(self, view: LatencyView) -> None:
        for panel in (view.heat, view.curves, view.shifts):
            assert drawn(panel)["data"]
        assert "14 Oct" in view.heat.chart.title
        assert view.endpoints.table is not None
        assert view.regions.table is not None

    def test_it_says_what_it_compares(self, view: LatencyView) -> None:
        assert "checkout, all endpoints, all regions" in view.status.value
        assert 'aria-live="polite"' in view.status.value
        assert "compared with" in view.text()

    def test_a_front_end_gets_the_widget_and_a_terminal_the_words(self, view: LatencyView) -> None:
        for one in (view, view.heat, view.endpoints):
            bundle = one._repr_mimebundle_()
            assert "application/vnd.jupyter.widget-view+json" in bundle
            assert bundle["text/plain"] == one.text()

    def test_an_empty_name_is_the_busiest_service(self, fleet: Fleet, period: Period) -> None:
        # checkout has two endpoints in two regions, four times the requests of search
        assert explore_latency(fleet, "", period).selection.service == "checkout"

    def test_it_can_start_anywhere(self, fleet: Fleet, period: Period) -> None:
        view = explore_latency(
            fleet, "checkout", period, compare="versions", endpoint="GET /cart", region=""
        )
        assert view.selection == Selection("checkout", "GET /cart")
        assert view.after["version"].unique().to_list() == ["4.17.3"]

    def test_freshness_is_of_the_tables_that_were_used(self, view: LatencyView) -> None:
        # Nothing is said of incidents: they have no rows.
        assert view.freshness.rows() == [
            ("deployments", PERIOD.end),
            ("incidents", None),
            ("requests_hourly", PERIOD.end),
        ]


class TestChoosing:
    def test_an_endpoint_narrows_everything(self, view: LatencyView) -> None:
        before = drawn(view.heat)
        view.controls.endpoint.value = "POST /orders"
        assert view.selection.endpoint == "POST /orders"
        assert view.after["endpoint"].unique().to_list() == ["POST /orders"]
        assert drawn(view.heat)["data"] != before["data"]
        view.choose(endpoint=None)
        assert view.selection.endpoint is None
        assert view.after["endpoint"].n_unique() == 2

    def test_a_service_brings_its_own_lists(self, view: LatencyView) -> None:
        view.choose(endpoint="GET /cart")
        view.controls.service.value = "search"
        assert view.selection == Selection("search")
        assert view.controls.values_of("endpoint") == [None, "GET /search"]
        assert view.problem is None

    def test_a_region_that_the_next_service_has_stays_chosen(self, view: LatencyView) -> None:
        view.choose(region="eu")
        view.controls.service.value = "search"
        assert view.selection.region == "eu"

    def test_going_back_asks_nothing(self, view: LatencyView, fleet: Fleet) -> None:
        view.choose(service="search")
        asked = len(fleet.asked)
        view.choose(service="checkout")
        assert len(fleet.asked) == asked

    def test_services_long_gone_are_forgotten(
        self, fleet: Fleet, period: Period, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("fleetslo.explore.view.REMEMBERED", 1)
        view = explore_latency(fleet, "checkout", period).choose(service="search")
        asked = len(fleet.asked)
        view.choose(service="checkout")
        assert len(fleet.asked) == asked + 3

    def test_the_failed_deployment_is_offered_first(self, view: LatencyView) -> None:
        view.controls.way.value = "deployment"
        assert view.controls.rollout.value == "r1"
        assert "rolled back" in view.controls.rollout.label
        assert view.after["version"].unique().sort().to_list() == ["4.17.3", "4.18.0"]
        assert view.before["version"].unique().to_list() == ["4.17.2"]
        assert "rose" in view.shifts.chart.title

    def test_only_lists_that_matter_are_seen(self, view: LatencyView) -> None:
        controls = view.controls

        def seen() -> list[str]:
            lists = {"old": controls.old, "new": controls.new, "deployment": controls.rollout}
            return [name for name, one in lists.items() if one.layout.display != "none"]

        assert seen() == []
        controls.way.value = "versions"
        assert seen() == ["old", "new"]
        assert controls.version.disabled
        controls.way.value = "deployment"
        assert seen() == ["deployment"]
        assert not controls.version.disabled

    def test_every_list_has_a_label(self, view: LatencyView) -> None:
        boxes = view.controls.widget.children
        assert all(one.description for box in boxes for one in box.children)


class TestTrouble:
    def test_an_unknown_service_is_told_and_another_can_be_chosen(
        self, fleet: Fleet, period: Period
    ) -> None:
        view = explore_latency(fleet, "chekout", period)
        assert "Did you mean &#x27;checkout&#x27;?" in view.status.value
        assert view.text() == view.problem
        assert view.before.is_empty()
        assert view.after.is_empty()
        assert view.heat.widget.layout.display == "none"
        view.controls.service.value = "search"
        assert view.problem is None
        assert view.heat.widget.layout.display != "none"

    def test_an_unknown_comparison_is_told(self, fleet: Fleet, period: Period) -> None:
        view = explore_latency(fleet, "checkout", period, compare="perod")
        assert view.problem is not None
        assert "Did you mean 'period'?" in view.problem

    def test_a_wrong_choice_in_code_is_an_error(self, view: LatencyView) -> None:
        with pytest.raises(ParameterError, match="region cannot be 'mars'"):
            view.choose(region="mars")
        with pytest.raises(ParameterError, match="there is no choice 'planet'"):
            view.choose(planet="mars")

    def test_a_service_without_deployments_says_so(self, view: LatencyView) -> None:
        view.choose(service="search", compare="deployment")
        assert view.problem is not None
        assert view.problem.startswith("search deployed nothing in ")
        assert view.endpoints.text() == "There is no table."
        assert view.heat.text() == "There is no chart."
        assert list(view.after.columns) == list(view.hours.columns)

    def test_a_single_version_has_nothing_to_be_compared_with(self, view: LatencyView) -> None:
        view.choose(service="search", compare="versions")
        assert view.problem is not None
        assert "choose two versions" in view.problem

    def test_a_selection_without_rows_says_so(self, view: LatencyView) -> None:
        view.choose(region="us", version="4.18.0")
        assert view.problem is not None  # it served four hours, and nothing in the week before
        assert "no request with a duration" in view.problem

    def test_what_nobody_foresaw_is_a_sentence_too(self, fleet: Fleet, period: Period) -> None:
        fleet.broken = "latency/hours"
        view = explore_latency(fleet, "checkout", period)
        assert view.problem == "This cannot be drawn: ValueError: the disk is gone"
        fleet.broken = ""
        view.update()
        assert view.problem is None

    def test_an_empty_warehouse_has_nothing_to_choose(self, fleet: Fleet, period: Period) -> None:
        fleet.hours = {}
        view = explore_latency(fleet, "", period)
        assert view.problem is not None
        assert view.hours.is_empty()


def objective(target: float, **selector: Any) -> Objective:
    return Objective(
        name="checkout-latency",
        display_name=None,
        service="checkout",
        selector=Selector(requests="successful", **selector),
        target=target,
        window=RollingWindow(timedelta(days=28)),
        method="Occurrences",
        labels={},
        annotations={},
        source="here",
        for_condition=None,
        document={},
    )


class TestObjectives:
    def lines(self, view: LatencyView) -> list[float]:
        shapes = drawn(view.heat)["layout"]["shapes"]
        return [shape["y0"] for shape in shapes if shape["type"] == "line"]

    def test_the_strictest_that_applies_is_drawn(self, fleet: Fleet, period: Period) -> None:
        fleet.objectives = [
            objective(0.9, within_s=0.1),
            objective(0.99, within_s=0.3),
            objective(0.999, within_s=0.5, endpoints=("POST *",)),
            objective(0.999),
        ]
        view = explore_latency(fleet, "checkout", period)
        assert self.lines(view) == [300]
        view.choose(endpoint="POST /orders")
        assert self.lines(view) == [500]

    def test_a_broken_document_does_not_stop_anybody(self, fleet: Fleet, period: Period) -> None:
        def refuse(_: object) -> list[Objective]:
            raise ObjectiveError("checkout.yaml: spec.target is 100")

        fleet.objectives_of = refuse
        view = explore_latency(fleet, "checkout", period)
        assert view.problem is None
        assert self.lines(view) == []


class TestColours:
    def test_a_dark_theme_darkens_what_is_drawn_and_what_will_be(self, view: LatencyView) -> None:
        light = json.dumps(drawn(view.curves))
        view.surroundings.dark = True
        dark = json.dumps(drawn(view.curves))
        assert palette.BLUE in light
        assert palette.BLUE not in dark
        assert palette.COLOURS[palette.BLUE] in dark
        view.choose(region="eu")
        assert palette.COLOURS[palette.BLUE] in json.dumps(drawn(view.curves))
        view.surroundings.dark = False
        assert palette.BLUE in json.dumps(drawn(view.curves))

    def test_the_chart_itself_keeps_its_colours(self, view: LatencyView) -> None:
        view.surroundings.dark = True
        assert view.curves.chart.figure.data[1].line.color == palette.BLUE

    def test_light_is_as_it_was_made(self, view: LatencyView) -> None:
        figure = view.curves.chart.figure
        assert in_colours(figure, dark=False) is figure

    def test_an_empty_place_has_nothing_to_paint(self) -> None:
        panel = ChartPanel(300)
        panel.paint(dark=True)
        assert panel.figure.outputs == ()


def test_the_place_of_a_chart_keeps_its_height_while_it_is_drawn_again() -> None:
    assert ChartPanel(300).figure.layout.min_height == "300px"


def test_an_empty_place_of_a_table_says_so() -> None:
    assert TablePanel().text() == "There is no table."


def test_loading_is_shown_before_the_work(fleet: Fleet, period: Period) -> None:
    view = explore_latency(fleet, "checkout", period)
    said: list[str] = []
    view.status.observe(lambda change: said.append(change["new"]), names="value")
    view.controls.region.value = "eu"
    assert "Loading" in said[0]
    assert "eu" in said[-1]
