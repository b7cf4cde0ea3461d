"""Exported metrics as requests: labels, classes of status, three ways to say bounds."""

from datetime import UTC, datetime

import pytest

from fleetslo.reliability.latency import bucket_of

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
COUNT = "loadbalancing.googleapis.com/https/request_count"
LATENCY = "loadbalancing.googleapis.com/https/total_latencies"
SOURCE = "cloud-monitoring/requests"


def labelled(**labels):
    given = {"backend_target_name": "cart", "response_code_class": "200"} | labels
    return [{"key": key, "value": value} for key, value in given.items() if value is not None]


def counted(count, **labels):
    return {
        "started_at": NOON, "metric": COUNT, "labels": labelled(**labels), "counter_value": count,
    }  # fmt: skip


def timed(held, mean_ms, buckets, **labels):
    return {
        "started_at": NOON, "metric": LATENCY, "labels": labelled(**labels),
        "distribution_count": sum(held), "distribution_mean": mean_ms, "bucket_counts": held,
    } | buckets  # fmt: skip


def counts(row):
    return {bucket["bucket"]: bucket["count"] for bucket in row["latency"]}


def test_counter_and_distribution_become_a_row(ask):
    rows = [
        counted(32, region="eu", matched_url_path_rule="/cart"),
        # 250 to 500 ms is -32 to -16 on the axis: 32 requests are two in each of 16 buckets.
        timed([0, 32], 375.0, {"explicit_bounds": [250.0, 500.0]}, region="eu", matched_url_path_rule="/cart"),
    ]  # fmt: skip
    [row] = ask(SOURCE, rows)
    assert row == {
        "minute": NOON, "service": "cart", "endpoint": "/cart", "region": "eu", "version": "",
        "request_count": 32, "error_count": 0, "duration_sum_s": pytest.approx(32 * 0.375),
        "latency": [{"bucket": bucket, "count": 2} for bucket in range(-32, -16)],
        "quality": "approximate", "observed_count": 32,
    }  # fmt: skip


def test_only_the_servers_faults_count_and_none_is_timed(ask):
    bounds = {"explicit_bounds": [250.0, 500.0]}
    rows = [
        counted(10), counted(5, response_code_class="300"), counted(4, response_code_class="400"),
        counted(3, response_code_class="500"), counted(2, response_code_class="0"),
        timed([0, 16], 300.0, bounds), timed([0, 3], 300.0, bounds, response_code_class="500"),
    ]  # fmt: skip
    [row] = ask(SOURCE, rows)
    # 10 + 5 + 4 + 3 + 2 requests; 3 of class 500 and 2 dropped ones are faults.
    assert (row["request_count"], row["error_count"]) == (24, 5)
    assert counts(row) == dict.fromkeys(range(-32, -16), 1)
    assert row["duration_sum_s"] == pytest.approx(16 * 0.3)


def test_exponential_and_linear_bounds_are_what_their_formulas_say(ask):
    rows = [
        counted(16), counted(16, backend_target_name="shop"),
        # Bounds 125 × 2**0, 2**1 and 2**2: the third bucket is 250 to 500 ms.
        timed([0, 0, 16], 300.0, {"exponential_scale": 125.0, "growth_factor": 2.0, "finite_buckets": 2}),
        # Bounds 0, 250, 500: the third bucket is 250 to 500 ms.
        timed([0, 0, 16], 300.0, {"linear_offset": 0.0, "linear_width": 250.0, "finite_buckets": 2},
              backend_target_name="shop"),
    ]  # fmt: skip
    cart, shop = ask(SOURCE, rows)
    assert counts(cart) == counts(shop) == dict.fromkeys(range(-32, -16), 1)


def test_the_outer_buckets_span_a_factor_of_two(ask):
    rows = [
        counted(64),
        # Under 250 ms: 125 to 250, -48 to -32. Over 500 ms (finite_buckets + 2): 500 to 1000, -16 to 0.
        timed([16, 0, 16], 300.0, {"exponential_scale": 250.0, "growth_factor": 2.0, "finite_buckets": 1}),
        timed([16, 0, 16], 300.0, {"explicit_bounds": [250.0, 500.0]}),
    ]  # fmt: skip
    [row] = ask(SOURCE, rows)
    assert counts(row) == dict.fromkeys([*range(-48, -32), *range(-16, 0)], 2)


def test_a_bound_of_zero_has_nothing_below_it(ask):
    rows = [counted(18), timed([2, 16, 0], 1.0, {"explicit_bounds": [0.0, 250.0]})]
    [row] = ask(SOURCE, rows)
    assert counts(row) == {-1024: 2} | dict.fromkeys(range(-48, -32), 1)


def test_whatever_was_timed_was_a_request(ask):
    [row] = ask(SOURCE, [counted(3), timed([0, 5], 300.0, {"explicit_bounds": [250.0, 500.0]})])
    assert (row["request_count"], sum(counts(row).values())) == (5, 5)


def test_labels_and_units_are_named_by_parameters(ask):
    row = timed([0, 1], 0.3, {"explicit_bounds": [0.25, 0.5]}, app="shop", code="404")
    rows = [
        row | {"metric": "custom/durations"},
        counted(2, app="shop", code="503") | {"metric": "custom/requests"},
        counted(9, app="shop", code="200"),
        counted(9, app=None, code="200") | {"metric": "custom/requests"},
    ]
    [row] = ask(
        SOURCE, rows, service_label="app", status_label="code", unit_s=1.0,
        count_metric="custom/requests", latency_metric="custom/durations",
    )  # fmt: skip
    assert (row["service"], row["request_count"], row["error_count"]) == ("shop", 3, 2)
    [bucket] = counts(row)
    assert bucket_of(0.25) < bucket <= bucket_of(0.5)


def test_points_without_the_services_label_are_left_out(ask):
    assert ask(SOURCE, [counted(3, backend_target_name=None)]) == []
