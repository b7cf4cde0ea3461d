"""Replay of alert policies over recorded minutes: laws, gaps, exactness and what is refused."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recorded_minutes import (
    MIDNIGHT,
    MINUTE,
    after,
    an_objective,
    some_minutes,
)

from fleetslo.errors import ParameterError, PeriodError
from fleetslo.reliability import alerts as face
from fleetslo.reliability.alerts import AlertWindow, alert_windows, firing
from fleetslo.reliability.replaying.replay import replay

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def condition(long: int = 4, short: int = 2, factor: float = 1.0, **changed) -> AlertWindow:
    return AlertWindow("page", 0.1, long * MINUTE, short * MINUTE, factor, **changed)


def fired(alerts: pl.DataFrame) -> list[tuple]:
    """Minutes from midnight at which alerts fired and cleared."""
    return [
        tuple(None if at is None else (at - MIDNIGHT) / MINUTE for at in row)
        for row in alerts.select("fired_at", "cleared_at").rows()
    ]


def test_an_alert_fires_and_clears_at_the_end_of_a_minute():
    # Half may be bad. At the end of the third minute 100 of 300 recorded requests are bad, a burn
    # of 0.67; of the fourth 200 of 400, exactly 1 and so not over it; of the fifth 300 of 400 in
    # the long window and 200 of 200 in the short one.
    alerts = replay(
        some_minutes([0, 0, 100, 100, 100, 0, 0, 0]), an_objective(0.5), [condition()], least_bad=1
    )
    # At the end of the sixth the short window burns at 100 / 200 / 0.5 = 1: cleared.
    assert fired(alerts) == [(5, 6)]
    row = alerts.row(0, named=True)
    assert (row["severity"], row["policy"]) == ("page", "custom")
    assert (row["long_minutes"], row["short_minutes"], row["factor"]) == (4, 2, 1.0)
    # A month's budget: 0.5 × 100 a minute × 43,200 minutes = 2,160,000 requests; 300 were gone.
    assert row["budget_spent_at"] == pytest.approx(300 / 2_160_000)
    # The sixth minute, in which it still fired, was good.
    assert row["bad_count"] == 0
    assert row["budget_spent"] == pytest.approx(300 / 2_160_000)


def test_an_alert_that_still_fires_has_not_cleared():
    alerts = replay(some_minutes([0, 100, 100, 100]), an_objective(0.5), [condition()])
    # At the end of the second minute 100 of 200 are bad, a burn of 1; of the third 200 of 300.
    assert fired(alerts) == [(3, None)]
    assert alerts["bad_count"].to_list() == [100]  # the fourth minute
    assert alerts["budget_spent"].item() == pytest.approx(300 / (0.5 * 100 * 43_200))


def test_a_service_that_falls_silent_clears_when_its_short_window_is_empty():
    minutes = some_minutes([0, 100, 100, 100])
    alerts = replay(minutes, an_objective(0.5), [condition()], until=after(10))
    assert fired(alerts) == [(3, 6)]  # the last row is of the fourth minute


def test_a_service_that_falls_silent_fires_where_no_data_is_an_alert():
    silent = condition(3, 3, 2.0, without_data=True)
    # The last row ends at minute 2; the three minutes up to 5 are the first with none.
    minutes = some_minutes([0, 0, None, None, None, None, 0])
    assert fired(replay(minutes, an_objective(0.5), [silent])) == [(5, 7)]
    alerts = replay(minutes.head(2), an_objective(0.5), [silent], until=after(8))
    assert fired(alerts) == [(5, None)]
    assert alerts["budget_spent_at"].to_list() == [0.0]


def test_a_condition_on_silence_alone_is_not_fired_by_a_burn():
    silent = condition(3, 3, 0.5, without_data=True, on_burn=False)
    minutes = some_minutes([100, 100, 100, None, None, None, 0])
    # The last row before the silence ends at minute 3: three minutes without any are over at 6.
    assert fired(replay(minutes, an_objective(0.5), [silent])) == [(6, 7)]
    assert not firing({3: (300, 300)}, 0.5, [silent])
    assert firing({3: None}, 0.5, [silent]) == (silent,)


def test_silence_is_measured_to_the_newest_minute_of_all():
    both = pl.concat(
        [
            some_minutes([100, 100], service="a", objective="x"),
            some_minutes([0] * 9, service="b", objective="x"),
        ]
    )
    silent = condition(3, 3, 1.9, without_data=True)
    alerts = replay(both, an_objective(0.5), [silent])
    # Every request of the first two minutes is bad: a burn of 2. Then silence, seen at minute 5.
    assert alerts["service"].to_list() == ["a"]
    assert fired(alerts) == [(1, None)]


def test_a_covered_minute_without_requests_burns_nothing_and_is_no_silence():
    quiet = some_minutes([0] * 6, valid=0)
    conditions = [condition(2, 2, op=op, without_data=True) for op in ("gt", "gte", "lt", "lte")]
    alerts = replay(quiet, an_objective(0.5), conditions, least_bad=0)
    assert alerts.is_empty()


def test_a_condition_on_a_low_burn_fires_below_its_factor_whatever_the_floor():
    # Half may be bad: 20 of 100 burn at 0.4, 25 at 0.5.
    minutes = some_minutes([25, 20, 25, 30])
    objective = an_objective(0.5)
    assert fired(replay(minutes, objective, [condition(1, 1, 0.5, op="lt")], least_bad=99)) == [
        (2, 3)
    ]
    assert fired(replay(minutes, objective, [condition(1, 1, 0.5, op="lte")], least_bad=99)) == [
        (1, 4)
    ]
    assert fired(replay(minutes, objective, [condition(1, 1, 0.5, op="gt")])) == [(4, None)]
    assert fired(replay(minutes, objective, [condition(1, 1, 0.5, op="gte")])) == [
        (1, 2),
        (3, None),
    ]


def test_a_condition_must_have_held_for_its_time():
    # As Prometheus' "for": seen at the end of minute 2, it fires when two more minutes held.
    minutes = some_minutes([0, 100, 100, 100, 100, 0, 100, 100, 0])
    alerts = replay(minutes, an_objective(0.5), [condition(1, 1, after=2 * MINUTE)])
    assert fired(alerts) == [(4, 6)]
    # A minute and a half is not over before the second look.
    alerts = replay(minutes, an_objective(0.5), [condition(1, 1, after=1.5 * MINUTE)])
    assert fired(alerts) == [(4, 6)]


def test_uncertain_requests_wake_nobody():
    minutes = some_minutes([100] * 4).with_columns(uncertain_count=pl.lit(100))
    assert replay(minutes, an_objective(), [condition()]).is_empty()
    assert not replay(minutes.drop("uncertain_count"), an_objective(), [condition()]).is_empty()


def test_a_quiet_service_needs_its_least_number_of_bad_requests():
    minutes = some_minutes([1, 1, 1, 1, 1, 1], valid=2)
    assert replay(minutes, an_objective(), [condition()]).is_empty()  # 4 at most in the long window
    assert fired(replay(minutes, an_objective(), [condition(5)])) == [(5, None)]
    assert fired(replay(minutes, an_objective(), [condition()], least_bad=4)) == [(4, None)]


def test_conditions_of_one_severity_and_policy_are_one_alert():
    # The Workbook joins them by "or": a total outage of ten hours is one page, not two. The day
    # before is good; at 99.9 % and 30 days the hour's condition needs 0.0144 × 60 = 0.864 bad
    # minutes, that of six hours 0.006 × 360 = 2.16, the tickets 0.003 × 1,440 = 4.32 and
    # 0.001 × 4,320 = 4.32 (three days are not recorded: of the 1,440 and 5 minutes 1.445).
    start = 1440
    minutes = some_minutes([0] * start + [100] * 600 + [0] * 8000)
    alerts = replay(minutes, an_objective())
    assert alerts.select("severity", "policy", "long_minutes").rows() == [
        ("page", "workbook", 60),
        ("ticket", "workbook", 4320),
    ]
    # The page clears with its slower short window, of 30 minutes; the ticket's is six hours long.
    # After 29 good minutes one of thirty is bad, 3.3 % and over 0.6 %.
    assert fired(alerts) == [
        (start + 1, start + 600 + 30),
        (start + 2, start + 600 + 360),
    ]


def test_conditions_of_several_policies_are_alerts_of_their_own():
    mine = (condition(1, 1, name="fast"), condition(2, 2, name="slow"))
    objective = an_objective(0.5, policy=None, own_alerts=mine)
    alerts = replay(some_minutes([0, 100, 100]), objective)
    # Two minutes hold 100 bad of 200 after the second: exactly 1.
    assert alerts.select("policy").to_series().to_list() == ["fast", "slow"]
    assert fired(alerts) == [(2, None), (3, None)]
    assert replay(some_minutes([0, 100]), an_objective(policy=None)).is_empty()


def test_the_objectives_own_policy_is_replayed_unless_told():
    minutes = some_minutes([0] * 60 + [100] * 10)
    assert set(replay(minutes, an_objective())["policy"]) == {"workbook"}
    by_name = replay(minutes, an_objective(), "proportional")
    assert set(by_name["policy"]) == {"proportional"}
    windows = alert_windows(timedelta(days=30), "proportional")
    assert replay(minutes, an_objective(), windows).equals(by_name)
    assert replay(minutes, an_objective(policy="proportional")).equals(by_name)


def test_many_objectives_are_replayed_at_once_whatever_their_order():
    one = some_minutes([0, 100, 100, 100], service="a", objective="x")
    two = some_minutes([100, 0, 0, 0], service="a", objective="y")
    three = some_minutes([100, 100], start=after(1), service="b", objective="x")
    alone = pl.concat(
        [replay(m, an_objective(0.5), [condition()], until=after(4)) for m in (one, two, three)]
    )
    together = pl.concat([one, two, three])
    expected = replay(together, an_objective(0.5), [condition()])
    assert expected.equals(alone)
    assert expected.select("service", "objective").rows() == [("a", "x"), ("a", "y"), ("b", "x")]
    for seed in range(5):
        shuffled = together.sample(fraction=1, shuffle=True, seed=seed)
        assert replay(shuffled, an_objective(0.5), [condition()]).equals(expected)
    assert replay(together.sort("minute"), an_objective(0.5), [condition()]).equals(expected)


def test_each_objective_can_have_its_own_target():
    both = pl.concat([some_minutes([60] * 3, service=s, objective="x") for s in ("a", "b", "c")])
    mine = {("a", "x"): an_objective(0.5), ("b", "x"): an_objective(0.3)}
    # 60 % bad burn at 1.2 where half may be bad, at 0.857 where 70 % may; nobody asked about c.
    assert replay(both, mine, [condition()])["service"].to_list() == ["a"]


def test_small_integers_of_any_kind_are_counted():
    minutes = some_minutes([0, 100, 100, 100])
    expected = replay(minutes, an_objective(0.5), [condition()])
    for kind in (pl.Int32, pl.UInt32, pl.Int16, pl.UInt8):
        cast = minutes.with_columns(pl.col("good_count", "valid_count").cast(kind))
        assert replay(cast, an_objective(0.5), [condition()]).equals(expected)
    for unit in ("ms", "ns"):
        cast = minutes.with_columns(pl.col("minute").dt.cast_time_unit(unit))
        assert replay(cast, an_objective(0.5), [condition()]).equals(expected)


def test_counts_too_great_for_64_bits_are_compared_exactly():
    # 99.123456789012 %: the share that may be bad is 219135802747/25,000,000,000,000. Of 25 × 10¹²
    # requests a minute 219,135,802,747 burn at exactly 1; the products exceed 10²⁶.
    valid = 25 * 10**12
    budget = 219_135_802_747
    assert Fraction(budget, valid) == 1 - Fraction("0.99123456789012")
    minutes = some_minutes([budget, budget + 1, budget, 0], valid=valid)
    alerts = replay(minutes, an_objective(0.99123456789012), [condition(1, 1)])
    assert fired(alerts) == [(2, 3)]
    exactly = replay(minutes, an_objective(0.99123456789012), [condition(1, 1, op="gte")])
    assert fired(exactly) == [(1, 4)]


@pytest.mark.parametrize(
    ("minutes", "says"),
    [
        (some_minutes([0]).drop("valid_count"), "minutes lack valid_count"),
        (
            some_minutes([0]).with_columns(pl.col("minute").dt.replace_time_zone(None)),
            "'minute' is .*; store it as UTC",
        ),
        (some_minutes([0]).with_columns(pl.col("good_count").cast(float)), "whole numbers"),
        (some_minutes([0]).with_columns(good_count=pl.lit(None, pl.Int64)), "holds null"),
        (some_minutes([-1]), "counts cannot be"),
        (some_minutes([101]), "counts cannot be"),
        (some_minutes([0]).with_columns(uncertain_count=pl.lit(1)), "counts cannot be"),
        (some_minutes([0], start=MIDNIGHT + timedelta(seconds=1)), "a whole minute"),
        (
            pl.concat([some_minutes([0, 0], service="a"), some_minutes([0], service="a")]),
            "minutes of a: 2026-10-01 00:00 is there twice",
        ),
    ],
)
def test_minutes_that_cannot_be_are_refused(minutes, says):
    with pytest.raises(ParameterError, match=says):
        replay(minutes, an_objective())


def test_what_cannot_be_replayed_is_refused():
    whole = an_objective(members=(an_objective(name="a/b"),))
    with pytest.raises(ParameterError, match=r"made of others .* replay its members"):
        replay(some_minutes([0]), whole)
    with pytest.raises(ParameterError, match="columns service and objective"):
        replay(some_minutes([0]), {("a", "x"): an_objective()})
    with pytest.raises(PeriodError, match="has no zone"):
        replay(some_minutes([0]), an_objective(), until=datetime(2026, 11, 1))  # noqa: DTZ001
    with pytest.raises(ParameterError, match=r"condition 1: the short window, 0:05:00, is longer"):
        replay(some_minutes([0]), an_objective(), [condition(4, 5)])


def test_no_minutes_are_no_alerts():
    none = some_minutes([], service="a", objective="x")
    assert replay(none, an_objective()).columns[:2] == ["service", "objective"]
    later = replay(some_minutes([100] * 9), an_objective(), until=MIDNIGHT)
    assert later.is_empty()
    assert later.schema["fired_at"] == pl.Datetime("us", "UTC")


def test_the_face_of_alerts_has_it_too():
    assert face.replay is replay
    with pytest.raises(AttributeError, match="no attribute 'replays'"):
        face.replays  # noqa: B018


# A plain reference: every minute looked at by itself, with fractions and dictionaries.

OPS = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


def reference(rows, target, windows, least_bad, until) -> dict[tuple, list[int]]:
    """Policy and severity to the minutes (from the first row) at whose end an alert fires."""
    first = min(rows)
    share = 1 - Fraction(str(target))
    looks = range(first + 1, until + 1)
    held = {}
    for window in windows:
        factor = Fraction(window.factor).limit_denominator(10**6)
        true_at = set()
        for end in looks:

            def sums(length, end=end):
                found = [rows[m] for m in range(end - length, end) if m in rows]
                return len(found), sum(f[0] for f in found), sum(f[1] for f in found)

            covered, bad, valid = sums(window.long_minutes)
            _, bad_short, valid_short = sums(window.short_minutes)
            fires = (
                valid > 0
                and valid_short > 0
                and OPS[window.op](Fraction(bad, valid), factor * share)
                and OPS[window.op](Fraction(bad_short, valid_short), factor * share)
                and (bad >= least_bad or window.op in ("lt", "lte"))
            )
            if fires or (window.without_data and covered == 0):
                true_at.add(end)
        wait = window.after // MINUTE
        lasting = {e for e in true_at if all(e - back in true_at for back in range(wait + 1))}
        held.setdefault((window.severity, window.name or "custom"), set()).update(lasting)
    return {key: sorted(found) for key, found in held.items() if found}


def ends(alerts: pl.DataFrame, until: int) -> dict[tuple, list[int]]:
    """The same of a replay."""
    found: dict[tuple, list[int]] = {}
    for row in alerts.iter_rows(named=True):
        start = int((row["fired_at"] - MIDNIGHT) / MINUTE)
        stop = until + 1
        if row["cleared_at"] is not None:
            stop = int((row["cleared_at"] - MIDNIGHT) / MINUTE)
        found.setdefault((row["severity"], row["policy"]), []).extend(range(start, stop))
    return {key: sorted(minutes) for key, minutes in found.items()}


MINUTES = st.dictionaries(
    st.integers(0, 40),
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)),
    min_size=1,
)
CONDITIONS = st.lists(
    st.builds(
        lambda severity, short, more, factor, op, wait, silent, name: AlertWindow(
            severity,
            0.1,
            (short + more) * MINUTE,
            short * MINUTE,
            factor,
            op=op,
            after=wait * MINUTE,
            without_data=silent,
            name=name,
        ),
        st.sampled_from(["page", "ticket"]),
        st.integers(1, 4),
        st.integers(0, 8),
        st.sampled_from([0.5, 14 / 15, 1.0, 1.5, 2.0]),
        st.sampled_from(["gt", "gte", "lt", "lte"]),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from(["", "mine"]),
    ),
    min_size=1,
    max_size=3,
)
TARGETS = st.sampled_from([0.0, 0.4, 0.5, 0.75, 0.9])


def frame_of(drawn) -> pl.DataFrame:
    """Minutes of drawn (bad, good, uncertain) counts."""
    return pl.DataFrame(
        [
            (MIDNIGHT + place * MINUTE, good, bad + good + maybe, maybe)
            for place, (bad, good, maybe) in drawn.items()
        ],
        schema={
            "minute": pl.Datetime("us", "UTC"),
            "good_count": pl.Int64,
            "valid_count": pl.Int64,
            "uncertain_count": pl.Int64,
        },
        orient="row",
    )


@given(MINUTES, CONDITIONS, TARGETS, st.integers(0, 5), st.integers(0, 12))
def test_replay_agrees_with_looking_at_every_minute_by_itself(
    drawn, windows, target, least_bad, silent
):
    until = max(drawn) + 1 + silent
    rows = {place: (bad, bad + good + maybe) for place, (bad, good, maybe) in drawn.items()}
    alerts = replay(
        frame_of(drawn), an_objective(target), windows, least_bad=least_bad, until=after(until)
    )
    assert ends(alerts, until) == reference(rows, target, windows, least_bad, until)
    budget = (
        (1 - Fraction(str(target))) * Fraction(sum(v for _, v in rows.values()), len(rows)) * 43_200
    )
    for row in alerts.iter_rows(named=True):
        start = int((row["fired_at"] - MIDNIGHT) / MINUTE)
        stop = until if row["cleared_at"] is None else int((row["cleared_at"] - MIDNIGHT) / MINUTE)
        assert row["bad_count"] == sum(rows.get(m, (0, 0))[0] for m in range(start, stop))
        # Conditions that differ only in how long they must hold are told apart by what they saw.
        waits = {
            w.after // MINUTE
            for w in windows
            if (w.long_minutes, w.short_minutes, w.factor)
            == (row["long_minutes"], row["short_minutes"], row["factor"])
        }
        gone = [
            sum(rows.get(m, (0, 0))[0] for m in range(start - row["long_minutes"] - wait, start))
            for wait in waits
        ]
        if budget:
            spent = [float(bad / budget) for bad in gone]
            assert any(row["budget_spent_at"] == pytest.approx(share) for share in spent)
            more = row["budget_spent"] - row["budget_spent_at"]
            assert more == pytest.approx(float(row["bad_count"] / budget))
        else:
            assert row["budget_spent_at"] is None


@given(MINUTES, CONDITIONS, TARGETS, st.integers(1, 40))
def test_replay_of_a_whole_is_that_of_its_parts_with_overlap(drawn, windows, target, cut):
    until = 45
    whole = ends(replay(frame_of(drawn), an_objective(target), windows, until=after(until)), until)
    # The later part is given the minutes that its conditions look back on, and no others.
    back = max(w.long_minutes + w.after // MINUTE for w in windows)
    late = {m: counts for m, counts in drawn.items() if m >= cut - back}
    parts = [
        (frame_of(part), end, begin)
        for part, begin, end in (
            ({m: c for m, c in drawn.items() if m < cut}, 0, cut),
            (late, cut, until),
        )
        if part
    ]
    found: dict[tuple, list[int]] = {}
    for minutes, end, begin in parts:
        alerts = replay(minutes, an_objective(target), windows, until=after(end))
        for key, places in ends(alerts, end).items():
            found.setdefault(key, []).extend(p for p in places if p > begin)
    # A part knows of no silence before its first minute.
    known = min(late, default=until) + back if any(w.without_data for w in windows) else cut

    def told(places: dict[tuple, list[int]]) -> dict[tuple, list[int]]:
        kept = {k: [p for p in v if p <= cut or p > known] for k, v in places.items()}
        return {k: v for k, v in kept.items() if v}

    assert told(found) == told(whole)


@given(MINUTES, CONDITIONS, TARGETS, st.integers(0, 5), st.integers(0, 12))
def test_what_fires_at_an_instant_is_what_a_replay_up_to_it_has_not_cleared(
    drawn, windows, target, least_bad, silent
):
    now = max(drawn) + 1 + silent

    def total(length: int) -> tuple[int, int] | None:
        found = [drawn[m] for m in range(now - length, now) if m in drawn]
        return (sum(f[0] for f in found), sum(sum(f) for f in found)) if found else None

    lengths = {length for w in windows for length in (w.long_minutes, w.short_minutes)}
    at_once = [replace(window, after=timedelta(0)) for window in windows]
    firing_now = face.firing({m: total(m) for m in lengths}, target, at_once, least_bad)
    for window in at_once:
        alerts = replay(
            frame_of(drawn), an_objective(target), [window], least_bad=least_bad, until=after(now)
        )
        assert (window in firing_now) is (None in alerts["cleared_at"].to_list())


def test_alerts_are_told_in_utc_to_the_minute():
    alerts = replay(some_minutes([0, 100, 100]), an_objective(0.5), [condition()])
    assert alerts["fired_at"].to_list() == [datetime(2026, 10, 1, 0, 3, tzinfo=UTC)]
