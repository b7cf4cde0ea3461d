"""Charts and tables of slo_tuning: their findings, drawn from frames worked out by hand."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.charts.tuning.alerts import alert_timeline, policy_table
from fleetslo.charts.tuning.choice import Choice
from fleetslo.charts.tuning.fits import fit_table, incident_spending, unexplained_spending
from fleetslo.charts.tuning.past import past_windows, target_table
from fleetslo.charts.tuning.thresholds import threshold_map
from fleetslo.charts.words import THIN
from fleetslo.periods import Period
from fleetslo.reliability.agreement import Agreement
from fleetslo.reliability.tuning import met_by_target, past

START = datetime(2026, 10, 4, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
WEEK = Period(START, START + 7 * DAY)
TIMES = pl.Datetime("us", "UTC")


def choice(target: float = 0.999, present: float = 0.999, within_s: float | None = None) -> Choice:
    return Choice("Availability", "requests", target, within_s, present, "slo/minutes")


def windows(*bad: int, uncertain: int = 0, covered: int = 1440) -> pl.DataFrame:
    """Return windows of a day and 1,000 requests with so many bad, as ``tuning.past`` has them."""
    counts = pl.DataFrame(
        {
            "at": [START + place * DAY for place in range(len(bad))],
            "good_count": [1000 - one - uncertain for one in bad],
            "valid_count": [1000] * len(bad),
            "uncertain_count": [uncertain] * len(bad),
            "covered_minutes": [covered] * len(bad),
        },
        schema_overrides={"at": TIMES},
    )
    return past(
        counts,
        [Period(START + place * DAY, START + (place + 1) * DAY) for place in range(len(bad))],
    )


def spoken(text: str) -> str:
    return text.replace(THIN, " ")


class TestPast:
    @pytest.mark.parametrize(
        ("bad", "says"),
        [
            ((0, 1), "99.9 % was met in both windows"),
            # A tighter one would leave less than one of 1,000 requests: nobody could say.
            ((0,), "99.9 % was met in the only window"),
            # 2 of 1,000: 99.8 %, a step of the ladder, is met by both.
            ((2, 1), "99.9 % was missed in 1 of 2 windows; 99.8 % was always met"),
            ((2, 2), "99.9 % was missed in both windows; 99.8 % was always met"),
            ((900,), "99.9 % was missed in the only window; no target was always met"),
            ((), "Availability: the data covers no whole window yet"),
        ],
    )
    def test_the_title_says_how_often_the_target_was_met(
        self, bad: tuple[int, ...], says: str
    ) -> None:
        assert spoken(past_windows(windows(*bad), choice()).title) == says

    def test_uncertain_requests_leave_it_open(self) -> None:
        # 1 bad and 1 uncertain: between 99.8 and 99.9 %.
        chart = past_windows(windows(1, uncertain=1), choice())
        assert spoken(chart.title) == (
            "99.9 % cannot be judged in the only window; 99.8 % was always met"
        )
        assert "may have been good" in chart.says
        assert {"sli_low", "sli_high"} <= set(chart.numbers.columns)

    def test_both_targets_are_drawn_where_another_is_tried(self) -> None:
        chart = past_windows(windows(0, 1), choice(0.9995))
        labels = [spoken(one.text) for one in chart.figure.layout.annotations]
        assert labels == ["target 99.95 %", "present target 99.9 %"]

    def test_windows_with_too_little_data_are_counted_and_not_drawn(self) -> None:
        chart = past_windows(windows(0, 1, covered=60), choice())
        assert chart.numbers.is_empty()
        assert chart.made is not None
        assert chart.made.counts["Windows with too little coverage"] == 2


class TestTargets:
    def test_every_target_has_its_row_and_what_the_worst_window_spent(self) -> None:
        table = target_table(windows(1, 2), choice(0.998), [0.99, 0.998, 0.999])
        rows = {row["target"]: row for row in table.rows}
        assert [rows[one]["met_count"] for one in (0.99, 0.998, 0.999)] == [2, 2, 1]
        # 2 of 1,000 are bad in the worst; 99.9 % allows 1.
        assert rows[0.999]["spent"] == pytest.approx(2)
        assert rows[0.998]["says"] == "tried"
        assert rows[0.999]["says"] == "present"
        assert spoken(table.title) == (
            "99.8 % is the tightest target always met; 99.9 % the loosest ever missed"
        )

    def test_targets_are_read_as_they_were_written(self) -> None:
        payload = target_table(windows(1), choice(), [0.95, 0.9995]).payload()
        (texts,) = [c["texts"] for c in payload["table"]["columns"] if c["key"] == "target"]
        assert [spoken(one) for one in texts] == ["95 %", "99.95 %"]


class TestThresholds:
    TARGETS = (0.99, 0.999)

    def met(self, **bad_at: int) -> pl.DataFrame:
        frames = []
        for key, bad in bad_at.items():
            found = windows(bad)
            frames.append(
                met_by_target(found, self.TARGETS).with_columns(
                    within_s=pl.lit(int(key.removeprefix("ms")) / 1000),
                    worst=pl.lit(1 - bad / 1000),
                )
            )
        return pl.concat(frames).sort("within_s", "target")

    def test_the_shortest_threshold_that_always_met_the_target_is_named(self) -> None:
        met = self.met(ms100=20, ms200=5, ms300=1)
        chart = threshold_map(met, choice(0.99, within_s=0.2), 0.3, self.TARGETS)
        assert spoken(chart.title) == (
            "Of the thresholds tried, 200 ms is the shortest that always met 99 %"
        )
        assert chart.numbers["always_met"].to_list() == [None, 0.99, 0.999]
        (heat,) = chart.figure.data
        assert heat.z.tolist() == [[0, 0], [1, 0], [1, 1]]
        assert [spoken(one) for one in heat.y] == ["100 ms", "200 ms", "300 ms (present)"]

    def test_where_none_did_it_says_so(self) -> None:
        chart = threshold_map(
            self.met(ms100=20, ms200=20), choice(0.99, within_s=0.1), 0.1, self.TARGETS
        )
        assert spoken(chart.title) == "No threshold tried would always have met 99 %"


def policy(**values: Any) -> dict[str, Any]:
    return {
        "policy": "workbook",
        "is_chosen": True,
        "page_month": 0.0,
        "ticket_month": 0.0,
        "outside_month": 0.0,
        "incident_count": 0,
        "missed_count": 0,
        "detect_s": None,
        "needless_count": 0,
        **values,
    }


class TestAlerts:
    @pytest.mark.parametrize(
        ("row", "says"),
        [
            (policy(), "At 99.9 % the workbook policy would never page"),
            (
                policy(page_month=8.57, incident_count=2, missed_count=1),
                (
                    "At 99.9 % the workbook policy would page 8.6 times a month and miss one of "
                    "2 incidents"
                ),
            ),
            (
                policy(policy="own", page_month=1.0, incident_count=1),
                "At 99.9 % its own policy would page once a month and find the only incident",
            ),
        ],
    )
    def test_the_title_says_what_the_chosen_policy_would_do(
        self, row: dict[str, Any], says: str
    ) -> None:
        assert spoken(policy_table([row], choice(), "9:00 to 17:00").title) == says

    def test_incidents_that_paged_are_told_of_all(self) -> None:
        rows = [policy(incident_count=3, missed_count=1), policy(policy="proportional")]
        table = policy_table(rows, choice(), "9:00 to 17:00")
        assert [row["found"] for row in table.rows] == ["2 of 3", "–"]

    def alerts(self, *fired: tuple[int, int | None]) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "severity": ["page"] * len(fired),
                "fired_at": [START + one * HOUR for one, _ in fired],
                "cleared_at": [None if end is None else START + end * HOUR for _, end in fired],
            },
            schema={"severity": pl.String, "fired_at": TIMES, "cleared_at": TIMES},
        )

    def test_the_timeline_says_who_would_have_called_most(self) -> None:
        chart = alert_timeline(
            {"workbook": self.alerts((5, 6), (50, None)), "proportional": self.alerts()},
            pl.DataFrame(),
            WEEK,
            choice(),
        )
        assert chart.title == "Workbook would have paged twice, proportional never"
        # One hour, and from hour 50 to the end of the week at hour 168.
        assert chart.numbers["firing_s"].to_list() == [119 * 3600, 0, 0, 0]
        assert chart.numbers["alert_count"].to_list() == [2, 0, 0, 0]

    def test_silence_is_said(self) -> None:
        chart = alert_timeline({"workbook": self.alerts()}, pl.DataFrame(), WEEK, choice())
        assert chart.title == "No policy would have paged, nor sent a ticket"


class TestFits:
    def fits(self, *says: str) -> pl.DataFrame:
        return pl.DataFrame(
            [
                {
                    "service": f"s{place}",
                    "objective": f"s{place}-availability",
                    "label": "Availability",
                    "target": 0.999,
                    "fit": fit,
                    "window_count": 0 if fit == "unknown" else 13,
                    "met_count": 0,
                    "missed_count": 0,
                    "worst_spent": None,
                    "worst": None,
                    "always_met": None,
                }
                for place, fit in enumerate(says)
            ],
            schema_overrides={"always_met": pl.Float64, "worst_spent": pl.Float64},
        )

    @pytest.mark.parametrize(
        ("says", "title"),
        [
            (("fits", "too_loose", "too_tight"), "One too tight and one too loose of 3 objectives"),
            (("too_loose", "unknown"), "One too loose of 1 objective"),
            (("fits",), "The objective fits its past"),
            (("fits", "fits"), "Every objective fits its past"),
            (("unknown",), "No objective has a whole window of data yet"),
        ],
    )
    def test_the_title_counts_those_that_do_not_fit(
        self, says: tuple[str, ...], title: str
    ) -> None:
        assert fit_table(self.fits(*says)).title == title

    def test_what_needs_somebody_comes_first(self) -> None:
        table = fit_table(self.fits("fits", "unknown", "too_loose", "too_tight"), services=True)
        found = [row["fit"] for row in table.rows]
        assert found == ["too_tight", "too_loose", "fits", "unknown"]
        assert table.payload()["filters"] == ["fit"]


class TestIncidents:
    def agreement(self, *unseen: bool, stretches: int = 0) -> Agreement:
        incidents = pl.DataFrame(
            [
                {
                    "incident_id": f"INC-{place}",
                    "title": "it broke",
                    "severity": "sev2",
                    "started_at": START,
                    "ended_at": START + HOUR,
                    "bad_count": 10.0,
                    "excess_count": 9.6,
                    "spent": 0.0 if one else 0.3,
                    "is_unseen": one,
                }
                for place, one in enumerate(unseen)
            ],
            schema_overrides={} if unseen else {"spent": pl.Float64, "started_at": TIMES},
        )
        runs = pl.DataFrame(
            {
                "start": [START] * stretches,
                "end": [START + 2 * HOUR] * stretches,
                "bad_count": [30.0] * stretches,
                "excess_count": [29.4] * stretches,
                "spent": [0.25] * stretches,
            },
            schema_overrides={"spent": pl.Float64},
        )
        return Agreement(0.001, 100.0, incidents, runs)

    def test_incidents_that_the_sli_did_not_see_are_counted(self) -> None:
        table = incident_spending(self.agreement(True, False, False), choice())
        assert table.title == "One of 3 incidents was not seen by this SLI"
        first = next(iter(table.rows))
        assert first["incident_id"] == "INC-0"
        assert first["excess_count"] == 10

    def test_where_all_were_seen_it_says_so(self) -> None:
        table = incident_spending(self.agreement(False, False), choice())
        assert table.title == "Every incident spent some of this budget"
        alone = incident_spending(self.agreement(True), choice())
        assert alone.title == "This SLI did not see the incident"

    def test_spending_without_an_incident_is_added_up(self) -> None:
        table = unexplained_spending(self.agreement(False, stretches=2), choice())
        assert spoken(table.title) == "50 % of a budget went in 2 stretches without an incident"
        assert next(iter(table.rows))["when"] == "4 Oct 00:00 – 02:00"
        quiet = unexplained_spending(self.agreement(False), choice())
        assert quiet.title == "Nothing much was spent outside incidents"
