"""Nezha's spans as requests: exact at every bound, spread evenly between two."""

from datetime import UTC, datetime

import pytest

from fleetslo.reliability.latency import bucket_of, spread_bounds

NOON = datetime(2022, 8, 22, 12, tzinfo=UTC)
EDGES_MS = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000)
COLUMNS = [*(f"le_{edge}ms" for edge in EDGES_MS), "le_inf"]


def spans(max_us, sum_us=1000, **held):
    """Return a row of spans; ``held`` gives the counts between bounds, the others are 0."""
    row = {
        "day": "2022-08-22", "minute_unix": int(NOON.timestamp()), "service": "adservice",
        "operation": "GetAds", "span_kind": "child", "sum_us": sum_us, "max_us": max_us,
    }  # fmt: skip
    counts = dict.fromkeys(COLUMNS, 0) | {k: v for k, v in held.items() if k in COLUMNS}
    others = {k: v for k, v in held.items() if k not in COLUMNS}
    return row | {"count": sum(counts.values())} | counts | others


def histogram(row):
    return [b["bucket"] for b in row["latency"]], [b["count"] for b in row["latency"]]


def test_a_row_becomes_a_row(ask):
    # 32 between 250 ms and 500 ms are two in each of the 16 buckets of that octave.
    [row] = ask("nezha/requests", [spans(500_000, sum_us=12_000_000, le_500ms=32)])
    assert row == {
        "minute": NOON, "service": "adservice", "endpoint": "GetAds", "region": "", "version": "",
        "request_count": 32, "error_count": 0, "duration_sum_s": 12.0,
        "latency": [{"bucket": bucket, "count": 2} for bucket in range(-32, -16)],
        "quality": "approximate", "observed_count": 32,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("max_us", "held"),
    [
        (700, {"le_1ms": 10}),  # all of them under the first bound
        (1_000, {"le_1ms": 1}),  # exactly on it
        (1_001, {"le_1ms": 1, "le_2ms": 1}),  # just over it
        (4_700, {"le_1ms": 97, "le_2ms": 38, "le_5ms": 59}),  # a cut bucket between each two
        (90_000, {"le_5ms": 3, "le_100ms": 7}),  # empty stretches between
        (9_999_999, {"le_10000ms": 13}),
        (36_799_850, {"le_1ms": 2949, "le_10000ms": 47, "le_inf": 44}),  # over the last bound
    ],
)
def test_the_spread_is_that_of_the_library(ask, max_us, held):
    [row] = ask("nezha/requests", [spans(max_us, **held)])
    counts = [held.get(column, 0) for column in COLUMNS]
    edges = [edge / 1000 for edge in EDGES_MS]
    # Nobody knows the shortest: half of the first bound, or of the longest where that is shorter.
    shortest = min(0.001, max_us / 1e6) / 2 if held.get("le_1ms") else None
    assert histogram(row) == spread_bounds(edges, counts, shortest=shortest, longest=max_us / 1e6)


def test_counts_are_exact_at_every_bound(ask):
    held = {column: 10 * place + 1 for place, column in enumerate(COLUMNS)}
    [row] = ask("nezha/requests", [spans(12_000_000, **held)])
    buckets, counts = histogram(row)
    running = 0
    for edge, column in zip(EDGES_MS, COLUMNS, strict=False):
        running += held[column]
        cut = bucket_of(edge / 1000)
        under = sum(count for bucket, count in zip(buckets, counts, strict=True) if bucket < cut)
        within = sum(count for bucket, count in zip(buckets, counts, strict=True) if bucket == cut)
        assert under <= running <= under + within
    assert sum(counts) == row["request_count"] == sum(held.values())
    assert buckets[-1] == bucket_of(12.0)


def test_one_minute_of_both_phases_is_one_row(ask):
    rows = [
        spans(240_778, sum_us=607_435, le_250ms=3, phase="construct_data"),
        spans(206_427, sum_us=409_436, le_250ms=2, phase="rca_data"),
        spans(900_000, le_1000ms=5, span_kind="root"),  # what a client saw, not a service
    ]
    [row] = ask("nezha/requests", rows)
    assert (row["request_count"], row["duration_sum_s"]) == (5, pytest.approx(1.016871))
    # The longer of both maxima ends the stretch from 100 ms.
    assert histogram(row) == spread_bounds([0.1, 0.25], [0, 5, 0], longest=0.240778)


def test_days_can_be_chosen(ask):
    rows = [spans(1000, le_1ms=1), spans(1000, le_1ms=1, day="2023-01-29", service="ts-auth")]
    assert len(ask("nezha/requests", rows)) == 2
    assert [row["service"] for row in ask("nezha/requests", rows, days=["2023-01-29"])] == [
        "ts-auth"
    ]
    found = {row["service"]: row["system"] for row in ask("nezha/services", rows)}
    assert found == {"adservice": "online-boutique", "ts-auth": "train-ticket"}


FAULT = {
    "day": "2022-08-22", "inject_time_utc": "2022-08-22 12:00:00",
    "service": "frontend", "pod": "frontend-579b9bff58-t2dbm", "fault_type": "return",
}  # fmt: skip


@pytest.mark.parametrize(
    ("fault_type", "cause"),
    [
        ("cpu_contention", "capacity"),
        ("cpu_consumed", "capacity"),
        ("network_delay", "dependency"),
        ("return", "unknown"),
        ("exception", "unknown"),
    ],
)
def test_a_fault_is_an_incident(ask, fault_type, cause):
    [row] = ask("nezha/incidents", [FAULT | {"fault_type": fault_type}])
    assert row["incident_id"] == "frontend 2022-08-22 12:00:00"
    assert (row["started_at"], row["cause"], row["caused_by"]) == (NOON, cause, None)
    assert row["title"] == f"{fault_type.replace('_', ' ')} in pod frontend-579b9bff58-t2dbm"
    assert (row["resolved_at"] - row["started_at"]).total_seconds() == 180


def test_how_long_a_fault_lasts_can_be_said(ask):
    rows = [FAULT, FAULT | {"day": "2022-08-23", "inject_time_utc": "2022-08-23 12:00:00"}]
    [row] = ask("nezha/incidents", rows, days=["2022-08-22"], lasts_s=600)
    assert (row["resolved_at"] - row["started_at"]).total_seconds() == 600


def test_a_minute_is_good_when_every_request_succeeded(ask):
    rows = [
        {"time_utc": "2022-08-22 12:00:19", "service": "Frontend", "success_pct": 100.0},
        {"time_utc": "2022-08-22 12:01:19", "service": "Frontend", "success_pct": 99.9},
        # 2023: 0 in every minute, which nobody measured.
        {"time_utc": "2023-01-29 12:00:19", "service": "Frontend", "success_pct": 0.0},
    ]
    good, bad = ask("nezha/sli_events", rows)
    assert good == {
        "minute": NOON, "service": "frontend", "sli": "minutes_without_errors",
        "good_count": 1, "valid_count": 1,
    }  # fmt: skip
    assert (bad["minute"].minute, bad["good_count"], bad["valid_count"]) == (1, 0, 1)
