"""The SRE Workbook's worked examples of alerting, replayed. Source: chapter 5, by its sections.

All are for 99.9 % over 30 days unless said: a budget of 43.2 minutes of total outage. A minute is
the finest that is recorded, so that what the Workbook gives in seconds is the first whole minute
after it.
"""

from datetime import timedelta

import polars as pl
import pytest
from recorded_minutes import MIDNIGHT, MINUTE, an_objective, some_minutes

from fleetslo.reliability.alerts import AlertRule, AlertWindow, alert_windows
from fleetslo.reliability.replaying.replay import replay

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MONTH = 30 * DAY
BEFORE = 3 * 1440
"""Good minutes before anything happens: as many as the longest window."""


def times(alerts: pl.DataFrame) -> list[tuple]:
    """Minutes from the onset at which alerts fired and cleared."""
    return [
        tuple(None if at is None else (at - MIDNIGHT) / MINUTE - BEFORE for at in row)
        for row in alerts.select("fired_at", "cleared_at").rows()
    ]


def outage(bad: int, minutes: int, then: int = 0, valid: int = 1000) -> pl.DataFrame:
    """So many bad requests of each minute for a while, after three good days."""
    return some_minutes([0] * BEFORE + [bad] * minutes + [0] * then, valid=valid)


def alone(severity: str, long: timedelta, factor: float, **changed) -> AlertWindow:
    """A condition with one window."""
    return AlertWindow(severity, 0.0, long, long, factor, **changed)


def test_1_the_target_error_rate_over_ten_minutes():
    rule = [alone("page", 10 * MINUTE, 1, op="gte")]
    # 0.6 s of total outage are 0.1 % of ten minutes: the first whole minute.
    assert times(replay(outage(1000, 1, 30), an_objective(), rule)) == [(1, 11)]
    # Low precision: 0.1 % for ten minutes alerts, having spent 10 / 43,200 = 0.02 % of the budget.
    (alert,) = replay(outage(1, 10), an_objective(), rule, least_bad=1).rows(named=True)
    assert (alert["fired_at"] - MIDNIGHT) / MINUTE == BEFORE + 10
    # The budget of a month at 1,000 requests a minute is 43,200 requests.
    assert alert["budget_spent_at"] == pytest.approx(10 / 43_200)


def test_2_an_increased_alert_window():
    # 36 hours at a burn of 1 are 36 / 720 = 5 % of the budget.
    (rule,) = alert_windows(MONTH, [AlertRule("page", 36 * HOUR, budget_share=0.05)])
    assert rule.factor == 1
    # 0.001 × 36 h = 129.6 s: "2 minutes and 10 seconds for a complete outage", the third minute.
    # "And continue to fire for the next 36 hours": until the first of three bad minutes is 36
    # hours old, at minute 2,160 + 1.
    assert times(replay(outage(1000, 3, 3000), an_objective(), [rule])) == [(3, 2161)]


def test_3_an_alert_duration():
    rule = [alone("page", MINUTE, 1, after=HOUR)]
    # "A 100 % outage alerts after one hour, the same detection time as a 0.2 % outage": seen at
    # the end of the first minute, and an hour later.
    for bad in (1000, 2):
        (found,) = times(replay(outage(bad, 90), an_objective(), rule, least_bad=1))
        assert found == (61, None)
    # "Would consume 140 % of the 30-day budget in that hour": 60 / 43.2 = 139 %, 61 / 43.2 = 141 %.
    alerts = replay(outage(1000, 61), an_objective(), rule)
    # The month's budget follows the mean traffic, which is steady.
    assert alerts["budget_spent_at"].item() == pytest.approx(61 / 43.2)
    # "100 % error spikes every 10 minutes may never trigger".
    spikes = some_minutes(([1000] + [0] * 9) * 100, valid=1000)
    assert replay(spikes, an_objective(), rule).is_empty()


def test_4_an_alert_on_burn_rate():
    (rule,) = alert_windows(MONTH, [AlertRule("page", HOUR, budget_share=0.05)])
    assert rule.factor == 36
    # 0.001 × 60 min × 36 = 2.16 minutes of total outage; "reset time: 58 minutes" after it fired.
    ((fired, cleared),) = times(replay(outage(1000, 3, 120), an_objective(), [rule]))
    assert (fired, cleared - fired) == (3, 58)
    # "A 35x burn rate never alerts, but consumes all of the 30-day budget in 20.5 hours":
    # 43,200 / 35 a minute = 1,234.3 minutes.
    assert replay(outage(35, 1235), an_objective(), [rule]).is_empty()
    assert replay(outage(37, 1235), an_objective(), [rule]).height == 1


@pytest.mark.parametrize(
    ("ratio", "minutes"),
    [
        # Detection time (1 − SLO) ÷ error ratio × window × burn: 0.001 / ratio × 60 × 14.4.
        (1.0, 0.864),
        (0.15, 5.76),
        (0.1, 8.64),
        (0.05, 17.28),
        (0.02, 43.2),
    ],
)
def test_detection_time_follows_the_error_ratio(ratio, minutes):
    (rule, *_) = alert_windows(MONTH)
    ((fired, _),) = times(replay(outage(int(1000 * ratio), 60), an_objective(), [rule]))
    assert minutes <= fired < minutes + 1


