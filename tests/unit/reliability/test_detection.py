"""Alerts held against known incidents: found, missed, needless, late and out of hours."""

from datetime import datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_minutes import MIDNIGHT, MINUTE, after, an_objective, some_minutes

from fleetslo.errors import ParameterError
from fleetslo.periods import Period
from fleetslo.reliability.replaying.detection import detect
from fleetslo.reliability.replaying.replay import replay

PERIOD = Period(MIDNIGHT, MIDNIGHT + timedelta(days=10))
STAMP = pl.Datetime("us", "UTC")


def some_alerts(*rows: tuple, **columns) -> pl.DataFrame:
    """Rows of severity, minute fired and minute cleared."""
    return pl.DataFrame(
        [(s, after(f), None if c is None else after(c)) for s, f, c in rows],
        schema={"severity": pl.String, "fired_at": STAMP, "cleared_at": STAMP},
        orient="row",
    ).with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def some_incidents(*rows: tuple, **columns) -> pl.DataFrame:
    """Rows of id, minute started and minute resolved."""
    return pl.DataFrame(
        [(i, after(s), None if r is None else after(r)) for i, s, r in rows],
        schema={"incident_id": pl.String, "started_at": STAMP, "resolved_at": STAMP},
        orient="row",
    ).with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def test_an_incident_is_found_by_the_first_page_in_it():
    alerts = some_alerts(("ticket", 101, 400), ("page", 104, 120), ("page", 130, 165))
    found = detect(alerts, some_incidents(("A", 100, 160)), PERIOD)
    row = found.incidents.row(0, named=True)
    assert row["detected_at"] == after(104)
    assert row["time_to_detect_s"] == 4 * 60
    assert row["reset_s"] == 5 * 60  # the last page cleared five minutes after the end
    assert not row["is_missed"]
    assert found.alerts["incident_ids"].to_list() == [["A"]] * 3
    assert (found.recall, found.precision, found.time_to_detect_s) == (1.0, 1.0, 240.0)


def test_a_ticket_finds_an_incident_only_where_tickets_count():
    alerts = some_alerts(("ticket", 110, 400))
    incidents = some_incidents(("A", 100, 160))
    assert detect(alerts, incidents, PERIOD).incidents["is_missed"].to_list() == [True]
    assert detect(alerts, incidents, PERIOD).recall == 0.0
    assert detect(alerts, incidents, PERIOD).precision is None
    for severity in ("ticket", None):
        found = detect(alerts, incidents, PERIOD, severity=severity)
        assert found.incidents["time_to_detect_s"].to_list() == [600.0]
        assert found.precision == 1.0


def test_an_alert_outside_incidents_is_needless():
    alerts = some_alerts(("page", 50, 60), ("page", 105, 115), ("page", 300, 310))
    found = detect(alerts, some_incidents(("A", 100, 160)), PERIOD)
    assert found.alerts["is_needless"].to_list() == [True, False, True]
    assert found.alerts["incident_ids"].to_list() == [[], ["A"], []]
    assert found.precision == pytest.approx(1 / 3)


def test_recorded_ends_may_be_off_by_the_tolerance():
    alerts = some_alerts(("page", 85, 91), ("page", 85, 90), ("page", 170, 175), ("page", 171, 175))
    incidents = some_incidents(("A", 100, 160))
    found = detect(alerts, incidents, PERIOD)  # ten minutes: from after 90 until 170
    assert found.alerts["is_needless"].to_list() == [False, True, False, True]
    assert found.incidents["time_to_detect_s"].to_list() == [0.0]
    exact = detect(alerts, incidents, PERIOD, tolerance=timedelta(0))
    assert exact.alerts["is_needless"].all()
    assert exact.incidents["is_missed"].all()


