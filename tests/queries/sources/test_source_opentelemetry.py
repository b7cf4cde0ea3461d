"""OpenTelemetry's points as requests and runtimes: temporality, scales, bounds, faults, pools."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mapped_sources import raw_rows

from fleetslo.reliability.latency import bucket_of
from fleetslo.warehouse.sources import read_source

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
REQUESTS, ERRORS = "opentelemetry/requests", "opentelemetry/errors"
RUNTIMES = "opentelemetry/runtimes"


def point(count, **others):
    row = {
        "metric": "http.server.request.duration", "started_at": NOON.replace(second=20),
        "service": "cart", "region": "eu", "version": "1.4", "method": "GET", "route": "/cart/{id}",
        "status": 200, "temporality": "AGGREGATION_TEMPORALITY_DELTA", "point_count": count,
        "point_sum_s": count * 0.1,
    }  # fmt: skip
    return row | others


def explicit(bounds, held, **others):
    return point(sum(held), explicit_bounds_s=bounds, bucket_counts=held, **others)


def exponential(scale, offset, held, **others):
    count = sum(held) + others.get("zero_count", 0)
    return point(count, scale=scale, positive_offset=offset, positive_counts=held, **others)


def counts(row):
    return {bucket["bucket"]: bucket["count"] for bucket in row["latency"]}


def test_a_histogram_of_our_scale_is_kept_as_it_is(ask):
    [row] = ask(REQUESTS, [exponential(4, -54, [3, 0, 2])])
    assert row == {
        "minute": NOON, "service": "cart", "endpoint": "GET /cart/{id}", "region": "eu",
        "version": "1.4", "request_count": 5, "error_count": 0, "duration_sum_s": 0.5,
        "latency": [{"bucket": -54, "count": 3}, {"bucket": -52, "count": 2}],
        "quality": "exact", "observed_count": 5,
    }  # fmt: skip


def test_a_finer_scale_falls_into_ours_exactly(ask):
    # Of scale 6 four buckets make one of scale 4: floor(index / 4). -9 and -8 part at -8 / 4 = -2.
    [row] = ask(REQUESTS, [exponential(6, -9, [1, 2, 3, 4, 5, 6])])
    # -9 / 4 is in -3; -8, -7, -6 and -5 in -2; -4 in -1.
    assert counts(row) == {-3: 1, -2: 2 + 3 + 4 + 5, -1: 6}
    assert row["quality"] == "exact"


def test_a_coarser_scale_is_spread_and_approximate(ask):
    # Of scale 2 a bucket covers four of ours: 2 covers 8 to 11. Eight requests are two in each.
    [row] = ask(REQUESTS, [exponential(2, 2, [8])])
    assert counts(row) == {8: 2, 9: 2, 10: 2, 11: 2}
    assert row["quality"] == "approximate"


def test_points_of_several_scales_add_up(ask):
    rows = [exponential(4, -54, [3]), exponential(5, -108, [1, 1]), exponential(4, -54, [0, 7])]
    [row] = ask(REQUESTS, rows)
    # Of scale 5 two make one: -108 and -107 are in -54.
    assert counts(row) == {-54: 3 + 1 + 1, -53: 7}
    assert (row["request_count"], row["quality"]) == (12, "exact")
    [row] = ask(REQUESTS, [*rows, exponential(3, -27, [2])])
    # Of scale 3 one covers two of ours: -27 covers -54 and -53.
    assert counts(row) == {-54: 5 + 1, -53: 7 + 1}
    assert row["quality"] == "approximate"


def test_durations_of_zero_are_in_the_lowest_bucket(ask):
    [row] = ask(REQUESTS, [exponential(4, -54, [3], zero_count=2)])
    assert counts(row) == {-1024: 2, -54: 3}


def test_explicit_bounds_are_spread_between_them(ask):
    # From 0.25 s (-32 on the axis) to 0.5 s (-16) lie 16 buckets: 32 requests are two in each.
    [row] = ask(REQUESTS, [explicit([0.25, 0.5], [0, 32, 0])])
    assert counts(row) == dict.fromkeys(range(-32, -16), 2)
    assert (row["quality"], row["request_count"]) == ("approximate", 32)


def test_the_outer_buckets_end_at_min_and_max_or_span_a_factor_of_two(ask):
    known = explicit([0.25, 0.5], [1, 0, 1], min_s=0.2, max_s=0.6)
    unknown = explicit([0.25, 0.5], [16, 0, 16], route="/unknown")
    with_ends, without = ask(REQUESTS, [known, unknown])
    # One request is put into the middle of 0.2 to 0.25 s, and of 0.5 to 0.6 s, on the logarithm.
    assert all(
        bucket_of(0.2) <= bucket <= bucket_of(0.25) for bucket in list(counts(with_ends))[:1]
    )
    assert all(bucket_of(0.5) <= bucket <= bucket_of(0.6) for bucket in list(counts(with_ends))[1:])
    # 0.125 to 0.25 s is -48 to -32, 0.5 to 1 s is -16 to 0.
    assert counts(without) == dict.fromkeys([*range(-48, -32), *range(-16, 0)], 1)


def test_a_bound_of_zero_has_nothing_below_it(ask):
    # The SDK's old bounds begin with 0: what took no time is in the lowest bucket.
    [row] = ask(REQUESTS, [explicit([0.0, 0.25], [2, 16, 0])])
    assert counts(row) == {-1024: 2} | dict.fromkeys(range(-48, -32), 1)


def test_all_of_one_duration_stay_in_its_bucket(ask):
    [row] = ask(REQUESTS, [explicit([0.1, 0.5], [0, 9, 0], min_s=0.3, max_s=0.3)])
    assert counts(row) == {bucket_of(0.3): 9}


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.floats(1e-4, 100), min_size=1, max_size=6, unique=True).map(sorted),
    st.lists(st.integers(0, 50), min_size=7, max_size=7),
)
def test_whatever_the_bounds_every_request_stays_between_its_own(tmp_path, bounds, held):
    held = held[: len(bounds) + 1]
    file = tmp_path / "raw.parquet"
    raw_rows(read_source(REQUESTS), [explicit(bounds, held)]).write_parquet(file)
    [row] = read_source(REQUESTS).rows([file]).to_dicts()
    assert sum(counts(row).values()) == sum(held)
    for place, seconds in enumerate(bounds):
        # Those at or under a bound: all of the lower buckets, and none of the next but its own.
        under = sum(count for bucket, count in counts(row).items() if bucket < bucket_of(seconds))
        reached = sum(
            count for bucket, count in counts(row).items() if bucket <= bucket_of(seconds)
        )
        assert under <= sum(held[: place + 1]) <= reached


def test_only_the_servers_faults_count(ask):
    rows = [
        exponential(4, -54, [5]),
        exponential(4, -54, [4], status=404, error_type="404"),
        exponential(4, 10, [3], status=503, error_type="503"),
        exponential(4, 10, [2], status=None, error_type="java.net.SocketTimeoutException"),
        exponential(4, -54, [1], status=None, error_type=""),
    ]
    [row] = ask(REQUESTS, rows)
    # 5 + 4 + 3 + 2 + 1 requests, of which 503 and the exception are faults.
    assert (row["request_count"], row["error_count"]) == (15, 5)
    assert counts(row) == {-54: 10}
    assert row["duration_sum_s"] == pytest.approx((5 + 4 + 1) * 0.1)


def test_errors_are_all_that_was_not_ok(ask):
    rows = [
        point(5), point(4, status=302), point(3, status=404, error_type="404"),
        point(2, status=503, error_type="503"), point(1, status=503, error_type="503"),
        point(6, status=None, error_type="java.io.IOException"), point(7, status=None),
        point(0, status=500),
    ]  # fmt: skip
    found = ask(ERRORS, rows)
    assert [(row["error"], row["error_count"], row["is_fault"]) for row in found] == [
        ("404", 3, False),
        ("503", 2 + 1, True),
        ("java.io.IOException", 6, True),
    ]
    assert (found[0]["minute"], found[0]["endpoint"]) == (NOON, "GET /cart/{id}")
    with pytest.raises(Exception, match=r"must have delta temporality"):
        ask(ERRORS, [point(1, status=500, temporality="cumulative")])


def test_a_histogram_without_buckets_has_counts_alone(ask):
    [row] = ask(REQUESTS, [point(4, explicit_bounds_s=[], bucket_counts=[4], point_sum_s=None)])
    assert (row["request_count"], row["latency"], row["duration_sum_s"]) == (4, [], None)


def test_a_point_without_requests_says_that_there_were_none(ask):
    [row] = ask(REQUESTS, [point(0, temporality="1", point_sum_s=None, bucket_counts=[])])
    assert (row["request_count"], row["duration_sum_s"], row["quality"]) == (0, 0, "exact")


@pytest.mark.parametrize("temporality", ["AGGREGATION_TEMPORALITY_CUMULATIVE", "2", None])
def test_cumulative_points_are_refused_with_what_to_do(ask, temporality):
    with pytest.raises(Exception, match=r"must have delta temporality.*cumulativetodelta"):
        ask(REQUESTS, [exponential(4, -54, [3], temporality=temporality)])


def test_other_metrics_are_not_requests(ask):
    rows = [point(3, metric="http.client.request.duration"), point(2, service=None)]
    assert ask(REQUESTS, rows) == []


def gauge(metric, value, **others):
    row = {
        "metric": metric, "observed_at": NOON.replace(minute=5), "service": "cart",
        "region": "eu", "version": "1.4", "instance": "cart-1", "runtime": "java 21.0.5",
        "gauge_value": value,
    }  # fmt: skip
    return row | others


def pause(**others):
    row = gauge("jvm.gc.duration", None, temporality="delta", point_sum_s=0.0)
    return row | others


def test_pools_are_summed_and_instances_averaged(ask):
    rows = [
        gauge("jvm.memory.used", 100, memory_type="heap"),
        gauge("jvm.memory.used", 300, memory_type="heap"),
        gauge("jvm.memory.used", 999, memory_type="non_heap"),
        gauge("jvm.memory.limit", 1000, memory_type="heap"),
        gauge("jvm.memory.used", 600, memory_type="heap", instance="cart-2"),
        gauge("jvm.memory.limit", 2000, memory_type="heap", instance="cart-2"),
        gauge("jvm.thread.count", 20),
        gauge("jvm.thread.count", 10),
        gauge("jvm.thread.count", 40, instance="cart-2"),
        gauge("jvm.cpu.recent_utilization", 0.25),
        gauge("jvm.cpu.recent_utilization", 0.75, instance="cart-2"),
    ]
    [row] = ask(RUNTIMES, rows)
    assert row == {
        "hour": NOON, "service": "cart", "version": "1.4", "region": "eu", "runtime": "java 21.0.5",
        "framework": None, "framework_version": None, "instance_count": 2,
        "cpu_utilization": 0.5,
        # (100 + 300) and 600, so 500 an instance; limits 1000 and 2000; threads 30 and 40.
        "heap_used_bytes": 500, "heap_limit_bytes": 1500,
        "gc_pause_sum_s": None, "gc_pause": [], "thread_count": 35,
    }  # fmt: skip


def test_instances_count_as_many_as_ran_at_once(ask):
    rows = [
        gauge("jvm.thread.count", 10, instance=name, observed_at=NOON + timedelta(minutes=minute))
        for minute, name in ((0, "a"), (0, "b"), (30, "c"), (60, "c"))
    ]
    first, second = ask(RUNTIMES, rows)
    # Two at noon, one half an hour later: a rollout does not make it three.
    assert (first["instance_count"], second["instance_count"]) == (2, 1)
    assert second["hour"] == NOON + timedelta(hours=1)


def test_pauses_of_all_instances_are_one_histogram(ask):
    rows = [
        pause(point_sum_s=0.3, scale=4, positive_offset=-54, positive_counts=[3]),
        pause(
            point_sum_s=6.0, instance="cart-2",
            explicit_bounds_s=[0.25, 0.5], bucket_counts=[0, 16, 0],
        ),
    ]  # fmt: skip
    [row] = ask(RUNTIMES, rows)
    assert row["gc_pause_sum_s"] == pytest.approx(6.3)
    buckets = {bucket["bucket"]: bucket["count"] for bucket in row["gc_pause"]}
    assert buckets == {-54: 3} | dict.fromkeys(range(-32, -16), 1)
    assert row["heap_used_bytes"] is None


def test_cumulative_pauses_are_refused(ask):
    with pytest.raises(Exception, match=r"jvm.gc.duration must have delta temporality"):
        ask(RUNTIMES, [pause(temporality="cumulative")])
