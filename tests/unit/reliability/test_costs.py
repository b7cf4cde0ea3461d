"""What incidents cost, from counts over their stretches."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from explained_minutes import at, incidents

from fleetslo.reliability.explaining.costs import SCHEMA, incident_costs, stretches_of, tightest_of

UNTIL = datetime(2026, 11, 1, tzinfo=UTC)
DEFINITIONS = {("cart", "cart-availability"): "d1"}


def judgements(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "service": "cart", "objective": "cart-availability", "label": "Availability",
        "unit": "requests", "verdict": "met", "budget_left": 0.4, "budget_count": 1000.0,
        "bad_count": 600.0, "valid_count": 1_000_000.0,
    }  # fmt: skip
    return pl.DataFrame([base | row for row in rows])


def counts(*rows: tuple[int, int, int]) -> pl.DataFrame:
    """Rows of (stretch, bad, valid)."""
    return pl.DataFrame(
        [
            {
                "service": "cart", "objective": "cart-availability", "definition": "d1",
                "stretch": stretch, "good_count": valid - bad, "valid_count": valid,
            }
            for stretch, bad, valid in rows
        ],
        schema={
            "service": pl.String, "objective": pl.String, "definition": pl.String,
            "stretch": pl.Int64, "good_count": pl.Int64, "valid_count": pl.Int64,
        },
    )  # fmt: skip


def test_an_incident_costs_what_was_bad_beyond_the_usual() -> None:
    stretches = stretches_of(
        incidents({"start": 0, "mitigated": 60, "resolved": 90}, {"start": 600, "resolved": 660}),
        UNTIL,
    )
    found = incident_costs(
        stretches, counts((0, 210, 50_000), (1, 60, 50_000)), judgements({}), DEFINITIONS
    )
    # Outside of both: 600 − 270 = 330 bad of 900,000, so 50,000 usually have 18.3.
    # 210 − 18.3 = 192 and 60 − 18.3 = 42, of a budget of 1,000.
    assert found.select("incident_id", "label", "bad_count").rows() == [
        ("INC-1", "Availability", 192), ("INC-2", "Availability", 42),
    ]  # fmt: skip
    assert found["spent"].to_list() == pytest.approx([0.192, 0.042])
    assert found["ended_at"].to_list() == [at(60), at(660)]
    assert found.schema == SCHEMA


def test_counts_of_another_definition_are_not_the_objectives() -> None:
    stretches = stretches_of(incidents({"start": 0, "mitigated": 60}), UNTIL)
    found = incident_costs(
        stretches, counts((0, 210, 50_000)), judgements({}), {("cart", "cart-availability"): "d2"}
    )
    assert found["bad_count"].to_list() == [None]


def test_a_service_without_objective_or_telemetry_has_no_cost() -> None:
    two = incidents({"start": 0, "mitigated": 60}, {"start": 5, "mitigated": 60, "service": "new"})
    found = incident_costs(stretches_of(two, UNTIL), counts(), judgements({}), DEFINITIONS)
    assert found.select("service", "objective", "bad_count", "spent").rows() == [
        ("cart", "cart-availability", None, None), ("new", None, None, None),
    ]  # fmt: skip


def test_an_incident_with_less_than_the_usual_cost_nothing() -> None:
    stretches = stretches_of(incidents({"start": 0, "mitigated": 60}), UNTIL)
    found = incident_costs(stretches, counts((0, 0, 50_000)), judgements({}), DEFINITIONS)
    assert found["bad_count"].to_list() == [0]


def test_an_open_incident_is_counted_to_the_end_and_a_later_one_not_at_all() -> None:
    until = at(100)
    assert until is not None
    found = stretches_of(
        incidents({"start": 0}, {"start": 50, "mitigated": 200}, {"start": 100}), until
    )
    assert found["ended_at"].to_list() == [None, None]
    assert found["stretch_end"].to_list() == [until, until]
    assert found["started_at"].to_list() == [at(0), until - timedelta(minutes=50)]


def test_the_tightest_objective_is_the_worst_that_minutes_can_tell_apart() -> None:
    rows = judgements(
        {},
        {"objective": "cart-latency", "budget_left": 0.1},
        {"objective": "cart-all", "unit": "burn", "verdict": "missed", "budget_left": -1.0},
        {"objective": "cart-events", "unit": "events", "verdict": "at_risk", "budget_left": 0.2},
        {"service": "stock", "objective": "stock-slices", "unit": "slices"},
    )
    assert tightest_of(rows).select("service", "objective").rows() == [("cart", "cart-events")]
