"""What the sentence over a latency chart says, on series whose events are known."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from tests.latency_frames import START, hours

from fleetslo.charts.latency.findings import events, latency_finding
from fleetslo.charts.latency.grid import binned, levels
from fleetslo.periods import Period

HOUR = timedelta(hours=1)
FOUR = timedelta(hours=4)


def during(first: datetime, length: timedelta, factor: float) -> Callable[[datetime], float]:
    return lambda hour: factor if first <= hour < first + length else 1.0


def finding(days: int = 28, **made: object) -> str:
    period = Period(START, START + timedelta(days=days))
    data = binned(hours(days, **made), period)  # type: ignore[arg-type]
    return latency_finding(levels(data), data.step).replace("\u202f", " ")


def series(values: list[float | None], step: timedelta = FOUR) -> tuple[list[datetime], timedelta]:
    return [START + position * step for position in range(len(values))], step


class TestFinding:
    def test_a_spell_is_told_with_its_peak_and_length(self) -> None:
        begin = datetime(2026, 10, 15, 8, tzinfo=UTC)
        said = finding(slower=during(begin, timedelta(hours=4), 2.0))
        # lognormal with median 40 ms and sigma 0.6: p99 = 40 × exp(0.6 × 2.326) = 161.5 ms
        assert said.startswith("p99 rose from 16")
        assert said.endswith(" ms for 4 h on 15 Oct")

    def test_a_lasting_rise_has_no_end(self) -> None:
        begin = datetime(2026, 10, 15, tzinfo=UTC)
        said = finding(slower=lambda hour: 1.8 if hour >= begin else 1.0)
        # 161.5 × 1.8 = 290.7 ms; every bin's p99 has about 1 % of noise
        before, after = (float(word) for word in said.split() if word.isdigit() and len(word) == 3)
        assert before == pytest.approx(161.5, rel=0.02)
        assert after == pytest.approx(290.7, rel=0.02)
        assert said.endswith("ms on 15 Oct")

    def test_a_lasting_fall_is_told_as_well(self) -> None:
        begin = datetime(2026, 10, 15, tzinfo=UTC)
        said = finding(slower=lambda hour: 0.5 if hour >= begin else 1.0)
        assert said.startswith("p99 fell from 16")

    def test_a_level_that_goes_back_has_both_days(self) -> None:
        begin = datetime(2026, 10, 12, tzinfo=UTC)
        said = finding(slower=during(begin, timedelta(days=8), 1.7))
        assert said.endswith("ms between 12 and 20 Oct")

    def test_two_spells_are_told_in_the_order_of_time(self) -> None:
        first = datetime(2026, 10, 9, 8, tzinfo=UTC)
        second = datetime(2026, 10, 23, 8, tzinfo=UTC)
        said = finding(
            slower=lambda hour: during(first, FOUR, 1.6)(hour) * during(second, 3 * FOUR, 2.0)(hour)
        )
        assert " for 4 h on 9 Oct and to 3" in said
        assert said.endswith("ms for 12 h on 23 Oct")

    def test_a_spell_on_top_of_a_new_level_goes_up_from_it(self) -> None:
        begin = datetime(2026, 10, 15, tzinfo=UTC)
        spell = during(begin + timedelta(days=5), FOUR, 2.0)
        said = finding(slower=lambda hour: (1.6 if hour >= begin else 1.0) * spell(hour))
        assert "on 15 Oct and went up to 5" in said
        assert said.endswith("for 4 h on 20 Oct")

    def test_many_spells_are_counted(self) -> None:
        said = finding(
            slower=lambda hour: 2.0 if hour.day % 7 == 0 and hour.hour in range(4, 8) else 1.0
        )
        # 7, 14, 21 and 28 October
        assert said.startswith("p99 rose in four spells, most on ")

    def test_what_still_lasts_at_the_end_says_so(self) -> None:
        begin = datetime(2026, 10, 31, 12, tzinfo=UTC)
        assert finding(slower=during(begin, timedelta(days=2), 1.9)).endswith(
            "on 31 Oct and stayed there"
        )

    def test_nothing_happened(self) -> None:
        assert finding().startswith("Latency held steady: p99 between 1")

    def test_a_daily_rhythm_is_no_event(self) -> None:
        said = finding(slower=lambda hour: 1 + 0.5 * np.sin(hour.hour / 12 * np.pi))
        assert said.endswith("with no lasting change")

    def test_a_gap_is_no_event(self) -> None:
        gone = during(datetime(2026, 10, 15, tzinfo=UTC), timedelta(days=2), 0)
        assert finding(missing=lambda hour: not gone(hour)).startswith("Latency held steady")

    def test_a_quiet_service_is_told_by_its_middle(self) -> None:
        # 40 an hour, 160 a bin: 1.6 beyond p99 and 8 beyond p95 are luck, 80 beyond p50 are not
        assert finding(per_hour=40).startswith("Latency held steady: p50 ")

    def test_a_very_quiet_one_has_no_trend(self) -> None:
        # 4 an hour (2 to 6 with the rhythm), 16 a bin: 8 beyond p50, fewer than ten
        assert "requests, too few for a trend; the middle one took " in finding(per_hour=4)

    def test_one_bin_is_enough_to_say_something(self) -> None:
        assert finding(days=1).startswith("Latency held steady: p99")


class TestEvents:
    def test_a_short_series_has_none(self) -> None:
        assert events(*series([0.1] * 5)[:1], [0.1] * 5, FOUR) == []

    def test_a_step_is_found_at_its_bin(self) -> None:
        values: list[float | None] = [0.1] * 30 + [0.2] * 30
        starts, step = series(values)
        (found,) = events(starts, values, step)
        assert found.start == starts[30]
        assert found.end is None
        assert found.lasting
        assert found.before_s == pytest.approx(0.1)
        assert found.after_s == pytest.approx(0.2)
        assert found.size == pytest.approx(np.log(2))

    def test_two_steps_up_are_two_levels(self) -> None:
        values: list[float | None] = [0.1] * 30 + [0.2] * 30 + [0.4] * 30
        starts, step = series(values)
        found = events(starts, values, step)
        assert [one.start for one in found] == [starts[30], starts[60]]

    def test_missing_values_do_not_end_a_level(self) -> None:
        values: list[float | None] = [0.1] * 20 + [None] * 10 + [0.1] * 20
        starts, step = series(values)
        assert events(starts, values, step) == []

    def test_spells_that_nearly_touch_are_one(self) -> None:
        values: list[float | None] = [0.1] * 20 + [0.3, 0.1, 0.3] + [0.1] * 20
        starts, step = series(values)
        (found,) = events(starts, values, step)
        assert (found.start, found.end) == (starts[20], starts[23])

    def test_whole_days_have_no_rhythm_to_take_out(self) -> None:
        values: list[float | None] = [0.1] * 20 + [0.2] * 20
        starts, step = series(values, timedelta(days=1))
        (found,) = events(starts, values, step)
        assert found.start == starts[20]


def test_bins_with_few_requests_do_not_make_a_spell() -> None:
    frame = pl.DataFrame(
        {
            "bin": [START + position * HOUR for position in range(48)],
            "duration_count": [5000] * 20 + [3] + [5000] * 27,
            "p50_s": [0.1] * 48,
            "p95_s": [0.2] * 48,
            "p99_s": [0.3] * 20 + [3.0] + [0.3] * 27,
        }
    )
    assert latency_finding(frame, HOUR).startswith("Latency held steady: p99 at 300")
