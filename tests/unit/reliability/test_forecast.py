"""When a budget is gone at the present burn, held against worked numbers and simulated futures."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetslo.errors import ParameterError
from fleetslo.reliability.forecast import Forecast, forecast
from fleetslo.reliability.windows import CalendarWindow, RollingWindow

NOW = datetime(2026, 11, 1, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONTH = RollingWindow(30 * DAY)


def hours(bad: list[float | None], valid: list[float] | float = 1000, until: datetime = NOW):
    """Return hours up to ``until``; one with a bad count of None reported nothing."""
    valids = [valid] * len(bad) if isinstance(valid, (int, float)) else valid
    first = (until - timedelta(microseconds=1)).replace(minute=0, second=0, microsecond=0)
    return pl.DataFrame(
        {
            "hour": [first - (len(bad) - 1 - i) * HOUR for i in range(len(bad))],
            "valid_count": [None if b is None else v for b, v in zip(bad, valids, strict=True)],
            "bad_count": bad,
        },
        schema={
            "hour": pl.Datetime("us", "UTC"),
            "valid_count": pl.Float64,
            "bad_count": pl.Float64,
        },
        strict=False,
    )


def near(moment: datetime) -> object:
    """Equal to within a second, which sums of floats may cost over years."""
    return pytest.approx(moment, abs=timedelta(seconds=1))


@pytest.mark.parametrize(
    ("burn", "lasts"),
    [
        (1, timedelta(days=30)),
        (2, timedelta(days=15)),
        (10, timedelta(days=3)),
        (1000, timedelta(minutes=43, seconds=12)),  # "43 minutes": 30 × 24 × 60 / 1000 = 43.2
    ],
)
@pytest.mark.parametrize(
    "window", [MONTH, CalendarWindow(30, "day", datetime.fromisoformat("2026-10-31"), "UTC")]
)
def test_a_burn_spends_the_budget_in_the_time_that_the_workbook_says(burn, lasts, window):
    """SRE Workbook, chapter 5, "Burn rates and time to complete budget exhaustion", 99.9 %.

    The trouble began a day ago, after 29 days without any; the budget of 30 days of 1,000 an hour
    is 0.001 × 720,000 = 720. The calendar window began with the trouble.
    """
    found = forecast(hours([0] * 696 + [burn] * 24), 720, window, NOW)
    assert found.burn == pytest.approx(burn)
    assert found.gone_at == near(NOW - DAY + lasts)
    # Hours that are all alike leave nothing open.
    assert (found.burn_low, found.burn_high) == pytest.approx((burn, burn))
    assert (found.gone_low, found.gone_high) == (found.gone_at, found.gone_at)
    assert found.gone_chance == 1


def test_old_bad_hours_leave_a_rolling_window():
    """400 of 720 went on the first day of the window and leave it on the first day ahead.

    At 1 an hour since: 400 + 29 × 24 = 1,096 is over 720. A day on, the 400 are gone, and 30 days
    at 1 an hour are 720: exactly all of the budget, at which nothing is left from then on.
    """
    found = forecast(hours([400 / 24] * 24 + [1] * 696), 720, MONTH, NOW)
    assert found.recovers_at == near(NOW + DAY)
    assert found.affordable_burn == 0
    # At 400 + 1 × n = 720 it went: 320 hours after the first day.
    assert found.gone_at == near(NOW - 29 * DAY + 320 * HOUR)


def test_a_steady_half_burn_is_never_gone_and_can_afford_more():
    """360 of 720 are spent at 0.5 an hour.

    Each hour that leaves brings back 0.5, so b an hour keep within the budget as long as
    360 + t × (b − 0.5) ≤ 720, up to the horizon of t = 720 hours: b = 1.
    """
    found = forecast(hours([0.5] * 720), 720, MONTH, NOW)
    assert (found.burn, found.gone_at, found.gone_chance) == (pytest.approx(0.5), None, 0)
    assert (found.gone_low, found.gone_high) == (None, None)
    assert found.affordable_burn == pytest.approx(1)
    assert found.horizon == NOW + 30 * DAY


def test_bad_hours_that_leave_late_bind_what_a_rolling_window_can_afford():
    """600 came in the last hour and stay until the last hour ahead: 719 hours for 120 more.

    120 / 719 = 0.1669 an hour of 1,000 at 99.9 % is a burn of 0.1669.
    """
    found = forecast(hours([0] * 719 + [600]), 720, MONTH, NOW)
    assert found.affordable_burn == pytest.approx(120 / 719)


def test_in_a_calendar_window_what_is_left_is_shared_out_until_its_end():
    """November, 10 days in, 1,000 an hour: 0.001 × 720,000 = 720; 100 bad so far, 20 days ahead.

    620 left over 480 hours of 1,000: 620 / 480 = 1.2917. At 20 a day (a burn of 20 / 24 = 0.8333),
    20 × 20 = 400 of the 620 go: not gone.
    """
    november = CalendarWindow(1, "month", datetime.fromisoformat("2026-01-01"), "UTC")
    until = NOW + 10 * DAY
    bad = [80 / 216] * 216 + [20 / 24] * 24
    found = forecast(hours(bad, until=until), 720, november, until)
    assert found.horizon == NOW + 30 * DAY
    assert found.affordable_burn == pytest.approx(620 / 480)
    assert (found.burn, found.gone_at) == (pytest.approx(20 / 24), None)
    # At 100 a day, 180 so far, 540 last 5.4 days.
    found = forecast(hours([80 / 216] * 216 + [100 / 24] * 24, until=until), 720, november, until)
    assert found.gone_at == near(until + timedelta(days=5.4))


def test_bad_hours_before_a_calendar_window_tell_the_burn_and_take_nothing_from_it():
    """An hour into November: 1 of 720 is gone; at 10 an hour the other 719 last 71.9 hours."""
    november = CalendarWindow(1, "month", datetime.fromisoformat("2026-01-01"), "UTC")
    bad = [10] * 100 + [1]
    found = forecast(hours(bad, until=NOW + HOUR), 720, november, NOW + HOUR, recent=HOUR)
    assert found.burn == pytest.approx(1)
    found = forecast(hours(bad, until=NOW + HOUR), 720, november, NOW + HOUR, recent=24 * HOUR)
    assert found.burn == pytest.approx((23 * 10 + 1) / 24)
    assert found.gone_at == near(NOW + HOUR + 719 / ((23 * 10 + 1) / 24) * HOUR)


def test_a_calendar_window_that_has_ended_has_nothing_ahead():
    october = CalendarWindow(1, "month", datetime.fromisoformat("2026-01-01"), "UTC")
    found = forecast(hours([0.5] * 744), 744, october, NOW)
    assert (found.horizon, found.gone_at, found.affordable_burn) == (NOW, None, None)
    assert found.burn == pytest.approx(0.5)
    # 2 an hour reach 744 after 372 hours: half the month.
    assert forecast(hours([2] * 744), 744, october, NOW).gone_at == near(NOW - 372 * HOUR)


def test_traffic_ahead_is_that_of_the_same_hours_of_the_week():
    """Two weeks with 2,000 an hour on Saturdays and Sundays, 1,000 else; NOW is a Sunday.

    A week is 120 × 1,000 + 48 × 2,000 = 216,000, of which 0.1 % are 216. The calendar week began
    on Monday, 26 October; at a burn of 1 its five days took 120 and Saturday 48.
    """
    week = CalendarWindow(1, "week", datetime.fromisoformat("2026-10-26"), "UTC")
    start = NOW - 14 * DAY
    valid = [2000 if (start + i * HOUR).weekday() >= 5 else 1000 for i in range(336)]
    bad = [v / 1000 for v in valid]
    found = forecast(hours(bad, valid), 216, week, NOW)
    assert (found.burn, found.affordable_burn) == pytest.approx((1, 1))
    assert found.gone_at == near(NOW + DAY)  # 120 + 48 + 48 = 216
    more = [*bad[:-24], *(1.5 * b for b in bad[-24:])]
    # 216 − 120 − 72 = 24 are left, and Sunday takes 1.5 × 2 = 3 an hour: 8 hours.
    assert forecast(hours(more, valid), 216, week, NOW).gone_at == near(NOW + 8 * HOUR)
    more = [*bad[:-24], *(2 * b for b in bad[-24:])]
    # 120 + 96 = 216: it went with the last hour of Saturday.
    assert forecast(hours(more, valid), 216, week, NOW).gone_at == near(NOW)


def test_an_hour_with_much_traffic_may_take_more():
    """A rolling week with 4,000 an hour on two days, 1,000 on the others, 250 bad in its last hour.

    48 × 4,000 + 120 × 1,000 = 312,000, of which 0.1 % are 312; the same hours come again, so it
    stays 312. 62 are left until the 250 leave, in the last hour: 167 hours with 311,000.
    """
    valid = [4000] * 48 + [1000] * 120
    found = forecast(hours([0] * 167 + [250], valid), 312, RollingWindow(7 * DAY), NOW)
    assert found.affordable_burn == pytest.approx(62 / 311)


def test_hours_that_reported_nothing_are_left_out():
    """Of the last 24 hours 12 reported nothing; the others burn at 2, and that is the burn."""
    bad = [0] * 696 + [2, None] * 12
    budget = 0.001 * 1000 * (696 + 12)
    found = forecast(hours(bad), budget, MONTH, NOW)
    assert found.burn == pytest.approx(2)
    assert forecast(hours([*[0] * 696, *[None] * 24]), 696, MONTH, NOW).burn is None


def test_without_traffic_or_a_budget_nothing_is_said():
    assert forecast(hours([None] * 720), 0, MONTH, NOW) == Forecast(NOW + 30 * DAY)
    assert forecast(hours([]), 10, MONTH, NOW) == Forecast(NOW + 30 * DAY)
    assert forecast(hours([0] * 720, 0), 0, MONTH, NOW) == Forecast(NOW + 30 * DAY)


def test_an_overspent_budget_is_gone_however_few_hours_are_known():
    bad: list[float | None] = [*[0] * 600, 1000, *[None] * 119]
    found = forecast(hours(bad), 601, MONTH, NOW)
    # The hour took 1,000, and 601 of them were the budget.
    went = NOW - 120 * HOUR + 0.601 * HOUR
    assert found.gone_at == near(went)
    assert (found.gone_low, found.gone_high, found.gone_chance) == (found.gone_at, found.gone_at, 1)
    assert (found.burn, found.affordable_burn, found.recovers_at) == (None, 0, None)


def test_too_few_hours_have_a_burn_and_no_interval():
    found = forecast(hours([0] * 716 + [3] * 4), 720, MONTH, NOW, recent=4 * HOUR)
    assert found.burn == pytest.approx(3)
    assert (found.burn_low, found.gone_low, found.gone_chance) == (None, None, None)
    assert found.gone_at == near(NOW + (720 - 12) / 3 * HOUR)


def test_hours_cut_by_the_window_and_by_now():
    """A rolling day that ends at 12:30: its first and last hours hold half an hour each.

    24,000 requests at 99 % have a budget of 240; 0.5 + 23 + 1 = 24.5 of it are spent.
    """
    until = NOW + 12 * HOUR + timedelta(minutes=30)
    bad, valid = [0.5, *[1] * 23, 1], [500, *[1000] * 23, 500]
    found = forecast(hours(bad, valid, until), 240, RollingWindow(DAY), until)
    assert found.burn == pytest.approx(24.5 / 240)
    # 24.5 leave and 24.5 come in a day, those that come first at most 0.5 more: never gone.
    assert found.gone_at is None
    # After a day all 24.5 have left: 240 over 24 hours is a burn of 1.
    assert found.affordable_burn == pytest.approx(1)


def test_the_same_seed_gives_the_same_and_the_value_lies_in_its_interval():
    random = np.random.default_rng(5)
    known = hours([0.1] * 696 + random.gamma(0.3, 15, 24).tolist())
    found = forecast(known, 720, MONTH, NOW)
    assert found == forecast(known, 720, MONTH, NOW)
    assert found.burn_low < found.burn < found.burn_high
    assert found.gone_low < found.gone_at
    assert found.gone_high is None or found.gone_at < found.gone_high


def test_no_recent_time_is_refused():
    with pytest.raises(ParameterError, match="hold no hours"):
        forecast(hours([1] * 24), 1, MONTH, NOW, recent=timedelta(0))


RATES = st.lists(st.floats(0, 30), min_size=30, max_size=30)


def moment(found: datetime | None) -> datetime:
    return found or NOW + 400 * DAY


@given(RATES, st.floats(1, 5), st.sampled_from([7 * DAY, 30 * DAY]))
@settings(max_examples=40)
def test_more_bad_is_never_gone_later_and_affords_no_more(bad, factor, length):
    window, budget = RollingWindow(length), 0.001 * 1000 * (length / HOUR)
    known = [0.0] * (int(length / HOUR) - len(bad)) + bad
    less = forecast(hours(known), budget, window, NOW, resamples=50)
    more = forecast(hours([factor * b for b in known]), budget, window, NOW, resamples=50)
    second = timedelta(seconds=1)
    for key in ("gone_at", "gone_low", "gone_high"):
        assert moment(getattr(more, key)) <= moment(getattr(less, key)) + second
    assert more.affordable_burn <= less.affordable_burn + 1e-9
    assert more.gone_chance >= less.gone_chance


@given(RATES, st.integers(0, 29))
@settings(max_examples=40)
def test_the_affordable_burn_is_the_edge(bad, at):
    """Burning a little under it is not gone by the horizon, a little over it is."""
    window, budget = RollingWindow(7 * DAY), 168.0
    bad = [b / 10 for b in bad]
    known = [0.0] * at + bad + [0.0] * (168 - at - len(bad))
    affordable = forecast(hours(known), budget, window, NOW, resamples=1).affordable_burn
    assert affordable > 0
    for factor, gone in ((0.99, False), (1.01, True)):
        ahead = [affordable * factor] * 168
        whole = np.array(known + ahead)
        spent = np.array([whole[i : i + 168].sum() for i in range(1, 169)])
        assert bool((spent > budget).any()) is gone


def test_nine_of_ten_intervals_hold_what_then_happens():
    """Over-dispersed hours (gamma, shape 0.5: most take little, some take ten times the mean).

    200 services burn at a true rate of 2 and have spent a third of a week's budget of 168. Of
    their intervals of 90 %, 80 to 97 % hold the hour at which the budget is really gone. A
    percentile bootstrap of 24 skewed hours is known to hold a little less than it says.
    """
    random = np.random.default_rng(7)
    window, budget, trials, held = RollingWindow(7 * DAY), 168.0, 200, 0
    for trial in range(trials):
        rates = random.gamma(0.5, 4.0, 24 + 168)  # mean 2
        past, ahead = rates[:24], rates[24:]
        known = [0.0] * 144 + past.tolist()
        found = forecast(hours(known), budget, window, NOW, resamples=200, seed=trial)
        left = budget - past.sum()
        if left <= 0:
            trials -= 1
            continue
        spent = np.cumsum(ahead)
        gone = NOW + (1 + int(np.argmax(spent >= left))) * HOUR if spent[-1] >= left else None
        low = moment(found.gone_low) - HOUR
        held += low <= moment(gone) <= moment(found.gone_high) + HOUR
    assert 0.80 * trials <= held <= 0.97 * trials


def test_the_path_ahead_starts_at_what_is_left_and_ends_where_the_budget_does():
    """99 % of 1,000 an hour over ten days, of which five are over.

    The budget is 0.01 × 240,000 = 2,400. The last day had 40 an hour, 960 in all: 1,440 are left, which last
    1,440 ÷ 40 = 36 hours, and by the end 960 + 120 × 40 = 5,760 are bad, 2.4 budgets.
    """
    window = CalendarWindow(10, "day", datetime.fromisoformat("2026-10-27"), "UTC")
    found = forecast(hours([0] * 96 + [40] * 24), 2400, window, NOW)
    path = found.path
    assert path["at"][0] == NOW
    assert path["budget_left"][0] == pytest.approx(1440 / 2400)
    at_36 = path.filter(pl.col("at") == NOW + 36 * HOUR)
    assert at_36["budget_left"].item() == pytest.approx(0, abs=1e-9)
    assert found.gone_at == near(NOW + 36 * HOUR)
    assert path["at"][-1] == found.horizon
    assert path["budget_left"][-1] == pytest.approx(1 - 2.4)
    # Every hour of the last day was alike, so that no future differs.
    assert path["low"].to_list() == pytest.approx(path["high"].to_list())


def test_without_traffic_there_is_no_path():
    assert forecast(hours([None] * 24), 10, MONTH, NOW).path.is_empty()
