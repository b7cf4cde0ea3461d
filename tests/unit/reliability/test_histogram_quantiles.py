"""Quantiles and counts under thresholds: worked by hand, and as laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.latency import (
    HISTOGRAM,
    LOWEST,
    Estimate,
    bounds,
    bucket_of,
    buckets_of,
    count_at_most,
    histogram,
    merge,
    quantile,
    quantile_column,
    quantile_frame,
)

BUCKETS = st.one_of(st.just(LOWEST), st.integers(min_value=-160, max_value=64))
HISTOGRAMS = st.dictionaries(BUCKETS, st.integers(1, 1000), min_size=1, max_size=12)
THRESHOLDS = st.floats(min_value=0, max_value=20)
QUANTILES = st.floats(min_value=0, max_value=1)


def frame(rows: list[tuple[str, dict[int, int]]]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "service": [service for service, _ in rows],
            "latency": [[{"bucket": b, "count": c} for b, c in h.items()] for _, h in rows],
        },
        schema={"service": pl.String, "latency": HISTOGRAM},
    )


def test_quantiles_are_interpolated_on_the_logarithm():
    # 100 requests in bucket 0, (1, 2**(1/16)]: the median is halfway on the logarithm.
    assert quantile([0], [100], 0.5) == pytest.approx(2 ** (0.5 / 16))
    # 10 in bucket 0 and 30 in bucket 16: rank 25 of 40 is half of the 30 past the first 10.
    assert quantile([0, 16], [10, 30], 25 / 40) == pytest.approx(2 ** (16.5 / 16))
    # The order of the buckets, empty ones and doubled ones make no difference.
    assert quantile([16, 3, 0, 16], [10, 0, 10, 20], 25 / 40) == pytest.approx(2 ** (16.5 / 16))


def test_the_ends_of_a_distribution_are_the_bounds_of_its_buckets():
    assert quantile([0, 16], [10, 30], 0) == 1.0
    assert quantile([0, 16], [10, 30], 1) == pytest.approx(2 ** (17 / 16))


def test_a_rank_on_the_edge_of_a_bucket_stays_in_it():
    # 7 % of 100 is rank 7, the last of the first bucket; in floats 0.07 × 100 is a hair more.
    assert 0.07 * 100 > 7
    assert quantile([0, 160], [7, 93], 0.07) == pytest.approx(bounds(0)[1])


def test_no_duration_has_no_quantile():
    assert quantile([], [], 0.5) is None
    assert quantile([3], [0], 0.5) is None


def test_the_lowest_bucket_is_no_time_at_all():
    assert quantile([LOWEST, 0], [60, 40], 0.5) == 0.0


@pytest.mark.parametrize("q", [-0.1, 1.1, 99, math.nan])
def test_what_is_no_quantile_is_refused(q):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        quantile([0], [1], q)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        quantile_frame(frame([]), [], [q])


def test_counting_under_a_threshold_that_cuts_a_bucket():
    # 0.3 s lies 21.4 % into bucket -28: 16 × log2(0.3) + 28 = 0.2086…
    share = 16 * math.log2(0.3) + 28
    assert count_at_most([-40, -28, 5], [900, 50, 7], 0.3) == Estimate(
        900, pytest.approx(900 + 50 * share), 950
    )


@pytest.mark.parametrize("seconds", [0.25, 2 ** (-28 / 16), 0.2973017788, 1, 16])
def test_counting_under_a_threshold_on_a_bound_is_certain(seconds):
    found = count_at_most(
        [-40, -33, -29, -28, -1, 0, 63, 64], [1, 2, 4, 8, 16, 32, 64, 128], seconds
    )
    # Those that end at or under the threshold: 0.25 ends -33, 2**(-28/16) ends -29, 1 ends -1.
    expected = {0.25: 3, 1: 31, 16: 127}.get(seconds, 7)
    assert found == Estimate(expected, float(expected), expected)


def test_counting_under_no_time_at_all():
    # The lowest bucket ends at 5.6e-20 s: what it holds took no time that a clock could tell.
    assert count_at_most([LOWEST, 0], [3, 5], 0) == Estimate(3, 3.0, 3)
    assert count_at_most([LOWEST, 0], [3, 5], 1e-20) == Estimate(3, 3.0, 3)


def test_counting_under_a_negative_threshold_is_refused():
    with pytest.raises(ParameterError, match="a duration of -1"):
        count_at_most([0], [1], -1)


@given(HISTOGRAMS, QUANTILES)
def test_a_quantile_lies_in_a_bucket_that_holds_something(counts, q):
    found = quantile(list(counts), list(counts.values()), q)
    assert found is not None
    ends = [bounds(bucket) for bucket in counts]
    assert any(low * (1 - 1e-9) <= found <= high * (1 + 1e-9) for low, high in ends)


@given(HISTOGRAMS, QUANTILES, QUANTILES)
def test_quantiles_do_not_fall(counts, one, two):
    low, high = sorted((one, two))
    values = [quantile(list(counts), list(counts.values()), q) for q in (low, high)]
    assert values[0] <= values[1] * (1 + 1e-9)


@given(HISTOGRAMS, THRESHOLDS, THRESHOLDS)
def test_counts_rise_with_the_threshold_and_keep_within_their_bounds(counts, one, two):
    low, high = sorted((one, two))
    under, over = (count_at_most(list(counts), list(counts.values()), t) for t in (low, high))
    assert under.low <= over.low
    assert under.value <= over.value + 1e-6
    assert under.high <= over.high
    for estimate in (under, over):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= sum(counts.values())


@given(HISTOGRAMS, HISTOGRAMS, THRESHOLDS)
def test_counting_is_additive_over_any_split(one, two, seconds):
    parts = [count_at_most(list(h), list(h.values()), seconds) for h in (one, two)]
    whole = count_at_most([*one, *two], [*one.values(), *two.values()], seconds)
    assert whole.low == sum(part.low for part in parts)
    assert whole.high == sum(part.high for part in parts)
    assert whole.value == pytest.approx(sum(part.value for part in parts))


@given(HISTOGRAMS, st.floats(min_value=0.001, max_value=0.999))
def test_counting_under_a_quantile_gives_its_share_back(counts, q):
    seconds = quantile(list(counts), list(counts.values()), q)
    found = count_at_most(list(counts), list(counts.values()), seconds)
    total = sum(counts.values())
    # Rank q × total is met to within what floats lose on 160 buckets' logarithms.
    if LOWEST not in counts:
        assert found.value == pytest.approx(q * total, abs=1e-6 * total)


@given(st.lists(HISTOGRAMS, min_size=1, max_size=5), st.randoms(use_true_random=False))
def test_merging_is_free_of_order(histograms, random):
    shuffled = random.sample(histograms, len(histograms))
    merged = [merge(frame([("a", h) for h in order]), []) for order in (histograms, shuffled)]
    assert merged[0].equals(merged[1])
    expected = histogram(
        [bucket for h in histograms for bucket in h],
        [count for h in histograms for count in h.values()],
    )
    assert merged[0]["bucket"].to_list() == expected[0].tolist()
    assert merged[0]["count"].to_list() == expected[1].tolist()


def test_merging_by_service_leaves_out_rows_without_durations():
    rows = frame([("b", {1: 2}), ("a", {3: 1, 1: 1}), ("a", {3: 4}), ("c", {})])
    assert merge(rows, ["service"]).rows() == [("a", 1, 1), ("a", 3, 5), ("b", 1, 2)]


@given(
    st.lists(st.tuples(st.sampled_from("abc"), HISTOGRAMS), min_size=1, max_size=8),
    st.lists(QUANTILES, min_size=1, max_size=3, unique=True),
)
def test_a_frame_of_quantiles_agrees_with_one_at_a_time(rows, qs):
    table = frame(rows)
    qs = sorted({round(q, 4) for q in qs})
    found = quantile_frame(table, ["service"], qs)
    again = quantile_frame(merge(table, ["service"]), ["service"], qs)
    assert found.equals(again)
    assert found["service"].to_list() == sorted({service for service, _ in rows})
    for row in found.iter_rows(named=True):
        own = [h for service, h in rows if service == row["service"]]
        buckets = [bucket for h in own for bucket in h]
        counts = [count for h in own for count in h.values()]
        assert row["duration_count"] == sum(counts)
        for q in qs:
            assert row[quantile_column(q)] == pytest.approx(quantile(buckets, counts, q))


def test_a_group_without_durations_has_a_row_and_no_quantile():
    rows = frame([("a", {0: 10}), ("b", {})])
    assert quantile_frame(rows, ["service"], [0.5]).rows() == [
        ("a", 10, pytest.approx(2 ** (0.5 / 16))),
        ("b", 0, None),
    ]


def test_a_frame_without_groups_is_one_row():
    rows = frame([("a", {0: 5}), ("b", {0: 5})])
    assert quantile_frame(rows, [], [0.5, 0.999]).rows() == [
        (10, pytest.approx(2 ** (0.5 / 16)), pytest.approx(2 ** (0.999 / 16)))
    ]
    assert quantile_frame(rows.clear(), [], [0.5]).rows() == [(0, None)]


@pytest.mark.parametrize(
    ("q", "name"),
    [(0.5, "p50_s"), (0.99, "p99_s"), (0.999, "p99_9_s"), (1, "p100_s"), (0.07, "p7_s")],
)
def test_names_of_quantile_columns(q, name):
    assert quantile_column(q) == name


@pytest.mark.parametrize("q", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("distribution", ["lognormal", "pareto", "exponential"])
def test_accuracy_on_raw_durations_with_known_quantiles(distribution, q):
    """The histogram of 200,000 raw durations is within a bucket of the true quantile.

    True quantiles: log-normal of median 80 ms and sigma 0.8: 0.08 × exp(0.8 × z(q)), z(0.9) =
    1.2815516, z(0.99) = 2.3263479; Pareto of shape 2.5 from 20 ms: 0.02 × (1 − q)**(−1 / 2.5);
    exponential of mean 150 ms: −0.15 × ln(1 − q).
    """
    random = np.random.default_rng(20261101)
    z = {0.5: 0.0, 0.9: 1.2815515655446004, 0.99: 2.3263478740408408}[q]
    raw, exact = {
        "lognormal": (random.lognormal(math.log(0.08), 0.8, 200_000), 0.08 * math.exp(0.8 * z)),
        "pareto": (0.02 * (1 + random.pareto(2.5, 200_000)), 0.02 * (1 - q) ** (-1 / 2.5)),
        "exponential": (random.exponential(0.15, 200_000), -0.15 * math.log(1 - q)),
    }[distribution]
    buckets, counts = histogram(buckets_of(raw), np.ones(len(raw), dtype=np.int64))
    found = quantile(buckets.tolist(), counts.tolist(), q)
    own = float(np.quantile(raw, q, method="inverted_cdf"))
    # Of the sample's own quantile it can be no further than the bucket is wide, 4.43 %; inside
    # the bucket the logarithm runs nearly evenly, so it is in fact within half of that.
    assert bucket_of(own) == bucket_of(found)
    assert found == pytest.approx(own, rel=0.022)
    # Of the true quantile, further by what 200,000 draws can stray.
    assert found == pytest.approx(exact, rel=0.03)
