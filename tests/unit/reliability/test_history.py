from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.reliability.history import (
    burn_by_hour,
    hourly,
    inside_incidents,
    spent_over_time,
    worst_stretch,
)

START = datetime(2026, 10, 4, tzinfo=UTC)
HOUR = timedelta(hours=1)


def minutes(rows: list[tuple[int, int, int, int]], objective: str = "a") -> pl.DataFrame:
    """Rows of (minute after START, good, valid, uncertain)."""
    return pl.DataFrame(
        {
            "objective": [objective] * len(rows),
            "minute": [START + timedelta(minutes=row[0]) for row in rows],
            "good_count": [row[1] for row in rows],
            "valid_count": [row[2] for row in rows],
            "uncertain_count": [row[3] for row in rows],
        },
        schema={
            "objective": pl.String,
            "minute": pl.Datetime("us", "UTC"),
            "good_count": pl.Int64,
            "valid_count": pl.Int64,
            "uncertain_count": pl.Int64,
        },
    )


def incidents(*rows: tuple[str, int, int | None]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "incident_id": [row[0] for row in rows],
            "started_at": [START + timedelta(minutes=row[1]) for row in rows],
            "resolved_at": [
                None if row[2] is None else START + timedelta(minutes=row[2]) for row in rows
            ],
        },
        schema_overrides={"resolved_at": pl.Datetime("us", "UTC")},
    )


def test_an_hour_without_telemetry_is_null_and_one_without_traffic_is_zero() -> None:
    frame = minutes([(0, 99, 100, 0), (1, 98, 100, 1), (125, 0, 0, 0)])
    hours = hourly(frame, "a", START, START + 3 * HOUR)
    # 00:00 has 200 valid and 197 good; 01:00 reported nothing; 02:00 reported one idle minute
    assert hours["valid_count"].to_list() == [200, None, 0]
    assert hours["bad_count"].to_list() == [3, None, 0]  # the uncertain one counts as bad
    assert hours["covered_minutes"].to_list() == [2, 0, 1]


def test_another_objective_and_another_time_are_left_out() -> None:
    frame = pl.concat([minutes([(0, 1, 2, 0)]), minutes([(0, 5, 9, 0)], "b")])
    assert hourly(frame, "a", START, START + HOUR)["valid_count"].to_list() == [2]
    assert hourly(frame, "a", START + HOUR, START + 2 * HOUR)["valid_count"].to_list() == [None]


def test_budget_left_falls_by_what_was_bad() -> None:
    frame = minutes([(0, 99, 100, 0), (60, 97, 100, 0), (180, 100, 100, 0)])
    hours = spent_over_time(hourly(frame, "a", START, START + 4 * HOUR), 10)
    # 1 of 10, then 1 + 3 of 10; nothing is known of the third hour; the fourth adds nothing
    assert hours["budget_left"].to_list() == pytest.approx([0.9, 0.6, None, 0.6])


def test_no_budget_leaves_nothing_to_say() -> None:
    hours = spent_over_time(hourly(minutes([(0, 1, 1, 0)]), "a", START, START + HOUR), 0)
    assert hours["budget_left"].to_list() == [None]


def test_burn_of_an_hour() -> None:
    # SRE Workbook: 144 bad of 10,000 at 99.9 %: 0.0144 / 0.001 = 14.4
    frame = minutes([(0, 9856, 10000, 0), (60, 0, 0, 0)])
    hours = burn_by_hour(hourly(frame, "a", START, START + 2 * HOUR), 0.999)
    assert hours["burn"].to_list() == pytest.approx([14.4, None])


def test_the_worst_stretch_is_found_with_its_share() -> None:
    rows = [(60 * hour, 100 - bad, 100, 0) for hour, bad in enumerate([1, 0, 10, 20, 1, 0, 0, 8])]
    hours = hourly(minutes(rows), "a", START, START + 8 * HOUR)
    # two hours from 02:00 hold 10 + 20 of 40 bad ones
    assert worst_stretch(hours, 2 * HOUR) == (START + 2 * HOUR, 30 / 40)


def test_nothing_bad_has_no_worst_stretch() -> None:
    assert worst_stretch(hourly(minutes([(0, 5, 5, 0)]), "a", START, START + HOUR), HOUR) is None


def test_overlapping_incidents_are_named_together() -> None:
    frame = minutes([(minute, 90, 100, 0) for minute in range(10)])  # 10 bad each minute
    found = inside_incidents(frame, "a", incidents(("A", 0, 4), ("B", 3, 6), ("C", 8, None)))
    spent = dict(found.select("incident_ids", "bad_count").iter_rows())
    # A alone 0,1,2; both in 3; B alone 4,5; C is open from 8; 6 and 7 are outside
    assert spent == {"A": 30, "A and B": 10, "B": 20, "C": 20, None: 20}


@given(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60),
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=4),
)
def test_what_incidents_spent_adds_up(
    counts: list[tuple[int, int]], spans: list[tuple[int, int]]
) -> None:
    frame = minutes([(i, good, good + bad, 0) for i, (good, bad) in enumerate(counts)])
    known = incidents(*((f"I{i}", min(span), max(span)) for i, span in enumerate(spans)))
    found = inside_incidents(frame, "a", known)
    assert found["bad_count"].sum() == sum(bad for _, bad in counts)
    assert found["minute_count"].sum() == len(counts)


def test_no_minutes_have_no_causes() -> None:
    assert inside_incidents(minutes([]), "a", incidents(("A", 0, 4))).is_empty()