def test_a_page_that_fires_already_finds_an_incident_at_once():
    found = detect(some_alerts(("page", 50, None)), some_incidents(("A", 100, 160)), PERIOD)
    row = found.incidents.row(0, named=True)
    assert (row["detected_at"], row["time_to_detect_s"]) == (after(100), 0.0)
    assert row["reset_s"] is None  # it still fires
    assert found.reset_s is None


def test_one_alert_can_be_about_several_incidents():
    incidents = some_incidents(("B", 120, 130), ("A", 100, 160), ("C", 500, 600))
    found = detect(some_alerts(("page", 105, 125)), incidents, PERIOD)
    assert found.alerts["incident_ids"].to_list() == [["A", "B"]]
    assert found.incidents["is_missed"].to_list() == [False, False, True]
    assert found.recall == pytest.approx(2 / 3)
    assert found.time_to_detect_s == 150  # A after five minutes, B at once: (300 + 0) / 2


def test_an_incident_lasts_until_resolved_else_mitigated_else_for_good():
    incidents = some_incidents(("A", 100, 300), ("B", 100, None), ("C", 100, None)).with_columns(
        mitigated_at=pl.Series([after(150), after(150), None], dtype=STAMP)
    )
    found = detect(some_alerts(("page", 250, 260)), incidents, PERIOD)
    assert found.alerts["incident_ids"].to_list() == [["A", "C"]]


def test_services_are_kept_apart_where_both_name_them():
    alerts = some_alerts(("page", 105, 110), ("page", 105, 110), service=["a", "b"])
    incidents = some_incidents(("A", 100, 160), service=["a"])
    assert detect(alerts, incidents, PERIOD).alerts["is_needless"].to_list() == [False, True]
    of_anyone = detect(alerts, incidents.drop("service"), PERIOD)
    assert not of_anyone.alerts["is_needless"].any()


def test_a_page_about_a_dependency_is_not_needless_and_its_incident_not_to_be_found():
    alerts = some_alerts(("page", 105, 115), ("page", 205, 210), ("page", 300, 310))
    own = some_incidents(("A", 100, 160), service=["shop"])
    others = some_incidents(("A", 100, 160), ("B", 200, 220), service=["shop", "card"])
    found = detect(alerts, own, PERIOD, others=others)
    assert found.alerts["incident_ids"].to_list() == [["A"], ["B"], []]
    assert found.incidents["incident_id"].to_list() == ["A"]
    assert found.incidents.columns == detect(alerts, own, PERIOD).incidents.columns
    assert (found.recall, found.precision) == (1.0, pytest.approx(2 / 3))


def test_what_began_before_the_period_is_not_counted_but_excuses():
    period = Period(after(1000), after(2000))
    alerts = some_alerts(
        ("page", 900, 950), ("page", 1000, 1001), ("page", 1001, 1010), ("page", 2000, None)
    )
    incidents = some_incidents(("A", 990, 1100), ("B", 2000, None))
    found = detect(alerts, incidents, period)
    # An alert that fires at 1,000 is about the minute before it, the period's first is 1,001.
    assert found.alerts["fired_at"].to_list() == [after(1001), after(2000)]
    assert found.alerts["incident_ids"].to_list() == [["A"], []]
    assert found.incidents.is_empty()
    assert found.recall is None
    assert found.time_to_detect_s is None


def test_what_people_recorded_as_detection_is_kept():
    incidents = some_incidents(("A", 100, 160)).with_columns(
        detected_at=pl.Series([after(130)], dtype=STAMP)
    )
    row = detect(some_alerts(("page", 105, 110)), incidents, PERIOD).incidents.row(0, named=True)
    assert (row["recorded_at"], row["detected_at"]) == (after(130), after(105))


