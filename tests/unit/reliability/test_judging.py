from datetime import timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.reliability.judging import burn_minutes, judged, kind_of, worst
from fleetslo.reliability.objectives import Objective, Selector
from fleetslo.reliability.windows import RollingWindow

WINDOW = timedelta(days=28)
WHOLE = 28 * 1440


def objective(service: str = "checkout", target: float = 0.999, **selected: Any) -> Objective:
    selector = Selector(
        requests=selected.get("requests", "all"),
        within_s=selected.get("within_s"),
        endpoints=(),
        regions=(),
        versions=(),
        sli=selected.get("sli"),
    )
    return Objective(
        name=f"{service}-availability",
        display_name="Availability",
        service=service,
        selector=selector,
        target=target,
        window=RollingWindow(WINDOW),
        method="Occurrences",
        labels={},
        annotations={},
        source="test",
        for_condition=None,
        document=f"{service}-availability",
    )


def totals(
    one: Objective, good: int, valid: int, uncertain: int = 0, minutes: int = WHOLE
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "service": [one.service],
            "objective": [one.name],
            "definition": [one.selector.definition],
            "good_count": [good],
            "valid_count": [valid],
            "uncertain_count": [uncertain],
            "covered_minutes": [minutes],
        }
    )


def recent(one: Objective, **bad_of: tuple[int, int, int]) -> pl.DataFrame:
    """Windows ``m60=(good, uncertain, valid)``."""
    rows = [
        (one.service, one.name, int(name[1:]), good, uncertain, valid)
        for name, (good, uncertain, valid) in bad_of.items()
    ]
    return pl.DataFrame(
        rows,
        schema={
            "service": pl.String,
            "objective": pl.String,
            "window_minutes": pl.Int64,
            "good_count": pl.Int64,
            "uncertain_count": pl.Int64,
            "valid_count": pl.Int64,
        },
        orient="row",
    )


def one_row(one: Objective, counted: pl.DataFrame, last: pl.DataFrame) -> dict[str, Any]:
    return judged([one], {WINDOW: counted}, last).row(0, named=True)


def test_days_of_an_objective_add_up_to_its_verdict() -> None:
    one = objective()
    days = pl.concat([totals(one, 9_996, 10_000, minutes=WHOLE // 2)] * 2)
    row = one_row(one, days, recent(one))
    # 8 bad of 20,000; the budget is 0.001 x 20,000 = 20; 8 / 20 = 40 % spent
    assert (row["verdict"], row["bad_count"], row["valid_count"]) == ("met", 8, 20_000)
    assert row["budget_left"] == pytest.approx(0.6)
    assert row["coverage"] == 1.0
    assert row["burn_1h"] is None


def test_counts_of_another_definition_are_not_mixed_in() -> None:
    one = objective()
    stale = totals(one, 1, 10_000).with_columns(definition=pl.lit("000000000000"))
    row = one_row(one, pl.concat([totals(one, 9_999, 10_000), stale]), recent(one))
    assert (row["valid_count"], row["verdict"]) == (10_000, "met")


def test_a_page_alert_puts_a_met_objective_at_risk() -> None:
    one = objective()
    # 13.44 is the factor of the 28-day page over 1 h; 200 of 10,000 at 99.9 % burn at 20
    last = recent(one, m60=(9_800, 0, 10_000), m5=(980, 0, 1_000))
    row = one_row(one, totals(one, 999_500, 1_000_000), last)
    assert row["burn_1h"] == pytest.approx(20)
    assert (row["verdict"], row["page_firing"]) == ("at_risk", True)
    assert "page 1 h" in row["alerts"]


def test_nobody_is_woken_for_requests_that_may_have_been_good() -> None:
    one = objective()
    last = recent(one, m60=(9_800, 200, 10_000), m5=(980, 20, 1_000))
    row = one_row(one, totals(one, 999_500, 1_000_000), last)
    assert (row["alerts"], row["page_firing"], row["verdict"]) == ("", False, "met")


def test_no_data_is_null_and_not_judged() -> None:
    one = objective()
    row = one_row(one, totals(one, 0, 0).clear(), recent(one))
    assert row["verdict"] == "unjudged"
    assert (row["sli"], row["budget_left"], row["burn_1h"]) == (None, None, None)
    assert row["coverage"] == 0.0


def test_kinds() -> None:
    assert kind_of(objective()) == "availability"
    assert kind_of(objective(requests="successful", within_s=0.3)) == "latency"
    assert kind_of(objective(requests=None, sli="queue-lag")) == "events"


def test_a_service_is_as_good_as_its_worst_judged_objective() -> None:
    assert worst(["met", "unjudged"]) == "met"
    assert worst(["met", "at_risk", "missed"]) == "missed"
    assert worst(["unjudged"]) == "unjudged"
    assert worst([]) is None


def test_burn_windows_are_those_of_the_workbook() -> None:
    # SRE Workbook, table 5-8: 1 h/5 m, 6 h/30 m, 1 d/2 h, 3 d/6 h
    assert burn_minutes([objective()]) == [5, 30, 60, 120, 360, 1440, 4320]
    assert burn_minutes([]) == [60, 360]


def test_an_empty_fleet_keeps_its_columns() -> None:
    frame = judged([], {}, recent(objective()))
    assert frame.is_empty()
    assert {"service", "verdict", "budget_left", "burn_1h", "alerts"} <= set(frame.columns)
