"""Histograms from percentiles and from explicit bounds: totals exact, shape as close as it can be."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.latency import (
    BASE,
    LOWEST,
    bounds,
    bucket_of,
    count_at_most,
    quantile,
    spread_bounds,
    spread_percentiles,
)

DURATIONS = st.floats(min_value=1e-6, max_value=100)
Z90, Z95, Z99 = 1.2815515655446004, 1.6448536269514722, 2.3263478740408408


@example(1, {1.0: 0.0, 0.9999999999999999: 0.0})
@given(
    st.integers(0, 100_000),
    st.dictionaries(st.floats(0, 1), st.one_of(st.just(0.0), DURATIONS), min_size=1, max_size=5),
)
def test_counts_from_percentiles_add_up_exactly(count, knots):
    rising = dict(zip(sorted(knots), sorted(knots.values()), strict=True))
    buckets, counts = spread_percentiles(count, rising)
    assert sum(counts) == count
    assert all(amount > 0 for amount in counts)
    assert buckets == sorted(set(buckets))


@given(st.lists(DURATIONS, min_size=4, max_size=4, unique=True), st.integers(20, 50_000))
def test_percentiles_come_back_to_one_bucket(durations, count):
    # From 20 on, p50, p90, p95 and p99 are the durations of four different ranks.
    knots = dict(zip((0.5, 0.9, 0.95, 0.99), sorted(durations), strict=True))
    buckets, counts = spread_percentiles(count, knots)
    for q, seconds in knots.items():
        lower, upper = bounds(bucket_of(seconds))
        assert lower * (1 - 1e-9) <= quantile(buckets, counts, q) <= upper * (1 + 1e-9)


def test_a_rank_that_several_percentiles_share_is_the_highest():
    # Of 10 durations p95 and p99 are both the tenth.
    buckets, counts = spread_percentiles(10, {0.5: 0.1, 0.95: 0.2, 0.99: 0.3})
    assert (buckets[-1], counts[-1]) == (bucket_of(0.3), 1)
    assert spread_percentiles(1, {0: 0.1, 0.5: 0.2, 1: 0.3}) == ([bucket_of(0.3)], [1])


@pytest.mark.parametrize("q", [0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.999])
def test_a_lognormal_distribution_comes_back_whole(q):
    # Median 100 ms and sigma 0.7: its percentile q is 0.1 × exp(0.7 × z(q)), which is what the
    # interpolation assumes, so that quantiles between and beyond the given ones fit as well.
    z = {0.25: -0.67449, 0.5: 0, 0.75: 0.67449, 0.9: Z90, 0.95: Z95, 0.98: 2.05375, 0.99: Z99}
    z[0.999] = 3.09023
    knots = {p: 0.1 * math.exp(0.7 * z[p]) for p in (0.5, 0.9, 0.95, 0.99)}
    buckets, counts = spread_percentiles(100_000, knots)
    assert quantile(buckets, counts, q) == pytest.approx(0.1 * math.exp(0.7 * z[q]), rel=0.01)


def test_one_percentile_or_equal_ones_put_everything_there():
    assert spread_percentiles(7, {0.5: 0.1}) == ([bucket_of(0.1)], [7])
    assert spread_percentiles(7, {0.5: 0.1, 0.99: 0.1}) == ([bucket_of(0.1)], [7])
    assert spread_percentiles(7, {0.5: 0.0, 0.9: 0.0}) == ([LOWEST], [7])
    assert spread_percentiles(0, {0.5: 0.1}) == ([], [])


def test_equal_percentiles_in_the_middle_are_a_step():
    # p50 = p90 = 100 ms: at least 40 of 100 lie in that one bucket.
    buckets, counts = spread_percentiles(100, {0.1: 0.05, 0.5: 0.1, 0.9: 0.1, 0.99: 0.2})
    assert dict(zip(buckets, counts, strict=True))[bucket_of(0.1)] >= 40


def test_the_shortest_and_the_longest_end_the_distribution():
    buckets, counts = spread_percentiles(1000, {0: 0.05, 0.5: 0.1, 1: 0.4})
    assert buckets[0] == bucket_of(0.05)
    assert buckets[-1] == bucket_of(0.4)
    assert quantile(buckets, counts, 0.5) == pytest.approx(0.1, rel=0.01)


def test_a_tail_is_followed_64_times_and_no_further():
    # Between p50 and p51 the logarithm rises so steeply that the end would lie past the floats.
    buckets, counts = spread_percentiles(1000, {0.5: 0.001, 0.51: 1.0})
    assert buckets[-1] == bucket_of(64.0)
    assert buckets[0] == bucket_of(0.001 / 64)
    assert sum(counts) == 1000


@pytest.mark.parametrize(
    ("count", "knots", "message"),
    [
        (-1, {0.5: 0.1}, "a count of -1"),
        (10, {}, "no percentile to spread by"),
        (10, {50: 0.1}, "no quantile 50; it is between 0 and 1"),
        (10, {0.5: -0.1}, "a duration of -0.1 s cannot be"),
        (10, {0.5: 0.2, 0.9: 0.1}, r"0.5 quantile is 0.2 s and the 0.9 quantile 0.1 s"),
    ],
)
def test_percentiles_that_cannot_be_are_refused(count, knots, message):
    with pytest.raises(ParameterError, match=message):
        spread_percentiles(count, knots)


@given(
    st.lists(DURATIONS, min_size=1, max_size=6, unique=True).flatmap(
        lambda edges: st.tuples(
            st.just(sorted(edges)),
            st.lists(st.integers(0, 10_000), min_size=len(edges) + 1, max_size=len(edges) + 1),
        )
    )
)
def test_counts_between_bounds_add_up_exactly_and_stay_between_them(given_bounds):
    edges, counts = given_bounds
    buckets, amounts = spread_bounds(edges, counts)
    assert sum(amounts) == sum(counts)
    running = 0
    for edge, count in zip(edges, counts, strict=False):
        running += count
        # Only the bucket that the bound cuts may hold some from either side of it.
        found = count_at_most(buckets, amounts, edge)
        assert found.low <= running <= found.high or found.low == found.high == running


def test_between_two_bounds_the_logarithm_runs_evenly():
    # 160 durations between 0.125 s and 0.25 s, one octave of 16 buckets: 10 in each.
    assert spread_bounds([0.125, 0.25], [0, 160, 0]) == (list(range(-48, -32)), [10] * 16)


def test_the_outer_stretches_reach_as_far_as_their_neighbours():
    # Bounds 0.25 and 1 are four times apart: 32 over 1 s reach to 4 s, one in each bucket.
    assert spread_bounds([0.25, 1], [0, 0, 32]) == (list(range(32)), [1] * 32)
    # Likewise 32 up to 0.25 s reach down to 0.0625 s; a single bound knows no ratio: twice.
    assert spread_bounds([0.25, 1], [32, 0, 0]) == (list(range(-64, -32)), [1] * 32)
    assert spread_bounds([1], [16, 16]) == (list(range(-16, 16)), [1] * 32)


def test_known_extremes_narrow_the_outermost_stretches():
    # Between 0.5 s and 1 s instead of 0.25 s to 1 s, and between 1 s and 2 s instead of to 4 s.
    buckets, counts = spread_bounds([0.25, 1], [0, 16, 16], shortest=0.5, longest=2)
    assert (buckets, counts) == (list(range(-16, 16)), [1] * 32)


def test_known_extremes_move_the_guessed_ends():
    # All 16 up to 1 s, the longest of them 0.25 s: from 0.125 s, not from a guessed 0.5 s.
    assert spread_bounds([1, 2], [16, 0, 0], longest=0.25) == (list(range(-48, -32)), [1] * 16)
    # All 16 over 2 s, the shortest of them 8 s: to 16 s, not to a guessed 4 s.
    assert spread_bounds([1, 2], [0, 0, 16], shortest=8) == (list(range(48, 64)), [1] * 16)
    assert spread_bounds([1], [3, 0], longest=0) == ([LOWEST], [3])


def test_a_stretch_of_no_width_is_one_bucket():
    assert spread_bounds([0.25, 1], [0, 5, 0], shortest=0.3, longest=0.3) == ([-28], [5])


def test_a_first_bound_of_zero_counts_durations_of_zero():
    assert spread_bounds([0, 1], [3, 16, 0]) == ([LOWEST, *range(-16, 0)], [3] + [1] * 16)
    assert spread_bounds([0, 1], [3, 0, 0]) == ([LOWEST], [3])
    assert spread_bounds([1], [0, 0]) == ([], [])
    # A shortest duration of 0 says nothing about the rest of the first stretch.
    assert spread_bounds([1], [16, 0], shortest=0) == (list(range(-16, 0)), [1] * 16)


@pytest.mark.parametrize(
    ("edges", "counts", "extremes", "message"),
    [
        ([], [1], {}, "0 bounds and 1 counts do not fit"),
        ([1], [1], {}, "1 bounds and 1 counts do not fit"),
        ([0], [1, 1], {}, "one bound over 0"),
        ([1, 1], [1, 1, 1], {}, "1 and 1 do not rise"),
        ([1, 2], [1, -1, 1], {}, "a count of -1"),
        ([-1, 2], [1, 1, 1], {}, "a duration of -1"),
        ([1, 2], [0, 1, 0], {"shortest": 3}, "the shortest duration, 3 s, lies outside"),
        ([1, 2], [0, 1, 0], {"shortest": 0.5}, "the shortest duration, 0.5 s, lies outside"),
        ([1, 2], [0, 1, 0], {"longest": 3}, "the longest duration, 3 s, lies outside"),
        ([1, 2], [0, 1, 1], {"longest": 1.5}, "the longest duration, 1.5 s, lies outside"),
        ([1, 2], [0, 1, 0], {"longest": math.inf}, "a duration of inf"),
    ],
)
def test_bounds_that_cannot_be_are_refused(edges, counts, extremes, message):
    with pytest.raises(ParameterError, match=message):
        spread_bounds(edges, counts, **extremes)


def test_error_of_quantiles_from_five_coarse_bounds():
    """Counts between 1, 10, 100 ms, 1 and 10 s tell a quantile to a factor, not to a bucket."""
    random = np.random.default_rng(7)
    raw = random.lognormal(math.log(0.05), 0.8, 50_000)
    edges = [0.001, 0.01, 0.1, 1, 10]
    counts = np.histogram(raw, [0, *edges, math.inf])[0].tolist()
    buckets, amounts = spread_bounds(edges, counts)
    errors = [quantile(buckets, amounts, q) / float(np.quantile(raw, q)) for q in (0.5, 0.9, 0.99)]
    assert max(max(e, 1 / e) for e in errors) > BASE  # worse than a bucket: hence "approximate"
    assert max(max(e, 1 / e) for e in errors) < 10  # and never further than the bounds are apart
