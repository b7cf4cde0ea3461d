"""Objectives, their outlook and their alerts as a page shows them, on rows checked by hand."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from fleetslo.charts import alerting, forecasts, objectives
from fleetslo.charts.service import NO_OBJECTIVE
from fleetslo.periods import Period
from fleetslo.reliability.budgets import judge
from fleetslo.reliability.forecast import Forecast, forecast
from fleetslo.reliability.objectives import Objective, read_objectives
from fleetslo.reliability.replaying.detection import Detection
from fleetslo.reliability.windows import RollingWindow

START = datetime(2026, 10, 4, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
MONTH = timedelta(days=28)
HOUR = timedelta(hours=1)
THIN = "\u202f"

DOCUMENTS = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-availability
  displayName: availability
  annotations: {fleetslo/reviewed: "2026-09-14"}
spec:
  service: checkout
  indicator: &served
    metadata: {name: served}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: fleetslo, spec: {requests: successful}}}
        total: {metricSource: {type: fleetslo, spec: {requests: all}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-slices, displayName: usable minutes}
spec:
  service: checkout
  indicator: *served
  timeWindow: [{duration: 1M, calendar: {startTime: 2026-01-01 00:00:00, timeZone: Asia/Tokyo}}]
  budgetingMethod: Timeslices
  objectives: [{target: 0.99, timeSliceTarget: 0.98, timeSliceWindow: 5m}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-clicks, displayName: clicks}
spec:
  service: checkout
  indicator:
    metadata: {name: clicks}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: a}}}
        total: {metricSource: {type: Prometheus, spec: {query: b}}}
  timeWindow: [{duration: 4w, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.6}]
"""


@pytest.fixture
def written(tmp_path: Path) -> dict[str, Objective]:
    path = tmp_path / "objectives.yaml"
    # An anchor ends with its document.
    anchor = DOCUMENTS.split("indicator: &served\n")[1].split("  timeWindow")[0]
    path.write_text(DOCUMENTS.replace(" &served", "").replace(" *served\n", "\n" + anchor))
    return {one.name: one for one in read_objectives(path)}


def row(name: str, good: int, valid: int, **other: Any) -> dict[str, Any]:
    found = judge(
        good, valid, other.pop("uncertain", 0), target=other.get("target", 0.999), window=MONTH,
        coverage=1.0, unit=other.get("unit", "requests"),
    )  # fmt: skip
    return {
        "service": "checkout", "objective": name, "label": "Availability",
        "kind": "availability", "method": "Occurrences", "unit": "requests", "window_days": 28.0,
        "is_running": False, "is_estimated": False, "excluded_minutes": 0,
        "sli_with_excluded": None, **asdict(found), **other,
    }  # fmt: skip


def frame(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None)


class TestObjectives:
    def test_each_says_what_it_asks_and_how_it_stands(self, written: dict[str, Objective]) -> None:
        judged = frame(
            row("checkout-availability", 999_600, 1_000_000),
            # 8,928 slices of 5 minutes in 31 days, 100 of them bad at 99 %: 89 may be
            row("checkout-slices", 8828, 8928, target=0.99, unit="slices", is_running=True),
        )
        table = objectives.objective_table(written.values(), judged, date(2026, 11, 1))
        assert table.title == "1 of 2 objectives met; one not measured here"
        slices, served, clicks = table.rows  # type: ignore[misc]
        assert (slices["verdict"], served["verdict"], clicks["verdict"]) == ("missed", "met", None)
        assert slices["asks"] == (
            f"99{THIN}% of 5{THIN}min slices with 98{THIN}% requests that succeed"
        )
        assert slices["window"] == "each month, Asia/Tokyo, still running"
        assert slices["bad"] == "100 of 8,928 slices"
        assert served["bad"] == f"400 of 1.00{THIN}M"
        assert served["reviewed"] == "14 Sep 2026"
        assert clicks["asks"] == "not measured here: its numbers come from Prometheus"
        assert (clicks["sli"], clicks["reviewed"]) == (None, "not said")

    @pytest.mark.parametrize(
        ("served", "slices", "title"),
        [
            # 400 bad of a million at 99.9 % are 40 % of the budget; of nothing, nothing is known
            ((999_600, 1_000_000), (0, 0), "1 of 2 objectives met, one cannot be judged yet"),
            ((998_000, 1_000_000), (0, 0), "0 of 2 objectives met, one cannot be judged yet"),
            ((0, 0), (0, 0), "None of 2 objectives can be judged yet"),
        ],
    )
    def test_what_cannot_be_judged_is_not_called_missed(
        self,
        written: dict[str, Objective],
        served: tuple[int, int],
        slices: tuple[int, int],
        title: str,
    ) -> None:
        judged = frame(
            row("checkout-availability", *served), row("checkout-slices", *slices, unit="slices")
        )
        table = objectives.objective_table(written.values(), judged, date(2026, 11, 1))
        assert table.title == f"{title}; one not measured here"

    def test_an_old_review_and_no_objective_are_told(self, written: dict[str, Objective]) -> None:
        one = [written["checkout-availability"]]
        late = objectives.objective_table(
            one, frame(row("checkout-availability", 9, 10)), date(2027, 9, 15)
        )
        assert late.rows[0]["reviewed"] == "14 Sep 2026, over a year ago"  # type: ignore[index]
        none = objectives.objective_table([], frame(row("x", 9, 10)).clear(), date(2026, 11, 1))
        assert none.title == "No objective names this service"

    def test_a_number_is_followed_to_its_formula_and_counts(self) -> None:
        made = objectives.made_of(row("a", 999_600, 1_000_000))
        assert made.formula.startswith("SLI = good ÷ valid; budget = (1 − target) × valid")
        # 0.1 % of a million
        assert made.payload()["counts"][-1] == ["Budget, in requests", "1,000"]
        running = objectives.made_of(row("a", 9, 10, is_estimated=True))
        assert "(an estimate)" in running.formula
        out = row("a", 9, 10, excluded_minutes=60, sli_with_excluded=0.8)
        assert objectives.made_of(out).counts["SLI with them"] == 0.8
        slices = objectives.made_of(row("a", 9, 10, unit="slices", method="Timeslices"))
        assert "good slices ÷ slices with data" in slices.formula
        burn = objectives.made_of(row("a", 9, 10, unit="burn"))
        assert burn.formula.startswith("SLI = 1 − the sum over the members of weight")
        added = objectives.made_of({**row("a", 9, 10, unit="burn"), "sli": None})
        assert added.formula.startswith("spent = the sum over the members of weight")