def test_5_multiple_burn_rates_are_suppressed_within_a_severity():
    rules = [
        AlertRule("page", HOUR, factor=14.4),
        AlertRule("page", 6 * HOUR, factor=6),
        AlertRule("ticket", 3 * DAY, factor=1),
    ]
    # "10 % budget spend in five minutes … will trigger three notifications unless the monitoring
    # system is smart enough": 4.32 minutes of outage in five, 86.4 %, and a request more, since a
    # burn must exceed its factor. They are a page and a ticket.
    assert replay(outage(864, 5, 30), an_objective(), rules)["severity"].to_list() == ["page"]
    alerts = replay(outage(865, 5, 30), an_objective(), rules)
    assert alerts["severity"].to_list() == ["page", "ticket"]
    # Each by itself fires: 0.0144 × 60 = 0.864 bad minutes, 0.006 × 360 = 2.16, 4.32.
    apart = [replay(outage(865, 5, 30), an_objective(), [rule]) for rule in rules]
    assert [times(found)[0][0] for found in apart] == [1, 3, 5]


def test_6_multiwindow_15_percent_errors_for_ten_minutes():
    # "The long window average goes over the threshold after 5 minutes", 5.76 to be exact: at the
    # end of the sixth. "Below the threshold 5 minutes after the errors stop."
    rule = alert_windows(MONTH)[0]
    assert times(replay(outage(150, 10, 120), an_objective(), [rule])) == [(6, 15)]
    # "The long window average drops below the threshold 60 minutes after": 15 % of five minutes
    # of sixty are 1.25 %, so that it is five of the ten minutes earlier, at minute 65. The
    # Workbook's 60 are when no error is left in the window; the rule is what we follow.
    long = alone("page", HOUR, 14.4)
    assert times(replay(outage(150, 10, 120), an_objective(), [long])) == [(6, 65)]


def test_6_a_total_outage_pages_at_the_first_whole_bad_minute():
    # SLO.md: 51.84 s are enough at steady traffic. Five minutes after a minute of it all is well.
    rule = alert_windows(MONTH)[0]
    assert times(replay(outage(1000, 1, 60), an_objective(), [rule])) == [(1, 6)]


@pytest.mark.parametrize(
    ("place", "share"),
    [
        (0, 0.02),
        (1, 0.05),
        (2, 0.10),  # of the Prometheus rules; the table has three rows
        (3, 0.10),
    ],
)
def test_table_5_8_a_steady_burn_fires_when_its_share_is_gone(place, share):
    # A thousandth over the factor, for as long as the long window is.
    rule = alert_windows(MONTH)[place]
    bad = round(rule.factor * 1.001 * 1000)
    minutes = some_minutes([0] * BEFORE + [bad] * 5000, valid=1_000_000)
    (alert,) = replay(minutes, an_objective(), [rule]).rows(named=True)
    assert (alert["fired_at"] - MIDNIGHT) / MINUTE == pytest.approx(
        BEFORE + rule.long_minutes / 1.001, abs=1
    )
    assert alert["budget_spent_at"] == pytest.approx(share, rel=0.02)


def test_low_traffic_a_single_failed_request():
    # Ten requests an hour, one fails: 10 % of the hour's. The Workbook calls that a burn of 1,000;
    # 0.1 / 0.001 is 100. "It consumed 13.9 % of the 30-day error budget": of 7.2 requests.
    month = 30 * 1440
    valid = [int(minute % 6 == 0) for minute in range(month)]
    bad = [0] * month
    bad[month - 60] = 1
    minutes = some_minutes(bad, valid=valid)
    alerts = replay(minutes, an_objective(), least_bad=1)
    first = alerts.row(0, named=True)
    assert (first["severity"], first["long_minutes"]) == ("page", 60)
    assert first["budget_spent_at"] == pytest.approx(1 / 7.2)
    # The Workbook would rather nobody were woken; so would we, by a floor of five.
    assert replay(minutes, an_objective()).is_empty()


def test_a_target_of_90_percent_never_spends_2_percent_in_an_hour():
    # "A 100 % outage consumes only 1.4 % of the budget in that hour": 60 / 4,320 minutes.
    hour = alert_windows(MONTH)[0]
    assert replay(outage(1000, 600), an_objective(0.9), [hour]).is_empty()
    low = [alone("page", HOUR, 9.99)]
    alerts = replay(outage(1000, 60), an_objective(0.9), low)
    assert alerts["budget_spent_at"].item() == pytest.approx(60 / 4_320)
    # Six hours at a burn of 6 are reached: 0.6 × 360 = 216 minutes, and the first one over it.
    assert times(replay(outage(1000, 600), an_objective(0.9), "workbook"))[0][0] == 217


def test_a_target_of_99_999_percent_is_gone_before_a_minute_is_over():
    # "A 100 % outage would exhaust its budget in 26 seconds": 43,200 × 60 × 0.00001 = 25.92 s.
    alerts = replay(outage(1000, 1), an_objective(0.99999))
    assert alerts.row(0, named=True)["budget_spent_at"] == pytest.approx(60 / 25.92)
    # "Roll out to only 1 % of your users … you now have 43 minutes": 25.92 s × 100 = 43.2 min.
    alerts = replay(outage(10, 43), an_objective(0.99999), [alone("page", 43 * MINUTE, 999)])
    assert alerts["budget_spent_at"].item() == pytest.approx(43 / 43.2)
