"""Alert windows and what fires, against the SRE Workbook (chapter 5), pyrra's table and SLO.md."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.alerts import (
    AlertWindow,
    alert_windows,
    firing,
    needless,
    unreachable,
)

DAYS = {days: timedelta(days=days) for days in (7, 14, 28, 30, 90)}
MINUTES = (5, 30, 60, 120, 360, 1440, 4320)


def rows(windows):
    return [
        (w.severity, w.budget_share, w.long_minutes, w.short_minutes, w.factor) for w in windows
    ]


def test_workbook_over_30_days():
    # SRE Workbook, table 5-8: 2 % in 1 h is 0.02 × 720 h / 1 h = 14.4; 5 % in 6 h is 6; 10 % in
    # 3 d is 1. The Prometheus rules below the table add 10 % in 1 d: 0.1 × 30 / 1 = 3.
    assert rows(alert_windows(DAYS[30])) == [
        ("page", 0.02, 60, 5, 14.4),
        ("page", 0.05, 360, 30, 6.0),
        ("ticket", 0.1, 1440, 120, 3.0),
        ("ticket", 0.1, 4320, 360, 1.0),
    ]


@pytest.mark.parametrize(
    ("days", "factors"),
    [
        # Factor = share × days × 24 h ÷ long window: 0.02 × 672 / 1 = 13.44, 0.05 × 672 / 6 = 5.6,
        # 0.1 × 672 / 24 = 2.8, 0.1 × 672 / 72 = 14 / 15.
        (28, [13.44, 5.6, 2.8, 14 / 15]),
        (7, [3.36, 1.4, 0.7, 7 / 30]),
        (90, [43.2, 18.0, 9.0, 3.0]),
    ],
)
def test_workbook_factors_scale_with_the_window(days, factors):
    windows = alert_windows(DAYS[days])
    assert [w.factor for w in windows] == factors
    assert [w.long_minutes for w in windows] == [60, 360, 1440, 4320]


@pytest.mark.parametrize(
    ("days", "lengths"),
    [
        # SLO.md, and pyrra's windows for 28 days; halved for 14, with 2.5 min rounded up to 3.
        (28, [(60, 5), (360, 30), (1440, 120), (5760, 360)]),
        (14, [(30, 3), (180, 15), (720, 60), (2880, 180)]),
        (7, [(15, 2), (90, 8), (360, 30), (1440, 90)]),
    ],
)
def test_proportional_windows_scale_and_factors_stay(days, lengths):
    windows = alert_windows(DAYS[days], "proportional")
    assert [(w.long_minutes, w.short_minutes) for w in windows] == lengths
    assert [w.factor for w in windows] == [14, 7, 2, 1]
    assert [w.severity for w in windows] == ["page", "page", "ticket", "ticket"]
    for window in windows:
        # What a steady burn has spent when it first fires: factor × long ÷ window.
        assert window.budget_share == pytest.approx(
            window.factor * window.long_minutes / (days * 1440)
        )


def test_unknown_policies_and_windows_are_refused():
    with pytest.raises(ParameterError, match=r"'workbok'\. Did you mean 'workbook'\?"):
        alert_windows(DAYS[30], "workbok")
    with pytest.raises(ParameterError, match="too short"):
        alert_windows(timedelta(seconds=59))


def totals(bad: int, valid: int, **changed: tuple[int, int]) -> dict[int, tuple[int, int]]:
    return dict.fromkeys(MINUTES, (bad, valid)) | {int(k[1:]): v for k, v in changed.items()}


def fired(counts, target=0.999, days=30, least_bad=5):
    windows = alert_windows(DAYS[days])
    return [(w.severity, w.long_minutes) for w in firing(counts, target, windows, least_bad)]


def test_total_outage_on_99_9_pages_after_52_seconds_of_steady_traffic():
    # 14.4 × 0.001 of an hour: 0.0144 × 3,600 s = 51.84 s. At one request a second 51 bad ones do
    # not reach it, 52 do; the last five minutes (17 % and more bad) burn far faster.
    quiet = {
        360: (0, 21_600),
        1440: (0, 86_400),
        120: (0, 7_200),
        4320: (0, 259_200),
        30: (0, 1800),
    }
    assert fired(quiet | {60: (51, 3_600), 5: (51, 300)}) == []
    assert fired(quiet | {60: (52, 3_600), 5: (52, 300)}) == [("page", 60)]


@pytest.mark.parametrize(("bad_minutes", "pages"), [(4, False), (5, False), (6, True)])
def test_15_percent_errors_page_in_the_sixth_minute(bad_minutes, pages):
    # 100 requests a minute, 15 % of them bad: an hour of 6,000 needs more than 0.0144 × 6,000 =
    # 86.4 bad ones, which 6 minutes of 15 have (90) and 5 do not (75).
    counts = totals(0, 10**6, m60=(15 * bad_minutes, 6_000), m5=(75, 500))
    assert (("page", 60) in fired(counts)) is pages


def test_it_clears_when_the_short_window_is_clean():
    # The same hour, five minutes after the end: the last five minutes hold no bad request.
    assert fired(totals(0, 10**6, m60=(150, 6_000), m5=(0, 500))) == []


def test_a_burn_of_exactly_the_factor_does_not_fire():
    # 144 bad of 10,000 burn at 14.4; "faster than" is strict, whatever floats make of 0.001.
    assert ("page", 60) not in fired(totals(144, 10_000))
    assert ("page", 60) in fired(totals(145, 10_000))
    # 28 days: 14/15 of 0.001 of 1,500,000 is 1,400 exactly.
    assert fired(totals(1_400, 1_500_000), days=28) == []
    assert fired(totals(1_401, 1_500_000), days=28) == [("ticket", 4320)]


def test_all_conditions_fire_in_a_total_outage():
    assert fired(totals(1_000, 1_000)) == [
        ("page", 60),
        ("page", 360),
        ("ticket", 1440),
        ("ticket", 4320),
    ]


def test_a_quiet_service_needs_its_least_number_of_bad_requests():
    assert fired(totals(4, 10)) == []
    assert fired(totals(5, 10)) != []
    assert fired(totals(1, 10), least_bad=1) != []
    assert fired(totals(0, 0), least_bad=0) == []  # no requests burn nothing


def test_totals_that_are_missing_or_cannot_be_are_refused():
    with pytest.raises(ParameterError, match="no totals of the last 60 minutes; there are 5"):
        fired({5: (1, 2)})
    with pytest.raises(ParameterError, match="there are none"):
        fired({})
    with pytest.raises(ParameterError, match="3 bad requests of 2 in 60 minutes cannot be"):
        fired(totals(0, 10, m60=(3, 2)))
    with pytest.raises(ParameterError, match="a target of 1 "):
        fired(totals(0, 10), target=1)


@given(
    st.lists(st.integers(0, 50), min_size=7, max_size=7),
    st.floats(0, 0.9999),
    st.integers(1, 10),
)
def test_more_bad_requests_never_silence_an_alert(bad, target, more):
    counts = {m: (b, 1_000) for m, b in zip(MINUTES, bad, strict=True)}
    worse = {m: (b + more, v) for m, (b, v) in counts.items()}
    assert set(fired(counts, target)) <= set(fired(worse, target))


@pytest.mark.parametrize(
    ("target", "factors"),
    [
        # A total outage burns at 1 / (1 − target): 10 at 90 %, so 14.4 is never exceeded.
        (0.9, [14.4]),
        (0.5, [14.4, 6.0, 3.0]),
        (0.0, [14.4, 6.0, 3.0, 1.0]),
        (0.99, []),
    ],
)
def test_factors_that_a_total_outage_cannot_reach(target, factors):
    windows = alert_windows(DAYS[30])
    assert [w.factor for w in unreachable(windows, target)] == factors
    # And indeed, not even that fires them.
    assert [f for _, f in fired(totals(10**6, 10**6), target)] == [
        w.long_minutes for w in windows if w.factor not in factors
    ]


def test_an_outage_that_burns_at_exactly_the_factor_cannot_fire_it():
    exact = AlertWindow("page", 0.1, timedelta(hours=1), timedelta(minutes=5), 10.0)
    assert 1 / (1 - 0.9) > 10  # what floats make of 1 / 0.1
    assert unreachable([exact], 0.9) == (exact,)


def test_factors_under_one_are_needless():
    assert [w.factor for w in needless(alert_windows(DAYS[28]))] == [14 / 15]
    assert needless(alert_windows(DAYS[30])) == ()
    assert needless(alert_windows(DAYS[28], "proportional")) == ()
