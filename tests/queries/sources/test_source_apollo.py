"""Apollo's counters and percentiles as requests: growth, restarts, drops, hosts, units."""

from datetime import UTC, datetime, timedelta

import pytest

from fleetslo.reliability.latency import bucket_of

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SOURCE = "apollo/requests"


def sent(second, **others):
    row = {
        "observed_at": NOON + timedelta(seconds=second), "service": "cart", "endpoint": "GET:/cart",
        "host": "a",
    }  # fmt: skip
    return row | others


def counter(second, count, status="200", **others):
    row = {"what": "endpoint-request-rate", "status_code": status, "unit": "request"}
    return sent(second, sample=float(count), **(row | others))


def dropped(second, count, **others):
    row = {"what": "dropped-request-rate", "unit": "request"}
    return sent(second, sample=float(count), **(row | others))


def timer(second, stat, seconds, **others):
    row = {"what": "endpoint-request-duration", "stat": stat, "unit": "ns", "sample": seconds * 1e9}
    return sent(second, **(row | others))


def counts(row):
    return {bucket["bucket"]: bucket["count"] for bucket in row["latency"]}


def totals(rows):
    return [(row["request_count"], row["error_count"]) for row in rows]


def test_requests_are_what_a_counter_grew_by(ask):
    rows = [counter(0, 1000), counter(30, 1007), counter(60, 1010), counter(90, 1010)]
    first, second = ask(SOURCE, rows)
    # The first count says nothing; 1007 - 1000 = 7 in the first minute, 3 and 0 in the second.
    assert first == {
        "minute": NOON, "service": "cart", "endpoint": "GET:/cart", "region": "", "version": "",
        "request_count": 7, "error_count": 0, "duration_sum_s": None, "latency": [],
        "quality": "approximate", "observed_count": 7,
    }  # fmt: skip
    assert totals([second]) == [(3, 0)]


def test_a_process_that_began_again_counts_from_zero(ask):
    [row] = ask(SOURCE, [counter(0, 1000), counter(20, 1005), counter(40, 2)])
    # 5 before and 2 since.
    assert row["request_count"] == 7


def test_only_the_servers_faults_count(ask):
    rows = [
        counter(second, count * second, status)
        for second in (0, 10)
        for status, count in (("200", 5), ("302", 4), ("404", 3), ("503", 2))
    ]
    # error-ratio counts 302 as an error, and is not read.
    rows += [sent(10, what="error-ratio", stat=None, unit="%", sample=0.9)]
    [row] = ask(SOURCE, rows)
    # Each grew by ten times its number: 10 × (5 + 4 + 3 + 2) = 140, of which 10 × 2 are faults.
    assert totals([row]) == [(140, 20)]


def test_a_status_that_appears_was_zero_before(ask):
    rows = [counter(0, 100), counter(30, 110), counter(30, 4, "500")]
    # 10 of 200, and the first four of 500, since the host had reported at 0 s.
    assert totals(ask(SOURCE, rows)) == [(14, 4)]


def test_a_host_that_appears_says_nothing_yet(ask):
    rows = [counter(0, 100), counter(30, 110), counter(30, 5000, host="b")]
    assert totals(ask(SOURCE, rows)) == [(10, 0)]


def test_dropped_requests_are_requests_and_faults(ask):
    rows = [counter(0, 100), counter(30, 110), dropped(0, 7), dropped(30, 9)]
    # dropped-request-rate grew by 2, which endpoint-request-rate has not.
    assert totals(ask(SOURCE, rows)) == [(12, 2)]


def test_rates_are_no_counts(ask):
    rate = {"stat": "1m", "unit": "request/s"}
    rows = [counter(0, 100), counter(30, 110), counter(30, 3, **rate), counter(45, 4, **rate)]
    assert totals(ask(SOURCE, rows)) == [(10, 0)]


def test_a_host_that_served_nothing_says_so(ask):
    assert totals(ask(SOURCE, [counter(0, 100), counter(30, 100)])) == [(0, 0)]


def test_the_request_of_each_rank_is_where_its_percentile_is(ask):
    rows = [counter(0, 0), counter(30, 100)]
    rows += [
        timer(30, stat, seconds)
        for stat, seconds in (("min", 0.05), ("median", 0.1), ("p75", 0.2), ("p99", 0.8), ("max", 1.6))
    ]  # fmt: skip
    # A timer's own rate is in ns/s, its mean no percentile.
    rows += [
        timer(30, "1m", 99.0, unit="ns/s"),
        timer(30, "mean", 50.0),
        timer(30, "stddev", 50.0),
    ]
    [row] = ask(SOURCE, rows)
    assert sum(counts(row).values()) == 100
    for seconds, rank in ((0.05, 1), (0.1, 50), (0.2, 75), (0.8, 99), (1.6, 100)):
        under = sum(count for bucket, count in counts(row).items() if bucket < bucket_of(seconds))
        reached = sum(
            count for bucket, count in counts(row).items() if bucket <= bucket_of(seconds)
        )
        assert under < rank <= reached
    assert (min(counts(row)), max(counts(row))) == (bucket_of(0.05), bucket_of(1.6))


def test_hosts_are_spread_each_by_its_own_percentiles_and_added_up(ask):
    rows = [counter(0, 0), counter(30, 90), counter(0, 0, host="b"), counter(30, 10, host="b")]
    rows += [timer(30, stat, 0.1) for stat in ("median", "p99")]
    rows += [timer(30, stat, 1.5, host="b") for stat in ("median", "p99")]
    [row] = ask(SOURCE, rows)
    # 90 of 0.1 s and 10 of 1.5 s. The mean of the medians, 0.8 s, is nobody's duration.
    assert counts(row) == {bucket_of(0.1): 90, bucket_of(1.5): 10}


def test_the_last_percentile_of_a_minute_stands_and_faults_are_not_timed(ask):
    rows = [counter(0, 0), counter(30, 8), counter(0, 0, "500"), counter(30, 2, "500")]
    rows += [timer(10, "median", 3.0), timer(40, "median", 0.25)]
    [row] = ask(SOURCE, rows)
    # 0.25 s is the upper bound of bucket -33.
    assert counts(row) == {-33: 8}


@pytest.mark.parametrize(("count", "held"), [(1, {"max": 1}), (2, {"median": 1, "max": 1})])
def test_of_percentiles_that_are_one_request_the_highest_stands(ask, count, held):
    rows = [counter(0, 0), counter(30, count)]
    rows += [timer(30, "median", 0.1), timer(30, "p99", 0.3), timer(30, "max", 0.4)]
    [row] = ask(SOURCE, rows)
    # Of one, all are it. Of two, the first is the median, the second p99 and the longest.
    seconds = {"median": 0.1, "max": 0.4}
    assert sum(counts(row).values()) == count
    assert {bucket_of(seconds[stat]) for stat in held} <= set(counts(row))


def test_percentiles_out_of_order_are_taken_to_be_no_lower_than_those_before(ask):
    rows = [counter(0, 0), counter(30, 200)]
    rows += [timer(30, "median", 0.2), timer(30, "p75", 0.1), timer(30, "p999", 0.3)]
    [row] = ask(SOURCE, rows)
    assert sum(counts(row).values()) == 200
    assert (min(counts(row)), max(counts(row))) == (bucket_of(0.2), bucket_of(0.3))