def test_working_hours_follow_the_clock_of_whoever_is_on_call():
    # 1 October 2026 is a Thursday. Stockholm is two hours ahead of UTC until the 25th, then one.
    def at(*when: int) -> datetime:
        return MIDNIGHT.replace(day=when[0], hour=when[1], minute=when[2])

    times = [at(1, 7, 0), at(1, 6, 59), at(1, 14, 59), at(1, 15, 0), at(3, 10, 0), at(26, 7, 0)]
    alerts = some_alerts(*(("page", (t - MIDNIGHT) / MINUTE, None) for t in times))
    period = Period(MIDNIGHT - MINUTE, MIDNIGHT + timedelta(days=30))
    found = detect(alerts, some_incidents(), period, zone="Europe/Stockholm")
    # 9:00 and 16:59 are working hours; 8:59, 17:00, a Saturday, and 8:00 in winter are not.
    assert found.alerts["is_out_of_hours"].to_list() == [False, True, False, True, True, True]
    late = detect(alerts, some_incidents(), period, zone="Europe/Stockholm", working_hours=(8, 18))
    assert late.alerts["is_out_of_hours"].to_list() == [False, False, False, False, True, False]


def test_rates_are_for_a_month_of_30_days():
    alerts = some_alerts(("page", 10 * 60, None), ("page", 20 * 60, None), ("ticket", 600, None))
    found = detect(alerts, some_incidents(), PERIOD)  # ten days
    assert found.per_month("page") == 6.0
    assert found.per_month("ticket") == 3.0
    assert found.out_of_hours_per_month("page") == 3.0  # 20:00 of a Thursday


def test_nothing_fired_and_nothing_happened():
    none = replay(some_minutes([0] * 10, service="a", objective="x"), an_objective())
    found = detect(none, some_incidents(("A", 1, 2), service=["a"]), PERIOD)
    assert (found.precision, found.recall, found.per_month("page")) == (None, 0.0, 0.0)
    assert found.alerts.is_empty()
    assert found.alerts.schema["incident_ids"] == pl.List(pl.String)
    assert detect(none, some_incidents(), PERIOD).recall is None


def test_a_replayed_outage_is_found_in_its_first_minute():
    # A total outage of 20 minutes at 99.9 % and 30 days: SLO.md, the first whole bad minute.
    minutes = some_minutes([0] * 1440 + [100] * 20 + [0] * 600)
    alerts = replay(minutes, an_objective())
    found = detect(alerts, some_incidents(("A", 1440, 1460)), PERIOD)
    assert found.incidents["time_to_detect_s"].to_list() == [60.0]
    assert not found.alerts["is_needless"].any()


def test_arguments_that_cannot_be_are_refused():
    nothing = (some_alerts(("page", 1, 2)), some_incidents(), PERIOD)
    with pytest.raises(ParameterError, match="there is no zone 'Stockholm'"):
        detect(*nothing, zone="Stockholm")
    with pytest.raises(ParameterError, match="from 17 to 9"):
        detect(*nothing, working_hours=(17, 9))
    with pytest.raises(ParameterError, match="tolerance"):
        detect(*nothing, tolerance=-MINUTE)


SPANS = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 20)), max_size=6)


@given(SPANS, SPANS, st.integers(0, 5))
def test_every_page_is_needless_or_finds_what_it_is_about(fired, happened, slack):
    alerts = some_alerts(*(("page", start, start + long) for start, long in fired))
    names = [f"I{place}" for place in range(len(happened))]
    incidents = some_incidents(
        *((n, start, start + long) for n, (start, long) in zip(names, happened, strict=True))
    )
    period = Period(MIDNIGHT - MINUTE, after(200))
    found = detect(alerts, incidents, period, tolerance=slack * MINUTE)
    about = [
        {
            name
            for name, (start, long) in zip(names, happened, strict=True)
            if first + lasts > start - slack and first <= start + long + slack
        }
        for first, lasts in fired
    ]
    assert [set(ids) for ids in found.alerts["incident_ids"].to_list()] == about
    assert found.alerts["is_needless"].to_list() == [not ids for ids in about]
    assert set(found.incidents.filter(~pl.col("is_missed"))["incident_id"]) == set().union(*about)
