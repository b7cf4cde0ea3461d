"""The widget of explore_errors, driven as a reader and as a next cell would."""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from tests import hand_fleet
from tests.error_frames import HOUR, errors, requests
from tests.latency_frames import START

from fleetslo.charts import palette
from fleetslo.errors import ObjectiveError, ParameterError
from fleetslo.explore.error_loading import UNRECORDED, Budget, with_unrecorded
from fleetslo.explore.error_selection import ErrorSelection
from fleetslo.explore.errors import ErrorsView, explore_errors
from fleetslo.fleet import open_fleet
from fleetslo.periods import Period
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.windows import RollingWindow

WEEK = 7 * 24
PERIOD = hand_fleet.PERIOD
BROKEN = START + timedelta(days=10, hours=12)  # four hours of a new error, in the second week


def objective(name: str = "shop-availability", **selector: Any) -> Objective:
    return Objective(
        name=name,
        display_name=None,
        service="shop",
        selector=Selector(**{"requests": "all", **selector}),
        target=0.999,
        window=RollingWindow(timedelta(days=7)),
        method="Occurrences",
        labels={},
        annotations={},
        source="here",
        for_condition=None,
        document=name,
    )


class Fleet(hand_fleet.Fleet):
    """Shop, whose orders failed in a new way for four hours, and search, which never fails."""

    exclusions: Sequence[Any] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        of_orders = {"endpoint": "POST /orders", "region": "us"}
        served = [
            requests([1000] * 2 * WEEK, START),
            requests([500] * 2 * WEEK, START, **of_orders),
            requests([20] * 4, BROKEN, **of_orders, version="2"),
        ]
        failed = [
            errors([2] * 2 * WEEK, START, upstream="stock", error="503"),
            errors([5] * 2 * WEEK, START, error="429", is_fault=False),
            errors([15] * 4, BROKEN, **of_orders, version="2", error="a.b.OddException"),
        ]
        faults = pl.concat([failed[0], failed[2]])
        by_hour = ["service", "endpoint", "region", "version", "hour"]
        counted = faults.group_by(by_hour).agg(faults=pl.col("error_count").sum())
        whole = pl.concat(served).join(counted, on=by_hour, how="left")
        self.requests = whole.with_columns(error_count=pl.col("faults").fill_null(0)).drop("faults")
        self.errors = pl.concat(failed)
        calm = requests([10] * 2 * WEEK, START).with_columns(service=pl.lit("search"))
        self.requests = pl.concat([self.requests, calm])
        self.deployments = self.deployments.with_columns(
            service=pl.lit("shop"), version=pl.lit("2"), started_at=pl.lit(BROKEN)
        ).cast({"started_at": hand_fleet.TIMES})
        self.objectives = [objective()]
        self.broken_objectives = False

    def query(self, name: str, *, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        inside = pl.col("hour").is_between(period.start, period.end, closed="left")
        match name:
            case "fleet/seen":
                return self.requests.group_by("service").agg(pl.col("request_count").sum())
            case "requests/hours" | "errors/hours":
                self.asked.append((name, tuple(services)))
                rows = self.requests if name == "requests/hours" else self.errors
                return rows.filter(inside, pl.col("service").is_in(list(services)))
            case "fleet/freshness":
                tables = ["errors_hourly", "requests_hourly", "pages"]
                return pl.DataFrame({"table_name": tables, "complete_until": [PERIOD.end] * 3})
        return super().query(name, period=period, services=services)

    def services(self, period: Period) -> pl.DataFrame:
        return pl.DataFrame({"service": ["shop", "search"]})

    def objectives_at(self, period: Period, services: Sequence[str] = ()) -> list[Objective]:
        if self.broken_objectives:
            raise ObjectiveError("shop.yaml: spec.target is 100")
        return [one for one in self.objectives if one.service in services]

    def judgements(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        rows = [
            {
                "objective": one.name,
                "judged_from": PERIOD.start,
                "window_end": PERIOD.end,
                "budget_count": 600.0,
            }
            for one in self.objectives_at(period, services)
        ]
        schema = ["objective", "judged_from", "window_end", "budget_count"]
        return pl.DataFrame(rows, schema=schema if not rows else None)


@pytest.fixture
def fleet() -> Fleet:
    return Fleet()


@pytest.fixture
def view(fleet: Fleet) -> ErrorsView:
    return explore_errors(fleet, "shop", PERIOD)


def drawn(view: ErrorsView) -> dict[str, Any]:
    """Return the figure that JupyterLab was given."""
    (output,) = view.timeline.figure.outputs
    return output["data"]["application/vnd.plotly.v1+json"]  # type: ignore[no-any-return]


def changes(view: ErrorsView) -> dict[str, str | None]:
    return dict(view.new.select("error", "change").iter_rows())


class TestFirstLook:
    def test_faults_of_a_period_are_compared_with_those_before(self, view: ErrorsView) -> None:
        assert view.problem is None
        assert view.selection == ErrorSelection("shop")
        assert view.after["hour"].min() == PERIOD.start
        assert view.before["hour"].max() == PERIOD.start - HOUR
        assert view.errors["is_fault"].all()

    def test_what_is_new_and_what_is_as_ever_are_told_apart(self, view: ErrorsView) -> None:
        assert changes(view) == {"a.b.OddException": "new", "503": "unclear"}
        row = view.new.row(0, named=True)
        assert (row["since"], row["until"]) == (BROKEN, BROKEN + 4 * HOUR)
        assert row["version"] == "2"

    def test_what_it_costs_is_a_share_of_the_budget(self, view: ErrorsView) -> None:
        # Of 600: 4 · 15 = 60 odd ones are 10 %, 7 · 24 · 2 = 336 others 56 %.
        spent = dict(view.rows.select("error", "spent").iter_rows())
        assert spent == pytest.approx({"a.b.OddException": 0.1, "503": 0.56})
        assert view.groups.table is not None
        assert "503 spent 56\u202f%" in view.groups.table.title
        assert "10\u202f% of the budget" in view.news.text()

    def test_it_says_what_it_compares_and_what_it_found(self, view: ErrorsView) -> None:
        assert "shop, all endpoints, all regions, faults" in view.status.value
        assert "OddException is new at POST /orders: 60 since 14 Oct 12:00" in view.text()
        assert "503" in json.dumps(drawn(view))

    def test_an_empty_name_is_the_busiest_service(self, fleet: Fleet) -> None:
        assert explore_errors(fleet, "", PERIOD).selection.service == "shop"

    def test_nothing_is_asked_twice(self, view: ErrorsView, fleet: Fleet) -> None:
        assert sorted(name for name, _ in fleet.asked) == [
            "delivery/deployments",
            "errors/hours",
            "oncall/incidents",
            "requests/hours",
        ]

    def test_freshness_is_of_the_tables_that_were_used(self, view: ErrorsView) -> None:
        told = view.freshness.drop_nulls()
        assert told["table_name"].to_list() == ["errors_hourly", "requests_hourly"]
        assert view.freshness["table_name"].to_list() == sorted(view.tables)


class TestChoosing:
    def test_mistakes_of_callers_cost_nothing(self, view: ErrorsView) -> None:
        view.choose(kind="mistakes")
        assert view.after["error"].unique().to_list() == ["429"]
        assert view.rows["counts_as"].to_list() == ["mistake"]
        assert view.rows["spent"].to_list() == [0]
        assert "Mistakes of callers cost no budget" in view.text()

    def test_all_errors_keep_both_apart(self, view: ErrorsView) -> None:
        view.choose(kind="all")
        counts_as = dict(view.rows.select("error", "counts_as").iter_rows())
        assert counts_as == {"429": "mistake", "503": "fault", "a.b.OddException": "fault"}

    @pytest.mark.parametrize(
        ("by", "values"),
        [
            ("endpoint", {"GET /": 336, "POST /orders": 60}),
            ("upstream", {"stock": 336, None: 60}),
            ("region", {"eu": 336, "us": 60}),
            ("version", {"1": 336, "2": 60}),
        ],
    )
    def test_errors_are_split_by_any_dimension(
        self, view: ErrorsView, by: str, values: dict[str | None, int]
    ) -> None:
        view.choose(by=by)
        assert dict(view.rows.select(by, "after_count").iter_rows()) == values
        assert len([one for one in drawn(view)["data"] if one["type"] == "bar"]) == 2

    def test_an_upstream_or_none_narrows_everything(self, view: ErrorsView) -> None:
        view.choose(upstream="stock")
        assert view.new["error"].to_list() == ["503"]
        view.choose(upstream="")
        assert view.new["error"].to_list() == ["a.b.OddException"]
        view.choose(upstream=None, error="503")
        assert view.new["error"].to_list() == ["503"]
        assert str(view.selection).endswith("faults 503")

    def test_a_share_of_requests_can_be_drawn(self, view: ErrorsView) -> None:
        view.choose(measure="share")
        assert "share of the requests" in view.timeline.text()

    def test_another_service_has_its_own_lists(self, view: ErrorsView) -> None:
        view.controls.service.value = "search"
        assert view.problem is None
        assert view.controls.values_of("error") == [None]
        assert "No faults in this stretch" in view.text()

    def test_going_back_asks_nothing(self, view: ErrorsView, fleet: Fleet) -> None:
        view.choose(service="search")
        asked = len(fleet.asked)
        view.choose(service="shop")
        assert len(fleet.asked) == asked

    def test_before_a_deployment(self, view: ErrorsView) -> None:
        view.choose(compare="deployment")
        assert view.comparison is not None
        assert view.comparison.after.period.start == BROKEN
        assert changes(view)["a.b.OddException"] == "new"

    def test_two_versions(self, view: ErrorsView) -> None:
        view.choose(compare="versions", old="1", new="2")
        assert view.after["version"].unique().to_list() == ["2"]
        assert view.before["version"].unique().to_list() == ["1"]
        row = view.new.filter(error="a.b.OddException").row(0, named=True)
        assert row["after_request_count"] == 4 * 20
        assert row["before_request_count"] == WEEK * 500

    def test_an_earlier_stretch_is_fetched_and_compared(self, fleet: Fleet) -> None:
        last = Period(PERIOD.end - timedelta(days=3), PERIOD.end)
        view = explore_errors(
            fleet, "shop", last, compare="earlier", stretch="2026-10-04/2026-10-06"
        )
        assert view.problem is None
        assert view.comparison is not None
        assert view.comparison.before.period == Period(START, START + timedelta(days=2))
        assert view.comparison.shown == Period(START, last.end)
        assert view.before["hour"].max() == START + 47 * HOUR

    def test_weeks_before_are_offered_as_stretches(self, view: ErrorsView) -> None:
        offered = view.controls.earlier.options
        assert offered[0] == "2026-09-27/2026-10-04"  # a fortnight before 11 to 18 Oct
        assert view.controls.earlier.layout.display == "none"
        view.controls.way.value = "earlier"
        assert view.controls.earlier.layout.display is None


class TestBudgets:
    def test_one_list_is_shown_when_there_are_several(self, fleet: Fleet) -> None:
        some = objective("shop-orders", endpoints=("POST *",))
        fleet.objectives = [objective(), some, objective("x", requests="successful")]
        view = explore_errors(fleet, "shop", PERIOD, objective="shop-orders")
        assert view.controls.values_of("objective") == ["shop-availability", "shop-orders"]
        assert view.controls.budget.layout.display is None
        counts_as = dict(view.rows.select("error", "counts_as").iter_rows())
        assert counts_as == {"503": "outside", "a.b.OddException": "fault"}
        assert view.rows["spent"].sum() == pytest.approx(60 / 600)

    def test_without_one_nothing_is_spent(self, fleet: Fleet) -> None:
        fleet.objectives = []
        view = explore_errors(fleet, "shop", PERIOD)
        assert view.budget is None
        assert view.rows["spent"].is_null().all()
        assert view.controls.budget.layout.display == "none"

    def test_a_broken_document_does_not_stop_anybody(self, fleet: Fleet) -> None:
        fleet.broken_objectives = True
        view = explore_errors(fleet, "shop", PERIOD)
        assert view.problem is None
        assert view.budget is None

    def test_errors_outside_its_window_cost_nothing(self) -> None:
        budget = Budget(objective(), Period(START + HOUR, START + 3 * HOUR), 100.0)
        assert budget.counted(errors([1, 2, 4, 8], START))["error_count"].sum() == 2 + 4

    def test_hours_that_are_excluded_whole_cost_nothing(self) -> None:
        half = timedelta(minutes=30)
        left_out = (Period(START + half, START + 2 * HOUR + half),)
        budget = Budget(objective(), Period(START, START + 4 * HOUR), 100.0, left_out)
        # The first and the third hour are excluded in part only, and count whole.
        assert budget.counted(errors([1, 2, 4, 8], START))["error_count"].sum() == 1 + 4 + 8


def test_faults_of_no_recorded_kind_are_not_forgotten() -> None:
    served = requests([100, 100, 100], START).with_columns(
        error_count=pl.Series([5, 3, 0]), request_count=pl.Series([100, 100, 100])
    )
    known = errors([2, 3, 0], START)
    found = with_unrecorded(known, served).filter(error=UNRECORDED)
    assert found.select("hour", "error_count").rows() == [(START, 5 - 2)]
    assert found["is_fault"].all()


class TestTrouble:
    def test_an_unknown_service_is_told_and_another_can_be_chosen(self, fleet: Fleet) -> None:
        view = explore_errors(fleet, "shpo", PERIOD)
        assert "Did you mean &#x27;shop&#x27;?" in view.status.value
        assert view.after.is_empty()
        view.controls.service.value = "search"
        view.controls.service.value = "shop"
        assert view.problem is None

    def test_a_wrong_choice_in_code_is_an_error(self, view: ErrorsView) -> None:
        with pytest.raises(ParameterError, match="by cannot be 'planet'"):
            view.choose(by="planet")

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("last week", "is not a period"),
            ("2026-10-10/2026-10-12", "does not lie before"),
            ("2026-01-01/2026-01-02", "no request was recorded"),
            ("", "choose or type the earlier stretch"),
        ],
    )
    def test_a_stretch_that_cannot_be_is_told(self, view: ErrorsView, text: str, why: str) -> None:
        view.choose(compare="earlier", stretch=text)
        assert view.problem is not None
        assert why in view.problem
        assert view.text() == view.problem
        assert view.new.is_empty()
        assert view.rows.is_empty()
        view.choose(compare="period")
        assert view.problem is None

    def test_a_selection_that_served_nothing_says_so(self, view: ErrorsView) -> None:
        view.choose(endpoint="GET /", region="us")
        assert view.problem is not None
        assert "nothing was recorded" in view.problem

    def test_a_service_without_deployments_says_so(self, view: ErrorsView) -> None:
        view.choose(service="search", compare="deployment")
        assert view.problem is not None
        assert "deployed nothing" in view.problem


def test_a_dark_theme_darkens_what_is_drawn_and_what_will_be(view: ErrorsView) -> None:
    assert palette.BLUE in json.dumps(drawn(view))
    view.surroundings.dark = True
    assert palette.BLUE not in json.dumps(drawn(view))
    view.choose(by="region")
    assert palette.BLUE not in json.dumps(drawn(view))


def test_every_list_has_a_label(view: ErrorsView) -> None:
    boxes = view.controls.widget.children
    assert all(one.description for box in boxes for one in box.children)


@pytest.mark.usefixtures("tiny")
def test_all_faults_of_a_window_spend_what_the_objective_says_is_spent() -> None:
    # Counted on two ways: the errors by kind and hour here, the minutes of the objective there.
    fleet = open_fleet()
    month = fleet.period("28d")
    view = explore_errors(fleet, "checkout", month)
    assert view.budget is not None
    judged = fleet.judgements(month, ["checkout"])
    row = judged.row(by_predicate=pl.col("objective") == view.budget.objective.name, named=True)
    assert row["excluded_minutes"] == 0
    assert view.rows["spent_count"].sum() == row["bad_count"]
    assert view.rows["spent"].sum() == pytest.approx(row["budget_spent"])
