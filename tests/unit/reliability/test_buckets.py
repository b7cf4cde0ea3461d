"""Buckets of scale 4, against OpenTelemetry's data model and against exact arithmetic."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.buckets import (
    BASE,
    LOWEST,
    bounds,
    bucket_of,
    buckets_of,
    histogram,
    nearest_bounds,
    scale_down,
)

DURATIONS = st.floats(min_value=2.0**-60, max_value=1e6)


def test_base_is_the_one_of_the_specification():
    # OpenTelemetry metrics data model, table of scales: scale 4 has base 1.04427 = 2**(1/16).
    assert round(BASE, 5) == 1.04427


@pytest.mark.parametrize(
    ("step", "lower"),
    # The same document lists the lower bounds at scale 3; each is every second one at scale 4.
    [(0, 1), (1, 1.09051), (2, 1.18921), (3, 1.29684), (4, 1.41421), (5, 1.54221), (6, 1.68179)],
)
def test_bounds_between_one_and_two_seconds(step, lower):
    assert round(bounds(2 * step)[0], 5) == lower


def test_a_power_of_two_belongs_to_the_bucket_that_it_ends():
    # (base**i, base**(i+1)] is closed above: 1 s = base**0 ends bucket -1, 2 s = base**16 ends 15.
    assert bounds(-1)[1] == 1.0
    assert bucket_of(1.0) == -1
    assert bucket_of(2.0) == 15
    assert bucket_of(0.5) == -17
    assert bucket_of(math.nextafter(1.0, 2.0)) == 0


@pytest.mark.parametrize("bucket", range(LOWEST + 1, 1024, 7))
def test_every_bound_ends_its_bucket_and_the_next_float_begins_another(bucket):
    lower, upper = bounds(bucket)
    assert bucket_of(upper) == bucket
    assert bucket_of(math.nextafter(upper, math.inf)) == bucket + 1
    assert bucket_of(math.nextafter(lower, math.inf)) == bucket
    assert bounds(bucket + 1)[0] == upper


@pytest.mark.parametrize("step", range(17))
def test_bounds_are_correctly_rounded(step):
    # The float nearest to 2**(step/16): its 16th power, taken exactly, is nearer to 2**step than
    # those of its neighbours are.
    bound = bounds(step - 1)[1]
    wanted = Fraction(2) ** step

    def miss(value: float) -> Fraction:
        return abs(Fraction(value) ** 16 - wanted)

    assert miss(bound) <= miss(math.nextafter(bound, 0))
    assert miss(bound) <= miss(math.nextafter(bound, 4))


def test_the_lowest_bucket_holds_nothing_at_all_and_whatever_is_shorter():
    assert bucket_of(0) == bucket_of(5e-324) == bucket_of(1e-30) == LOWEST
    assert bounds(LOWEST) == (0.0, 2.0 ** (-1023 / 16))


def test_durations_past_anything_real_still_have_a_bucket():
    longest = 1.7976931348623157e308  # the largest float lies in octave 1023: 16 × 1023 + 15
    assert bucket_of(longest) == 16383
    assert bounds(16383)[1] == math.inf


@pytest.mark.parametrize("seconds", [-1e-9, -1, math.nan, math.inf, -math.inf])
def test_what_is_no_duration_is_refused(seconds):
    with pytest.raises(ParameterError, match="finite and 0 or more"):
        bucket_of(seconds)
    with pytest.raises(ParameterError, match="finite and 0 or more"):
        buckets_of(np.array([0.1, seconds]))


def test_a_bucket_under_the_lowest_is_refused():
    with pytest.raises(ParameterError, match="-1025; the lowest is -1024"):
        bounds(-1025)


@given(DURATIONS)
def test_a_duration_lies_in_its_bucket(seconds):
    lower, upper = bounds(bucket_of(seconds))
    assert lower < seconds <= upper
    assert upper / lower == pytest.approx(BASE)


@given(st.lists(st.one_of(st.just(0.0), DURATIONS), min_size=1, max_size=50))
def test_arrays_agree_with_single_durations(durations):
    assert buckets_of(np.array(durations)).tolist() == [bucket_of(d) for d in durations]


def test_nearest_bounds_of_a_threshold():
    # 0.3 s: 16 × log2(0.3) = -27.79, so between 2**(-28/16) and 2**(-27/16).
    assert nearest_bounds(0.3) == (2 ** (-28 / 16), 2 ** (-27 / 16))
    assert nearest_bounds(0.25) == (0.25, 0.25)
    assert nearest_bounds(1) == (1.0, 1.0)


@pytest.mark.parametrize("written", [0.2973017788, 0.2973017787506803, 0.29730177870])
def test_a_bound_written_with_ten_digits_is_that_bound(written):
    below, above = nearest_bounds(written)
    assert below == above == 2 ** (-28 / 16)


def test_histograms_are_sorted_summed_and_without_empty_buckets():
    places, amounts = histogram([5, -3, 5, 7], [1, 2, 3, 0])
    assert places.tolist() == [-3, 5]
    assert amounts.tolist() == [2, 4]  # 1 + 3 in bucket 5


@pytest.mark.parametrize(
    ("buckets", "counts", "message"),
    [
        ([1, 2], [1], "2 buckets and 1 counts"),
        ([1], [-1], "a count of -1"),
        ([-1025], [1], "no bucket -1025"),
    ],
)
def test_malformed_histograms_are_refused(buckets, counts, message):
    with pytest.raises(ParameterError, match=message):
        histogram(buckets, counts)


@given(
    st.lists(DURATIONS, min_size=1, max_size=40),
    st.integers(min_value=5, max_value=12),
)
def test_scaling_down_equals_counting_at_scale_4(durations, scale):
    # Perfect subsetting: bucket i of a finer scale lies wholly in bucket i >> (scale - 4).
    finer = [math.ceil(math.log2(d) * 2**scale) - 1 for d in durations]
    # Durations within rounding of a bound may go either way in this simple logarithm.
    kept = [
        (place, d)
        for place, d in zip(finer, durations, strict=True)
        if abs(math.log2(d) * 2**scale - round(math.log2(d) * 2**scale)) > 1e-6
    ]
    places, amounts = scale_down([place for place, _ in kept], [1] * len(kept), scale)
    expected = histogram([bucket_of(d) for _, d in kept], [1] * len(kept))
    assert (places, amounts) == (expected[0].tolist(), expected[1].tolist())


def test_scaling_down_keeps_what_the_fine_buckets_could_not_hold():
    # Scale 5: buckets 2 and 3 are bucket 1 here; -4000 >> 1 = -2000 lies under the lowest.
    assert scale_down([2, 3, -4000], [4, 5, 6], 5, zero_count=7) == ([LOWEST, 1], [13, 9])
    assert scale_down([3], [2], 4) == ([3], [2])


def test_a_coarser_scale_is_refused():
    with pytest.raises(ParameterError, match=r"scale 3 is coarser than 4.*approximate"):
        scale_down([1], [1], 3)
