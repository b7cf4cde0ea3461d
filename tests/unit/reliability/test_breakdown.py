"""Each dimension adds up to all that was bad, whatever the tables by the hour know."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.explaining.breakdown import (
    DIMENSIONS,
    NOT_BROKEN_DOWN,
    SCHEMA,
    broken_down,
)
from fleetslo.reliability.explaining.parts import NO_UPSTREAM, SLOW
from fleetslo.reliability.latency import HISTOGRAM
from fleetslo.reliability.openslo.selectors import Selector

START = datetime(2026, 10, 5, 9, tzinfo=UTC)  # a Monday
TIME = pl.Datetime("us", "UTC")
FAULTS = Selector(requests="all")
# Bucket −28 of scale 4 ends at 2 ** (−27 / 16) = 0.3105 s, bucket −29 at 0.2973 s: 0.3 s cuts −28.
SLOWER = Selector(requests="successful", within_s=0.3)
FAST, CUT, OVER = -29, -28, -27


def minutes(*counts: tuple[int, int, int]) -> pl.DataFrame:
    """Rows of (minute since the start, bad, valid)."""
    return pl.DataFrame(
        [
            {
                "minute": START + timedelta(minutes=at),
                "good_count": valid - bad,
                "valid_count": valid,
            }
            for at, bad, valid in counts
        ],
        schema={"minute": TIME, "good_count": pl.Int64, "valid_count": pl.Int64},
    )


def requests(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "endpoint": "GET /cart", "region": "eu", "version": "1", "hour": 0, "request_count": 100,
        "error_count": 0, "latency": {}, "quality": "exact",
    }  # fmt: skip
    return hourly(base, rows, {"request_count": pl.Int64, "error_count": pl.Int64})


def errors(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "endpoint": "GET /cart", "region": "eu", "version": "1", "error": "503", "upstream": None,
        "is_fault": True, "hour": 0, "error_count": 1,
    }  # fmt: skip
    return hourly(base, rows, {"is_fault": pl.Boolean, "error_count": pl.Int64})


def calls(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {"upstream": "stock", "region": "eu", "hour": 0, "error_count": 0, "latency": {}}
    return hourly(base, rows, {"error_count": pl.Int64})


def hourly(
    base: dict[str, Any], rows: Sequence[dict[str, Any]], types: dict[str, Any]
) -> pl.DataFrame:
    """Rows with their hours counted from the start and their histograms as {bucket: count}."""
    made = [{**base, **row} for row in rows]
    for row in made:
        row["hour"] = START + timedelta(hours=row["hour"])
        if "latency" in row:
            row["latency"] = [{"bucket": b, "count": c} for b, c in row["latency"].items()]
    kinds = {"hour": TIME, "latency": HISTOGRAM, **types}
    return pl.DataFrame(made, schema={name: kinds.get(name, pl.String) for name in base})


def values(
    frame: pl.DataFrame, selector: Selector, dimension: str, **given: pl.DataFrame
) -> dict[str, int]:
    found = told(frame, selector, dimension, **given)
    return dict(found.select("value", "bad_count").iter_rows())


def told(
    frame: pl.DataFrame,
    selector: Selector,
    dimension: str,
    budget_spent: float | None = None,
    **given: pl.DataFrame,
) -> pl.DataFrame:
    none = {"requests": requests(), "errors": errors(), "calls": calls()}
    return broken_down(frame, selector, dimension, **(none | given), budget_spent=budget_spent)


def test_faults_by_endpoint_with_their_share_of_the_budget() -> None:
    found = told(
        minutes((0, 6, 100), (1, 4, 300)), FAULTS, "endpoint", 0.5,
        requests=requests(
            {"error_count": 3, "request_count": 250},
            {"endpoint": "POST /orders", "error_count": 7, "request_count": 150},
        ),
    )  # fmt: skip
    assert found.select("value", "bad_count", "valid_count", "is_estimate").rows() == [
        ("POST /orders", 7, 150, False), ("GET /cart", 3, 250, False),
    ]  # fmt: skip
    # 7 and 3 of 10 bad; they spent 7 / 10 × 50 % = 35 % and 15 % of the budget
    assert found["share"].to_list() == pytest.approx([0.7, 0.3])
    assert found["spent"].to_list() == pytest.approx([0.35, 0.15])


@pytest.mark.parametrize(("dimension", "other"), [("region", "us"), ("version", "2")])
def test_faults_by_region_and_version(dimension: str, other: str) -> None:
    rows = requests({"error_count": 3}, {dimension: other, "error_count": 7})
    usual = {"region": "eu", "version": "1"}[dimension]
    found = values(minutes((0, 10, 200)), FAULTS, dimension, requests=rows)
    assert found == {other: 7, usual: 3}


def test_faults_by_error_and_dependency_leave_the_callers_mistakes_out() -> None:
    rows = errors(
        {"error_count": 5, "upstream": "stock"},
        {"error_count": 2, "error": "500"},
        {"error_count": 1, "error": "504", "upstream": "stock"},
        {"error_count": 50, "error": "429", "is_fault": False},
    )
    frame = minutes((0, 8, 200))
    assert values(frame, FAULTS, "error", errors=rows) == {"503": 5, "500": 2, "504": 1}
    assert values(frame, FAULTS, "upstream", errors=rows) == {"stock": 6, NO_UPSTREAM: 2}
    assert told(frame, FAULTS, "error", errors=rows)["valid_count"].null_count() == 3


def test_only_what_the_objective_selects_is_counted() -> None:
    some = Selector(requests="all", endpoints=("GET /*",), regions=("e?",), versions=("[12]",))
    rows = [
        {"error_count": 3},
        {"error_count": 100, "endpoint": "POST /orders"},
        {"error_count": 100, "region": "us"},
        {"error_count": 100, "version": "3"},
    ]
    frame = minutes((0, 3, 100))
    assert values(frame, some, "endpoint", requests=requests(*rows)) == {"GET /cart": 3}
    assert values(frame, some, "error", errors=errors(*rows)) == {"503": 3}


def test_what_the_tables_do_not_cover_is_a_row_of_its_own() -> None:
    frame = minutes((0, 10, 100), (60, 5, 100))
    rows = requests({"error_count": 7})  # nothing of the second hour
    found = told(frame, FAULTS, "endpoint", requests=rows)
    # 10 − 7 of the first hour, and 5 of the second
    assert found.select("value", "bad_count").rows() == [("GET /cart", 7), (NOT_BROKEN_DOWN, 8)]


def test_what_the_tables_know_too_much_of_is_scaled_down_and_said_to_be_an_estimate() -> None:
    # The window began inside the hour, or minutes are excluded: 5 of the hour's 10 count.
    rows = requests({"error_count": 6}, {"endpoint": "POST /orders", "error_count": 4})
    found = told(minutes((30, 5, 80)), FAULTS, "endpoint", requests=rows)
    # 6 × 5 ÷ 10 = 3 and 2; of 200 valid ones 80 count: 100 × 80 ÷ 200 = 40 each
    assert found.drop("share", "spent").rows() == [
        ("GET /cart", 3, 40, True), ("POST /orders", 2, 40, True),
    ]  # fmt: skip


def test_whole_numbers_are_shared_out_by_largest_remainders() -> None:
    rows = requests(
        *(
            {"endpoint": name, "error_count": count}
            for name, count in [("a", 5), ("b", 4), ("c", 1)]
        )
    )
    # 5, 4 and 1 of 7: 3.5, 2.8 and 0.7; cut to 3, 2 and 0, and the two left go to b and c
    found = values(minutes((0, 7, 300)), FAULTS, "endpoint", requests=rows)
    assert found == {"a": 3, "b": 3, "c": 1}


def test_an_hour_that_is_short_does_not_pay_for_one_that_has_too_much() -> None:
    frame = minutes((0, 10, 100), (60, 2, 100))
    rows = requests({"error_count": 4}, {"hour": 1, "error_count": 8})
    # the first hour lacks 6, the second is cut from 8 to 2
    assert values(frame, FAULTS, "endpoint", requests=rows) == {"GET /cart": 6, NOT_BROKEN_DOWN: 6}


def test_hours_outside_of_the_minutes_are_not_looked_at() -> None:
    rows = requests({"error_count": 3}, {"hour": 5, "error_count": 100})
    assert values(minutes((0, 3, 100)), FAULTS, "endpoint", requests=rows) == {"GET /cart": 3}


def test_slow_requests_count_the_cut_bucket_as_bad() -> None:
    rows = requests(
        {"latency": {FAST: 90, CUT: 4, OVER: 6}, "error_count": 50, "request_count": 150},
        {"endpoint": "POST /orders", "latency": {FAST: 97, OVER: 1}},
    )
    # 4 + 6 of the one; of the other 100 − 97: one is over, two have no duration
    found = values(minutes((0, 13, 200)), SLOWER, "endpoint", requests=rows)
    assert found == {"GET /cart": 10, "POST /orders": 3}


@pytest.mark.parametrize(
    ("op", "bad"),
    # 300 requests: 100 in the bucket that ends at 0.25 s (−33), 150 under it, 50 over it. The
    # threshold is that end: it belongs to the bucket, so that "<" and ">=" cannot tell.
    [("lte", 50), ("lt", 150), ("gt", 250), ("gte", 250)],
)
def test_thresholds_on_a_bound_of_a_bucket(op: Any, bad: int) -> None:
    on_bound = Selector(requests="successful", within_s=0.25, op=op)
    rows = requests({"request_count": 300, "latency": {-40: 150, -33: 100, -32: 50}})
    assert values(minutes((0, bad, 300)), on_bound, "endpoint", requests=rows) == {"GET /cart": bad}


def test_faults_and_slow_requests_of_one_objective() -> None:
    both = Selector(requests="all", within_s=0.3)
    rows = requests({"latency": {FAST: 90, OVER: 6}, "error_count": 4})
    failed = errors({"error_count": 3}, {"error_count": 1, "error": "500"})
    found = values(minutes((0, 10, 100)), both, "error", requests=rows, errors=failed)
    assert found == {SLOW: 6, "503": 3, "500": 1}


def test_slow_requests_by_dependency_are_an_estimate() -> None:
    rows = requests({"latency": {FAST: 80, OVER: 20}})
    slow = calls(
        {"latency": {FAST: 50, OVER: 8}}, {"upstream": "price", "latency": {CUT: 9, OVER: 2}}
    )
    found = told(minutes((0, 20, 100)), SLOWER, "upstream", requests=rows, calls=slow)
    # one slow request for each call that was certainly slower: 8 and 2, and 10 for the service
    assert found.select("value", "bad_count", "is_estimate").rows() == [
        (NO_UPSTREAM, 10, False), ("stock", 8, True), ("price", 2, True),
    ]  # fmt: skip


def test_calls_count_for_the_part_of_the_traffic_that_the_objective_selects() -> None:
    part = Selector(requests="successful", within_s=0.3, endpoints=("GET /cart",))
    rows = requests(
        {"latency": {FAST: 80, OVER: 20}}, {"endpoint": "POST /orders", "request_count": 300}
    )
    slow = calls({"latency": {OVER: 40}})
    # 40 calls of all 400 requests, 100 of which count: 40 × 100 ÷ 400 = 10
    found = values(minutes((0, 20, 100)), part, "upstream", requests=rows, calls=slow)
    assert found == {NO_UPSTREAM: 10, "stock": 10}


def test_without_calls_nothing_is_known_of_slow_dependencies() -> None:
    rows = requests({"latency": {FAST: 80, OVER: 20}})
    found = values(minutes((0, 20, 100)), SLOWER, "upstream", requests=rows)
    assert found == {NOT_BROKEN_DOWN: 20}


def test_an_approximate_histogram_makes_an_estimate() -> None:
    rows = requests({"latency": {FAST: 80, OVER: 20}, "quality": "approximate"})
    found = told(minutes((0, 20, 100)), SLOWER, "endpoint", requests=rows)
    assert found["is_estimate"].to_list() == [True]


def test_hours_of_the_week_come_in_their_order_and_in_utc() -> None:
    week = 7 * 24 * 60
    frame = minutes((0, 1, 10), (59, 2, 10), (60, 3, 10), (week, 4, 10), (-60 * 9 - 1, 5, 10))
    found = told(frame, FAULTS, "hour of the week")
    # Monday 9 o'clock of two weeks: 1 + 2 + 4 of 30; the minute before Monday is Sunday's
    assert found.select("value", "bad_count", "valid_count").rows() == [
        ("Mon 09:00", 7, 30), ("Mon 10:00", 3, 10), ("Sun 23:00", 5, 10),
    ]  # fmt: skip


def test_events_can_only_be_told_apart_by_the_hour() -> None:
    events = Selector(sli="queue-lag")
    rows = {"requests": requests({"error_count": 9}), "errors": errors({"error_count": 9})}
    for dimension in set(DIMENSIONS) - {"hour of the week"}:
        found = values(minutes((0, 4, 100)), events, dimension, **rows)
        assert found == {NOT_BROKEN_DOWN: 4}
    assert values(minutes((0, 4, 100)), events, "hour of the week") == {"Mon 09:00": 4}


def test_no_minutes_have_no_rows_and_nothing_bad_has_no_shares() -> None:
    for dimension in DIMENSIONS:
        found = told(minutes(), FAULTS, dimension, requests=requests({"error_count": 3}))
        assert found.is_empty()
        assert found.schema == SCHEMA
    fine = told(minutes((0, 0, 100)), FAULTS, "endpoint", 0.0, requests=requests({}))
    assert fine.rows() == [("GET /cart", 0, 100, None, None, False)]


def test_an_unknown_dimension_is_refused() -> None:
    with pytest.raises(ParameterError, match="no dimension 'mood'; there are endpoint, error"):
        told(minutes((0, 1, 10)), FAULTS, "mood")


COUNTS = st.tuples(st.integers(0, 179), st.integers(0, 50), st.integers(0, 50))
ROW = st.fixed_dictionaries(
    {
        "endpoint": st.sampled_from("abc"),
        "hour": st.integers(0, 3),
        "error_count": st.integers(0, 400),
        "request_count": st.integers(400, 900),
    }
)


@settings(deadline=None, max_examples=30)
@given(
    counts=st.lists(COUNTS, max_size=12, unique_by=lambda it: it[0]),
    rows=st.lists(ROW, max_size=8, unique_by=lambda it: (it["endpoint"], it["hour"])),
    within_s=st.sampled_from([None, 0.3]),
)
def test_every_dimension_adds_up(
    counts: list[tuple[int, int, int]], rows: list[dict[str, Any]], within_s: float | None
) -> None:
    frame = minutes(*((at, bad, bad + good) for at, bad, good in counts))
    selector = Selector(requests="all", within_s=within_s)
    failed = errors(*({k: row[k] for k in ("endpoint", "hour", "error_count")} for row in rows))
    slow = calls(*({"hour": row["hour"], "latency": {OVER: 7}} for row in rows))
    for dimension in DIMENSIONS:
        found = told(
            frame, selector, dimension, 3.0, requests=requests(*rows), errors=failed, calls=slow
        )
        assert found["bad_count"].sum() == sum(bad for _, bad, _ in counts)
        assert (found["bad_count"] >= 0).all()
        assert found["value"].is_unique().all()
        if found["bad_count"].sum():
            assert found["spent"].sum() == pytest.approx(3.0)
