"""Alert windows and what fires: the SRE Workbook (chapter 5), sloth, pyrra, slo-generator, SLO.md."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.alerts import (
    AlertRule,
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


def test_windows_that_pyrra_rounds_to_the_nearest_minute_are_rounded_up():
    # pyrra-dev/pyrra, slo/rules.go, Windows: 60 min × days / 28 .Round(time.Minute), halves away
    # from zero; for 7 days 1.25 and 7.5 become 1 and 8 minutes, for 30 days 64.3 and 5.4 become 64
    # and 5, and the short window of a day, 0.18, becomes none at all. Rounded up it is one minute,
    # and a window never misses what pyrra's would see.
    lengths = [(w.long_minutes, w.short_minutes) for w in alert_windows(DAYS[30], "proportional")]
    assert lengths == [(65, 6), (386, 33), (1543, 129), (6172, 386)]
    day = alert_windows(timedelta(days=1), "proportional")
    assert [(w.long_minutes, w.short_minutes) for w in day] == [(3, 1), (13, 2), (52, 5), (206, 13)]


@pytest.mark.parametrize(
    ("days", "shares", "factors"),
    [
        # slok/sloth, internal/alert/alert_test.go: 30 and 28 days, and a catalogue for 7 days.
        (30, [0.02, 0.05, 0.10, 0.10], [14.4, 6, 3, 1]),
        (28, [0.02, 0.05, 0.10, 0.10], [13.44, 5.6000000000000005, 2.8000000000000003, 14 / 15]),
        (7, [0.08, 0.125, 0.20, 0.42], [13.44, 3.5, 1.4000000000000001, 0.98]),
    ],
)
def test_a_policy_by_shares_of_the_budget_has_sloths_factors(days, shares, factors):
    lengths = [(60, 5), (360, 30), (1440, 120), (4320, 360)]
    rules = [
        AlertRule(
            severity,
            timedelta(minutes=long),
            timedelta(minutes=short),
            budget_share=share,
        )
        for severity, share, (long, short) in zip(
            ["page", "page", "ticket", "ticket"], shares, lengths, strict=True
        )
    ]
    windows = alert_windows(timedelta(days=days), rules)
    assert [w.factor for w in windows] == pytest.approx(factors, rel=1e-15)
    assert [w.budget_share for w in windows] == shares
    assert [(w.long_minutes, w.short_minutes) for w in windows] == lengths


def test_any_length_of_window_has_a_workbook_policy():
    # sloth's test refuses 42 days, for want of a catalogue; the formula has none: 0.02 × 1,008 h.
    windows = alert_windows(timedelta(days=42))
    assert [w.factor for w in windows] == pytest.approx([20.16, 8.4, 4.2, 1.4])


def test_slo_generators_policy_is_one_of_single_windows():
    # google/slo-generator, samples/error_budget_policy.yaml: seconds and burn rates.
    steps = [
        (3600, 9, "page"),
        (43_200, 3, "page"),
        (604_800, 1.5, "ticket"),
        (2_419_200, 1, "ticket"),
    ]
    rules = [AlertRule(s, timedelta(seconds=length), factor=burn) for length, burn, s in steps]
    windows = alert_windows(DAYS[28], rules)
    assert all(w.long == w.short for w in windows)
    # Factor × window ÷ 28 days: 9 / 672, 3 × 12 / 672, 1.5 × 7 / 28, 1.
    assert [w.budget_share for w in windows] == pytest.approx([9 / 672, 36 / 672, 0.375, 1.0])
    # slo_generator/report.py rounds the burn rate to a tenth first: 9.04 is 9.0 and does not
    # alert. We round nothing: 904 of 100,000 at 99.9 % burn faster than 9.
    totals = {w.long_minutes: (0, 10**6) for w in windows} | {60: (904, 100_000)}
    assert firing(totals, 0.999, windows) == windows[:1]


def test_a_condition_made_for_another_window_keeps_its_factor():
    # 14.4 for an hour is 2 % of 30 days, and 14.4 / 672 of 28.
    (moved, *_) = alert_windows(DAYS[28], alert_windows(DAYS[30]))
    assert moved.factor == 14.4
    assert moved.budget_share == pytest.approx(14.4 / 672)
    # 14/15 for three days is 10 % of 28 days, to the last digit.
    assert alert_windows(DAYS[28], alert_windows(DAYS[28])) == alert_windows(DAYS[28])


def test_the_workbook_policy_looks_back_no_further_than_the_objective():
    # A budget of a day: 0.02 × 24 h / 1 h, 0.05 × 24 / 6, 0.1 × 24 / 24; not three days.
    windows = alert_windows(timedelta(days=1))
    assert [(w.long_minutes, w.factor) for w in windows] == [(60, 0.48), (360, 0.2), (1440, 0.1)]


def test_conditions_are_named_by_their_policy():
    assert {w.name for w in alert_windows(DAYS[28])} == {"workbook"}
    assert {w.name for w in alert_windows(DAYS[28], "proportional")} == {"proportional"}
    (mine,) = alert_windows(DAYS[28], [AlertRule("page", timedelta(hours=1), factor=9)])
    assert mine.name == ""


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"short": timedelta(hours=2)}, "the short window, 2:00:00, is longer than the long one"),
        (
            {"long": timedelta(days=29)},
            r"29 days, 0:00:00, is longer than the objective's, 28 days",
        ),
        ({"short": timedelta(seconds=30)}, "a short window of 0:00:30 is not a number of whole"),
        ({"short": timedelta(seconds=90)}, "a short window of 0:01:30 is not a number of whole"),
        ({"factor": 0}, "a factor of 0 is not a burn rate above 0"),
        ({"factor": -1.0}, "a factor of -1.0"),
        ({"factor": float("nan")}, "a factor of nan"),
        ({"factor": float("inf")}, "a factor of inf"),
        ({"factor": None, "budget_share": 0.0}, "a budget share of 0.0 is not above 0"),
        (
            {"factor": None, "budget_share": 1.5},
            "a budget share of 1.5 is not above 0 and at most 1",
        ),
        ({"factor": None}, "give either budget_share or factor"),
        ({"budget_share": 0.02}, "give either budget_share or factor"),
        ({"after": -timedelta(minutes=1)}, "cannot hold for"),
    ],
)
def test_conditions_that_cannot_be_are_refused(rule, says):
    sound = {"severity": "page", "long": timedelta(hours=1), "factor": 14.4}
    with pytest.raises(ParameterError, match=f"condition 2: .*{says}"):
        alert_windows(DAYS[28], [AlertRule(**sound), AlertRule(**{**sound, **rule})])


def test_every_fault_of_a_policy_is_named_at_once():
    bad = AlertRule("page", timedelta(minutes=5), timedelta(hours=1), factor=-1)
    with pytest.raises(ParameterError, match=r"condition 1: the short .*; condition 1: a factor"):
        alert_windows(DAYS[28], [bad])
    with pytest.raises(ParameterError, match="at least one condition"):
        alert_windows(DAYS[28], [])


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


def one_condition(**changed):
    hour = timedelta(hours=1)
    return (AlertWindow("page", 0.1, hour, hour, 2.0, **changed),)


@pytest.mark.parametrize(
    ("op", "bad", "fires"),
    [
        # 99 %: 2 × 0.01 × 1,000 = 20 bad requests burn at exactly 2.
        ("gt", 20, False),
        ("gt", 21, True),
        ("gte", 19, False),
        ("gte", 20, True),
        ("lt", 20, False),
        ("lt", 19, True),
        ("lte", 21, False),
        ("lte", 20, True),
        ("lte", 0, True),  # the floor is for burns above a factor
    ],
)
def test_a_burn_is_compared_as_the_condition_says(op, bad, fires):
    assert bool(firing({60: (bad, 1000)}, 0.99, one_condition(op=op))) is fires


def test_no_data_fires_only_what_asks_for_it():
    for op in ("gt", "gte", "lt", "lte"):
        assert firing({60: None}, 0.99, one_condition(op=op)) == ()
        silent = one_condition(op=op, without_data=True)
        assert firing({60: None}, 0.99, silent) == silent
        # Covered minutes without requests are data, and burn neither fast nor slowly.
        assert firing({60: (0, 0)}, 0.99, silent, least_bad=0) == ()
    # A short window without data, in a long one with some, is a burn that has ended.
    windows = alert_windows(DAYS[30])[:1]
    assert firing({60: (900, 1000), 5: None}, 0.999, windows) == ()


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


def test_conditions_on_a_low_burn_are_neither_unreachable_nor_needless():
    hour = timedelta(hours=1)
    low = [
        AlertWindow("ticket", 0.1, hour, hour, f, op=op) for f in (0.5, 20) for op in ("lt", "lte")
    ]
    assert unreachable(low, 0.9) == ()
    assert needless(low) == ()
    # A total outage at 90 % burns at exactly 10: not over it, and yet at least that.
    assert unreachable([AlertWindow("page", 0.1, hour, hour, 10.0, op="gte")], 0.9) == ()
    over = AlertWindow("page", 0.1, hour, hour, 10.1, op="gte")
    assert unreachable([over], 0.9) == (over,)
    under = AlertWindow("page", 0.1, hour, hour, 0.9, op="gte")
    assert needless([under]) == (under,)


def test_factors_under_one_are_needless():
    assert [w.factor for w in needless(alert_windows(DAYS[28]))] == [14 / 15]
    assert needless(alert_windows(DAYS[30])) == ()
    assert needless(alert_windows(DAYS[28], "proportional")) == ()