def hours(bad: list[float]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "hour": [END - (len(bad) - i) * HOUR for i in range(len(bad))],
            "valid_count": [1000.0] * len(bad),
            "bad_count": bad,
        }
    ).with_columns(pl.col("hour").cast(pl.Datetime("us", "UTC")))


class TestOutlook:
    def test_a_budget_that_will_be_gone_says_when(self) -> None:
        # 28 days of 1,000 an hour at 99.9 %: 672 may be bad. 8 an hour of the last day are 192;
        # the other 480 last 480 ÷ 8 = 60 hours, to 3 Nov 12:00.
        found = forecast(hours([0.0] * 648 + [8.0] * 24), 672, RollingWindow(MONTH), END)
        one = row("a", 671_808, 672_000)
        chart = forecasts.ahead(found, one, END)
        assert chart.title == "At the present burn the availability budget is gone by 3 Nov"
        assert chart.payload()["made"]["counts"][0] == ["Burn of the last 24 hours", "8"]
        assert chart.numbers["budget_left"][0] == pytest.approx(480 / 672)

    def test_a_budget_that_lasts_says_what_it_can_afford(self) -> None:
        found = forecast(hours([0.5] * 672), 672, RollingWindow(MONTH), END)
        title = forecasts.ahead(found, row("a", 671_664, 672_000), END).title
        assert title.startswith(f"The availability budget lasts at 0.5{THIN}×; it can afford 1.0")

    def test_an_overspent_one_says_when_it_is_back(self) -> None:
        # All of it went in the window's first hour, which leaves it after an hour.
        found = forecast(hours([700.0] + [0.0] * 671), 672, RollingWindow(MONTH), END)
        title = forecasts.ahead(found, row("a", 671_300, 672_000), END).title
        assert title.startswith("Availability is overspent; at the present burn it is back")

    def test_nothing_to_go_by_is_said(self) -> None:
        empty = Forecast(END)
        assert "nothing to forecast" in forecasts.ahead(empty, dict(NO_OBJECTIVE), END).title
        assert "nothing to forecast" in forecasts.ahead(empty, row("a", 0, 0), END).title


def detection(*alerts: dict[str, Any], incidents: list[dict[str, Any]]) -> Detection:
    base = {
        "severity": "page", "policy": "workbook", "long_minutes": 60, "short_minutes": 5,
        "factor": 13.44, "bad_count": 10, "budget_spent_at": 0.02, "budget_spent": 0.05,
        "incident_ids": [], "is_needless": True, "is_out_of_hours": False,
    }  # fmt: skip
    known = {"incident_id": "INC-1", "title": "down", "service": "checkout"}
    return Detection(
        pl.DataFrame([{**known, **one} for one in incidents]),
        pl.DataFrame([{**base, **one} for one in alerts], infer_schema_length=None),
        Period(START, END),
        "page",
    )


class TestAlerts:
    FOUND = detection(
        {"fired_at": START + HOUR, "cleared_at": START + 2 * HOUR, "incident_ids": ["INC-1"],
         "is_needless": False},
        {"fired_at": START + 9 * HOUR, "cleared_at": None},
        {"fired_at": START + 3 * HOUR, "cleared_at": START + 4 * HOUR, "severity": "ticket"},
        incidents=[
            {"started_at": START, "time_to_detect_s": 3600.0, "is_missed": False},
            {"started_at": START + 5 * HOUR, "time_to_detect_s": None, "is_missed": True},
        ],
    )  # fmt: skip

    def test_each_alert_says_what_it_found(self) -> None:
        table = alerting.alert_table(self.FOUND, row("a", 9, 10))
        assert table.title == (
            "Two pages and one ticket would have been sent; one of the pages outside incidents"
        )
        newest, ticket, oldest = table.rows  # type: ignore[misc]
        assert (newest["lasted_s"], newest["found"]) == (None, "no incident")
        assert (oldest["lasted_s"], oldest["found"]) == (3600, "INC-1")
        assert newest["windows"] == f"1{THIN}h and 5{THIN}min over 13.4{THIN}×"
        assert ticket["severity"] == "ticket"

    def test_each_incident_says_what_found_it(self) -> None:
        table = alerting.detection_table(self.FOUND, row("a", 9, 10))
        assert table.title == "One of 2 incidents would not have paged on this objective"
        assert [one["after"] for one in table.rows] == [  # type: ignore[index]
            "not found",
            f"60{THIN}min",
        ]

    def test_a_composite_and_no_objective_have_none(self) -> None:
        composite = alerting.alert_table(None, row("a", 9, 10, label="Listening"))
        assert composite.title == "Listening is made of others, so its alerts are not replayed"
        # Whether any was met is not known here.
        assert composite.empty == "What fires now is told with the verdict."
        assert alerting.detection_table(None, row("a", 9, 10)).rows == []
        nothing = alerting.alert_table(None, dict(NO_OBJECTIVE))
        assert nothing.title == "No objective names this service, so nothing alerts"
