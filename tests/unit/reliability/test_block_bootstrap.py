"""Intervals by blocks of time: they hold the truth as often as they say."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from fleetslo.errors import ParameterError
from fleetslo.reliability.intervals import (
    LEAST_BLOCKS,
    Interval,
    QuantileShift,
    block_bootstrap,
    quantile_shifts,
)
from fleetslo.reliability.latency import HISTOGRAM, LOWEST, buckets_of, quantile

START = datetime(2026, 10, 1, tzinfo=UTC)


def quantile_shift(before: pl.DataFrame, after: pl.DataFrame, q: float, **options) -> QuantileShift:
    """Return how far one quantile moved."""
    return quantile_shifts(before, after, [q], **options)[0]


def hours(histograms: list[dict[int, int]], step_hours: int = 1) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "hour": [START + timedelta(hours=step_hours * i) for i in range(len(histograms))],
            "latency": [[{"bucket": b, "count": c} for b, c in h.items()] for h in histograms],
        },
        schema={"hour": pl.Datetime("us", "UTC"), "latency": HISTOGRAM},
    )


def noisy(random: np.random.Generator, count: int, median_s: float) -> pl.DataFrame:
    """Return hours of 2,000 log-normal durations, each hour with a shift of its own."""
    rows = []
    for shift in random.normal(0, 0.1, count):
        raw = median_s * np.exp(shift + 0.6 * random.standard_normal(2_000))
        buckets, counts = np.unique(buckets_of(raw), return_counts=True)
        rows.append(dict(zip(buckets.tolist(), counts.tolist(), strict=True)))
    return hours(rows)


def ratio(sums):
    return sums[:, 0] / sums[:, 1]


def test_a_statistic_with_its_interval():
    blocks = np.array([[1, 100], [3, 100], [2, 100], [2, 100], [1, 100], [3, 100]])
    found = block_bootstrap(blocks, ratio, seed=1)
    assert found.value == 0.02  # 12 / 600
    assert 0.01 < found.low < 0.02 < found.high < 0.03
    assert found == block_bootstrap(blocks, ratio, seed=1)
    uneven = np.stack([np.arange(50), np.arange(50) * 10 + 500], axis=1)
    assert block_bootstrap(uneven, ratio, seed=1) != block_bootstrap(uneven, ratio, seed=2)
    wide = block_bootstrap(blocks, ratio, seed=1, confidence=0.99)
    assert wide.low <= found.low
    assert wide.high >= found.high


def test_blocks_that_are_all_alike_leave_nothing_open():
    assert block_bootstrap(np.array([[1, 4]] * 6), ratio) == Interval(0.25, 0.25, 0.25)


def test_too_few_blocks_have_a_value_and_no_interval():
    blocks = np.array([[1, 4]] * (LEAST_BLOCKS - 1))
    assert block_bootstrap(blocks, ratio) == Interval(0.25, None, None)


def test_no_blocks_and_no_value_are_none():
    assert block_bootstrap(np.zeros((0, 2)), ratio) is None
    with np.errstate(invalid="ignore"):
        assert block_bootstrap(np.zeros((9, 2)), ratio) is None


def test_draws_without_a_value_are_left_out():
    # Only one of six hours has requests: a third of the draws miss it and have no ratio.
    blocks = np.array([[1, 4]] + [[0, 0]] * 5)
    with np.errstate(invalid="ignore"):
        assert block_bootstrap(blocks, ratio) == Interval(0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"resamples": 0}, "0 resamples make no interval"),
        ({"confidence": 1}, "a confidence of 1 cannot be"),
        ({"confidence": math.nan}, "a confidence of nan cannot be"),
    ],
)
def test_draws_that_cannot_be_are_refused(changed, message):
    with pytest.raises(ParameterError, match=message):
        block_bootstrap(np.ones((9, 2)), ratio, **changed)
    with pytest.raises(ParameterError, match=message):
        quantile_shift(hours([{1: 1}]), hours([{1: 1}]), 0.5, **changed)


def test_requests_that_fail_together_have_a_wide_interval():
    """Hours of 10,000 requests, one hour in ten with 5 % bad: far wider than independent trials.

    Their variance: 100 hours, 10 of them bad, so the mean of 0.5 % has a standard error of
    sqrt(0.1 × 0.9 / 100) × 5 % = 0.15 %; a million independent trials have sqrt(0.005 × 0.995 /
    1e6) = 0.007 %. A 95 % interval is 3.92 standard errors wide.
    """
    blocks = np.array([[500, 10_000] if i % 10 == 0 else [0, 10_000] for i in range(100)])
    found = block_bootstrap(blocks, ratio, resamples=2_000)
    assert found.value == 0.005
    assert found.high - found.low == pytest.approx(3.92 * 0.0015, rel=0.1)


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    """Of 200 intervals of 95 % over 48 skewed hours, 87 to 99 % hold the true rate.

    The percentile interval is known to hold a little less than it says for few, skewed blocks.
    """
    random = np.random.default_rng(11)
    held = 0
    for trial in range(200):
        rates = random.gamma(2.0, 0.001, 48)  # mean 0.002
        blocks = np.stack([random.binomial(20_000, rates), np.full(48, 20_000)], axis=1)
        found = block_bootstrap(blocks, ratio, seed=trial, resamples=300)
        held += found.low <= 0.002 <= found.high
    assert 174 <= held <= 198


def test_a_shift_of_quantiles_is_found_with_its_interval():
    random = np.random.default_rng(3)
    before, after = noisy(random, 72, 0.1), noisy(random, 72, 0.12)
    for shift in quantile_shifts(before, after, [0.5, 0.9, 0.99]):
        # Both have the same shape, the second 1.2 times as slow, at every quantile.
        assert shift.low < 1.2 < shift.high
        assert shift.low > 1
        assert shift.ratio == shift.value_after / shift.value_before
        assert shift.ratio == pytest.approx(1.2, rel=0.05)
    assert quantile_shift(before, after, 0.9) == quantile_shifts(before, after, [0.5, 0.9])[1]
    assert quantile_shift(before, after, 0.9) != quantile_shift(before, after, 0.9, seed=9)


def test_no_shift_is_not_found_more_often_than_stated():
    random = np.random.default_rng(5)
    wrong = 0
    for trial in range(40):
        found = quantile_shift(
            noisy(random, 24, 0.1), noisy(random, 24, 0.1), 0.5, seed=trial, resamples=200
        )
        wrong += not found.low <= 1 <= found.high
    assert wrong <= 6  # 5 % of 40 are 2; 7 or more happen once in 300 times


def test_values_are_those_of_the_merged_histograms():
    before = hours([{0: 5, 16: 5}, {0: 10}] * 3)
    after = hours([{16: 5}, {}] * 6)
    found = quantile_shift(before, after, 0.5)
    assert found.value_before == quantile([0, 16], [45, 15], 0.5)
    assert found.value_after == quantile([16], [30], 0.5)


def test_rows_of_one_hour_are_one_block():
    split = pl.concat([hours([{0: 5}] * 6), hours([{3: 5}] * 6)])
    whole = hours([{0: 5, 3: 5}] * 6)
    assert quantile_shift(split, whole, 0.5) == quantile_shift(whole, whole, 0.5)
    assert quantile_shift(whole, whole, 0.5).low == 1.0  # all blocks alike


def test_days_are_blocks_of_their_own():
    four_days = hours([{0: 5}] * 96)
    assert quantile_shift(four_days, four_days, 0.5, block="hour").low == 1.0
    assert quantile_shift(four_days, four_days, 0.5, block="day").low is None
    with pytest.raises(ParameterError, match="no block 'week'; there are hour and day"):
        quantile_shift(four_days, four_days, 0.5, block="week")


def test_a_side_without_durations_has_no_ratio():
    some = hours([{0: 5}] * 9)
    assert quantile_shift(some, hours([{}] * 9), 0.5) == QuantileShift(
        0.5, pytest.approx(2 ** (0.5 / 16)), None, None, None, None
    )
    assert quantile_shift(some.clear(), some, 0.5).value_before is None
    zero = hours([{LOWEST: 5}] * 9)
    assert quantile_shift(zero, some, 0.5).ratio is None
    assert quantile_shift(some, zero, 0.5).ratio == 0.0


def test_a_quantile_that_cannot_be_is_refused():
    with pytest.raises(ParameterError, match="no quantile 99"):
        quantile_shift(hours([{0: 1}]), hours([{0: 1}]), 99)
