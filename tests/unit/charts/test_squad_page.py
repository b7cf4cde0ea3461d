"""A squad's page, on frames small enough to check by hand."""

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.charts.squad import exclusions, impact, objectives, page, policy, spending
from fleetslo.periods import Period
from fleetslo.reliability.budgets import judge
from fleetslo.reliability.combined import contributions
from fleetslo.reliability.exclusions import Exclusion
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.policies import policy_state
from fleetslo.reliability.slo import Objective
from fleetslo.reliability.windows import RollingWindow

START = datetime(2026, 10, 4, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = Period(START, END)
TIME = pl.Datetime("us", "UTC")
THIN = "\u202f"
KEY = ("checkout", "checkout-availability")

SERVICES = pl.DataFrame(
    {
        "service": ["checkout", "gateway"],
        "squad": ["Payments", "Payments"],
        "tier": [1, 2],
        "request_count": [900_000, 100_000],
    }
)


def judgement(good: int, valid: int, service: str = "checkout", **other: Any) -> dict[str, Any]:
    """A judgement of 99.9 % over 28 days, so that 1,000 of a million may be bad."""
    found = judge(
        good, valid, 0, target=other.pop("target", 0.999), window=timedelta(days=28),
        coverage=other.pop("coverage", 1.0), page_firing=other.get("page_firing", False),
    )  # fmt: skip
    return {
        "service": service, "objective": f"{service}-availability", "label": "Availability",
        "kind": "availability", "unit": "requests", "window_days": 28.0, "within_s": None,
        "window_start": START, "window_end": END, "is_running": False, **asdict(found),
        "burn_1h": 0.5, "burn_6h": 0.5, "alerts": "", "page_firing": False,
        "excluded_minutes": 0, "sli_with_excluded": None, "bad_with_excluded": None, **other,
    }  # fmt: skip


def judgements(*rows: dict[str, Any]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows) or [judgement(1, 1)], infer_schema_length=None)
    return frame if rows else frame.clear()


def causes(*rows: tuple[str, str, str, int], budget: int = 1_000) -> pl.DataFrame:
    """Rows of kind, cause, title and bad count of checkout's availability."""
    total = sum(bad for *_, bad in rows)
    found = [
        {
            "service": "checkout", "objective": KEY[1], "label": "Availability", "kind": kind,
            "cause": cause, "title": title, "bad_count": float(bad), "share": bad / total,
            "spent": bad / budget,
        }
        for kind, cause, title, bad in rows
    ]  # fmt: skip
    types = {
        "service": pl.String, "objective": pl.String, "label": pl.String, "kind": pl.String,
        "cause": pl.String, "title": pl.String, "bad_count": pl.Float64, "share": pl.Float64,
        "spent": pl.Float64,
    }  # fmt: skip
    return pl.DataFrame(found, schema=types).sort("spent", descending=True)


def taken(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """What services contribute: rows of service, kind, valid, bad."""
    return contributions(
        pl.DataFrame(
            [
                {
                    "service": service, "objective": f"{service}-{kind}", "label": kind,
                    "kind": kind, "unit": "requests", "target": 0.999, "valid_count": float(valid),
                    "bad_count": float(bad),
                }
                for service, kind, valid, bad in rows
            ],
            schema={
                "service": pl.String, "objective": pl.String, "label": pl.String,
                "kind": pl.String, "unit": pl.String, "target": pl.Float64,
                "valid_count": pl.Float64, "bad_count": pl.Float64,
            },
        )
    )  # fmt: skip


def objective(service: str = "checkout", **other: Any) -> Objective:
    given: dict[str, Any] = {
        "name": f"{service}-availability", "display_name": None, "service": service,
        "selector": Selector(), "target": 0.999, "window": RollingWindow(timedelta(days=28)),
        "method": "Occurrences", "labels": {}, "annotations": {}, "source": "here",
        "for_condition": None, "document": f"{service}-availability", **other,
    }  # fmt: skip
    return Objective(**given)


INCIDENTS = pl.DataFrame(
    schema={
        "incident_id": pl.String, "service": pl.String, "title": pl.String,
        "started_at": TIME, "resolved_at": TIME,
    }
)  # fmt: skip
DEPLOYMENTS = pl.DataFrame(
    schema={
        "service": pl.String, "started_at": TIME, "version": pl.String, "outcome": pl.String,
        "region": pl.String,
    }
)  # fmt: skip

# 600 bad of 1,000 allowed, 1,580 of 1,000, 900 of 1,000
MET, MISSED = judgement(999_400, 1_000_000), judgement(998_420, 1_000_000)
RISKY = judgement(999_100, 1_000_000, "gateway")


def sentence(*rows: dict[str, Any], by: pl.DataFrame | None = None) -> str:
    spent = causes() if by is None else by
    return page.head(SERVICES, judgements(*rows), PERIOD, END, taken(), spent).sentence


class TestHead:
    def test_a_manager_can_repeat_it(self) -> None:
        by = causes(("incident", "INC-7", "Errors", 580), ("background", "usual", "", 1_000))
        told = sentence(MISSED, RISKY, by=by.filter(pl.col("kind") == "incident"))
        assert told == (
            "**Payments** met **1 of 2** objectives; `checkout` overspent its availability budget "
            f"by **58{THIN}%**: incident `INC-7` spent **58{THIN}%** of the budget."
        )

    def test_the_background_can_be_the_culprit_and_what_is_unattributed_cannot(self) -> None:
        usual = causes(("background", "usual", "", 1_500), ("unattributed", "", "", 80))
        assert "the usual background spent **150" in sentence(MISSED, by=usual)
        assert "spent **" not in sentence(MISSED, by=causes(("unattributed", "", "", 1_580)))

    def test_all_met_names_the_least_budget(self) -> None:
        told = sentence(MET, judgement(999_900, 1_000_000, "gateway"))
        assert told == (
            f"**Payments** met **both** objectives; the least budget left is **40{THIN}%**, of "
            "`checkout` availability."
        )

    def test_at_risk_says_only(self) -> None:
        assert f"`gateway` has only **10{THIN}%** of its availability budget" in sentence(
            MET, RISKY
        )

    def test_what_burns_now_is_told(self) -> None:
        firing = judgement(999_900, 1_000_000, page_firing=True, alerts="page 1 h")
        assert "burning fast now (page 1 h)" in sentence(firing)

    def test_further_misses_and_what_cannot_be_judged_are_told(self) -> None:
        other = judgement(998_900, 1_000_000, "gateway")
        dark = judgement(1, 1, "dark", coverage=0.5)
        told = sentence(MISSED, other, dark)
        assert "met **0 of 2** objectives" in told
        assert "; `gateway` availability was missed, too; one cannot be judged yet." in told
        assert sentence(dark).startswith("**Payments** cannot be judged yet: coverage is 50")

    def test_a_squad_without_objectives_says_so(self) -> None:
        assert "has no objective for any of its two services" in sentence()

    def test_what_the_page_carries_for_the_index_and_the_ledger(self) -> None:
        head = page.head(
            SERVICES, judgements(MISSED, RISKY), PERIOD, END,
            taken(("checkout", "availability", 1_000_000, 1_580)), causes(),
        )  # fmt: skip
        assert head.verdict == "missed"
        assert head.path == [("Fleet", "page:fleet_overview"), ("Payments squad", None)]
        assert "1.00\u202fM requests" in head.covers
        assert (head.headline["objectives"], head.headline["missed"]) == (2, 1)
        assert head.headline["sli"] == 0.99842
        assert head.headline["budget_left"] == pytest.approx(-0.58)
        told = head.payload()["published"]
        assert [row["service"] for row in told] == ["checkout", "gateway"]
        assert told[0]["bad_count"] == 1_580


class TestTiles:
    def tiles(self, rows: pl.DataFrame, **other: Any) -> Any:
        policies = {
            (row["service"], row["objective"]): policy_state(row["budget_left"], row["verdict"])
            for row in rows.iter_rows(named=True)
        }
        found = page.tiles(
            rows, other.get("taken", taken()), other.get("week", taken()),
            other.get("policies", policies), other.get("postmortems", {}), INCIDENTS,
        )  # fmt: skip
        return found.tiles

    def test_four_numbers_with_their_counts(self) -> None:
        over = taken(("checkout", "availability", 900, 9), ("gateway", "availability", 100, 0),
                     ("checkout", "latency", 891, 90))  # fmt: skip
        week = taken(("checkout", "availability", 100, 2))
        met, sli, budget, policy = self.tiles(judgements(MISSED, RISKY), taken=over, week=week)
        assert (met.value, met.detail, met.verdict) == ("1 of 2", "1 missed · 1 at risk", "missed")
        # 9 failed of 1,000; 801 of 891 were in time; 98 of 100 succeeded in the last week
        assert sli.value == f"99.10{THIN}%"
        assert sli.detail == f"9 failed of 1,000 · last 7 days 98.0{THIN}% · in time 90{THIN}%"
        assert (budget.value, budget.verdict) == (f"−58{THIN}%", "missed")
        assert budget.detail == "`checkout` availability · 1,580 bad of 1,000 allowed"
        assert (policy.value, policy.detail) == ("Freeze", "`checkout` · 0 incidents")
        assert all(tile.made for tile in (met, sli, budget, policy))

    def test_a_postmortem_is_due_once_per_incident(self) -> None:
        due = {KEY: "INC-7", ("checkout", "checkout-latency"): "INC-7"}
        policy = self.tiles(judgements(MET), postmortems=due)[-1]
        assert (policy.value, policy.detail) == ("Normal", "0 incidents · 1 postmortem due")

    def test_nothing_known_is_a_dash(self) -> None:
        assert [tile.value for tile in self.tiles(judgements())] == ["–"] * 4


class TestChanges:
    def test_verdicts_that_moved_are_named_worst_first(self) -> None:
        before = judgements(MET, judgement(999_900, 1_000_000, "gateway"))
        line = page.changes(judgements(MISSED, RISKY), before, PERIOD, []).sentence
        assert line == (
            "**Since the period before (6 Sep – 4 Oct 2026):** `checkout` availability went from "
            "met to **missed** and `gateway` availability went from met to **at risk**."
        )

    def test_no_change_and_nothing_to_compare_with(self) -> None:
        same = judgements(MET)
        assert "every verdict is the same" in page.changes(same, same, PERIOD, []).sentence
        dark = judgements(judgement(1, 1, coverage=0.3))
        line = page.changes(same, dark, PERIOD, []).sentence
        assert f"there is no verdict of it to compare with: coverage is 30{THIN}%" in line

    def test_a_restatement_says_both_numbers_and_why(self) -> None:
        restated = {
            "service": "checkout", "label": "Availability", "objective": KEY[1],
            "window_start": START, "window_end": END, "published_sli": 0.9991, "now_sli": 0.9990,
            "why": "late data",
        }  # fmt: skip
        same = judgements(MET)
        line = page.changes(same, same, PERIOD, [restated] * 3).sentence
        assert (
            f"**Restated:** `checkout` availability of 4 Oct – 1 Nov 2026: published 99.910{THIN}%, "
            f"now 99.900{THIN}%: late data; "
        ) in line
        assert line.endswith("; and 1 window more.")
        table = objectives.changed_table(same, same, [restated], PERIOD)
        assert table.rows[0]["restated"].startswith(f"99.910{THIN}% → 99.900{THIN}%: late data")

    def test_the_greatest_move_is_the_finding(self) -> None:
        before = judgements(judgement(999_500, 1_000_000), judgement(999_200, 1_000_000, "gateway"))
        now = judgements(MISSED, RISKY)
        # checkout from 50 % left to -58 %, gateway from 20 % to 10 %
        table = objectives.changed_table(now, before, [], PERIOD)
        assert table.title == (
            f"checkout availability fell most: budget left went from 50{THIN}% to −58{THIN}%"
        )
        unknown = objectives.changed_table(now, before.clear(), [], PERIOD)
        assert unknown.title == "There is no earlier verdict to compare with"

    def test_a_month_s_third_day_is_not_held_against_its_last(self) -> None:
        # 97 % left on the third day and 20 % on the last: the month went by, and nothing else.
        before = judgements(judgement(999_970, 1_000_000, is_running=True))
        now = judgements(judgement(999_200, 1_000_000, is_running=True))
        table = objectives.changed_table(now, before, [], PERIOD)
        assert table.title == "There is no earlier window that has ended to compare with"
        (row,) = table.rows  # type: ignore[misc]
        assert (row["left_before"], row["budget_left"]) == (pytest.approx(0.97), pytest.approx(0.2))


class TestObjectives:
    def rows(self, *rows: dict[str, Any], week: int = 0, **row: tuple[int, bool]) -> Any:
        counts = pl.DataFrame(
            {
                "service": [one["service"] for one in rows],
                "objective": [one["objective"] for one in rows],
                "week_bad_count": [float(week)] * len(rows),
            }
        )
        in_a_row = {(name, f"{name}-availability"): value for name, value in row.items()}
        last = Period(END - timedelta(days=7), END)
        return objectives.objective_rows(judgements(*rows), counts, in_a_row, last)

    def test_what_went_in_a_week_is_a_share_of_the_windows_budget(self) -> None:
        (row,) = self.rows(MET, week=250)
        assert row["spent_week"] == pytest.approx(0.25)  # 250 of the 1,000 that may be bad
        # What was bad before a month began is not of that month's budget.
        (young,) = self.rows({**MET, "window_start": END - timedelta(days=3)}, week=250)
        assert young["spent_week"] is None

    def test_a_name_tells_what_is_counted_where_that_is_no_request(self) -> None:
        (sliced,) = self.rows({**MET, "unit": "slices"})
        assert sliced["name"] == "checkout availability (slices)"
        (added,) = self.rows({**MET, "unit": "burn"})
        assert (added["name"], added["bad_count"]) == ("checkout availability", None)

    def test_a_row_of_misses_is_the_finding_and_says_where_nothing_is_known(self) -> None:
        rows = self.rows(MISSED, checkout=(3, True))
        assert rows[0]["row_says"] == "3 or more"
        table = objectives.objective_table(rows, {})
        assert table.title == "checkout overspent its availability budget 3 periods in a row"
        assert self.rows(MISSED, checkout=(3, False))[0]["row_says"] == "3"
        assert self.rows(MET)[0]["row_says"] is None

    @pytest.mark.parametrize(
        ("rows", "title"),
        [
            ((MISSED,), "checkout availability was missed"),
            ((MET, RISKY), "None was missed; gateway availability is at risk"),
            ((MET,), "No objective was missed or is at risk"),
            ((), "No objective names a service of the squad"),
        ],
    )
    def test_the_title_is_what_was_found(self, rows: Any, title: str) -> None:
        assert objectives.objective_table(self.rows(*rows), {}).title == title

    def test_what_cannot_be_measured_is_named_with_the_reason(self) -> None:
        foreign = objective(name="checkout-saturation", unmeasured="its source is prometheus")
        table = objectives.objective_table(self.rows(MET), {KEY: foreign})
        assert "Not measured here: `checkout-saturation` (its source is prometheus)." in table.says


class TestImpact:
    def test_a_service_that_hurts_more_than_its_traffic_is_the_finding(self) -> None:
        chart = impact.errors(
            taken(("big", "availability", 9_000, 3), ("small", "availability", 1_000, 12))
        )
        assert chart.title == f"small caused 80{THIN}% of the errors with 10{THIN}% of the requests"
        # 9,985 good of 10,000; the targets allow 10 bad, so 15 overspend by half
        assert f"errors: 99.85{THIN}%, where the targets ask for 99.90{THIN}%; " in chart.says
        assert chart.says.endswith(f"the combined budget is overspent by 50{THIN}%.")
        assert chart.numbers["bad_count"].sum() == 15
        assert chart.numbers["impact"].sum() == pytest.approx(0.0015)

    def test_fall_backs(self) -> None:
        alike = taken(("a", "latency", 500, 5), ("b", "latency", 500, 4))
        assert impact.slowness(alike).title.endswith("about its part of the requests")
        alone = impact.errors(taken(("a", "availability", 1_000, 1)))
        assert alone.title == f"a is alone: 0.10{THIN}% of its requests failed"
        assert impact.errors(taken(("a", "availability", 9, 0))).title == "No request failed"
        nothing = impact.errors(taken(), ["indexer"])
        assert nothing.title == "No objective counts failed requests"
        named = impact.errors(taken(("a", "availability", 9, 1)), ["indexer"])
        assert "Not weighed, as no objective counts requests: indexer." in named.says

    def test_a_large_squad_is_drawn_with_the_rest_as_one(self) -> None:
        many = taken(*[(f"s{i:02}", "availability", 100, 30 - i) for i in range(12)])
        chart = impact.errors(many)
        assert list(chart.figure.data[0].y)[-1] == "3 others"
        assert sum(chart.figure.data[1].x) == pytest.approx(1)
        assert chart.numbers.height == 12

    def test_every_service_has_its_part_of_the_traffic(self) -> None:
        table = impact.traffic_table(SERVICES, taken(("checkout", "availability", 900, 9)))
        assert [row["traffic"] for row in table.rows] == [0.9, 0.1]
        assert [row["errors"] for row in table.rows] == [0.01, None]
        assert table.title == f"checkout has 90{THIN}% of the squad's traffic"
        assert "Without an objective that is weighed: gateway." in table.says


def days(*rows: tuple[str, int, float | None]) -> pl.DataFrame:
    """Rows of service, day of the period and the share of the budget that went on it."""
    return pl.DataFrame(
        [
            {
                "service": service, "objective": f"{service}-availability",
                "label": "Availability", "day": (START + timedelta(days=day)).date(),
                "bad_count": None if spent is None else spent * 1_000, "spent": spent,
            }
            for service, day, spent in rows
        ],
        schema={
            "service": pl.String, "objective": pl.String, "label": pl.String, "day": pl.Date,
            "bad_count": pl.Float64, "spent": pl.Float64,
        },
    )  # fmt: skip


class TestSpending:
    def chart(self, found: pl.DataFrame, *rows: dict[str, Any]) -> Any:
        return spending.spent_by_day(found, judgements(*rows), PERIOD, DEPLOYMENTS, INCIDENTS)

    def test_a_day_that_took_much_is_the_finding(self) -> None:
        chart = self.chart(days(("checkout", 11, 0.58), ("checkout", 12, None)), MISSED)
        assert chart.title == f"15 Oct alone took 58{THIN}% of checkout's availability budget"
        grid = chart.figure.data[0].z
        assert grid.shape == (1, 28)
        assert grid[0][11] == pytest.approx(0.58)
        assert str(grid[0][12]) == "nan"  # no telemetry is a gap, not nothing
        assert chart.numbers["day"].to_list() == [date(2026, 10, 15)]

    def test_fall_backs(self) -> None:
        calm = self.chart(days(("checkout", 3, 0.04)), MET)
        assert calm.title == f"No day stands out: none took more than 4{THIN}% of a budget"
        assert "No day spent anything" in self.chart(days(("checkout", 3, 0.0)), MET).title
        assert self.chart(days()).title == "No objective of the squad can be judged"

    def test_the_cause_that_took_most_is_the_finding(self) -> None:
        found = causes(
            ("background", "usual background", "", 800),
            ("incident", "INC-7", "Errors <b>", 580),
            ("unattributed", "unattributed", "", 0),
        )
        table = spending.top_causes(found)
        assert table.title == (f"Incident INC-7 spent 58{THIN}% of checkout's availability budget")
        assert [row["what"] for row in table.rows] == ["usual background", "INC-7: Errors <b>"]
        usual = spending.top_causes(found.filter(pl.col("kind") == "background"))
        assert usual.title.startswith("No single cause stands out")
        assert spending.top_causes(causes()).title == "Nothing was spent"


class TestPolicy:
    def table(self, *rows: dict[str, Any], **other: Any) -> Any:
        policies = {
            (row["service"], row["objective"]): policy_state(row["budget_left"], row["verdict"])
            for row in rows
        }
        return policy.policy_table(
            judgements(*rows), policies, other.get("postmortems", {}),
            other.get("objectives", {}), PERIOD,
        )  # fmt: skip

    def test_the_hardest_state_comes_first_and_is_the_finding(self) -> None:
        table = self.table(RISKY, MISSED)
        assert [row["state"] for row in table.rows] == ["freeze", "slow_down"]
        assert table.title == "checkout halts releases until back within budget"
        assert self.table(RISKY).title == "gateway slows down: little budget is left"
        assert self.table(MET).title == "Releases proceed as usual"
        dark = self.table(judgement(1, 1, coverage=0.5))
        assert dark.title.endswith("the policy asks for nothing")

    def test_the_incident_that_needs_a_postmortem_is_named(self) -> None:
        rows = self.table(MET, RISKY, postmortems={KEY: "INC-7"}).rows
        assert {row["service"]: row["postmortem"] for row in rows} == {
            "checkout": "INC-7",
            "gateway": None,
        }

    def test_whose_it_is_and_how_old_its_review_is(self) -> None:
        mine = objective(
            annotations={"fleetslo/owner": "Ada", "fleetslo/reviewed": "2026-09-01"}
        )  # fmt: skip
        table = self.table(MET, RISKY, objectives={KEY: mine})
        by_service = {row["service"]: row for row in table.rows}
        assert (by_service["checkout"]["owner"], by_service["checkout"]["review"]) == (
            "Ada",
            "1 Sep",
        )
        assert by_service["gateway"]["review"] == "Not said"
        assert "One without a date of review, one without a named owner." in table.says

    @pytest.mark.parametrize(
        ("reviewed", "told"),
        [
            (None, "Not said"),
            (date(2026, 5, 2), "2 May"),  # 183 days before 1 Nov
            (date(2026, 5, 1), "1 May, long ago"),
            (date(2025, 5, 1), "1 May 2025, long ago"),
        ],
    )
    def test_half_a_year_without_a_review_is_told(self, reviewed: date | None, told: str) -> None:
        assert policy.review(reviewed, PERIOD) == told


class TestExclusions:
    PATCHING = Exclusion(
        name="patching", display_name="Patching", reason="agreed with support",
        starts=datetime.fromisoformat("2026-10-10 02:00"), lasts=timedelta(hours=2), recurrence=None,
        skipped=frozenset(), zone="UTC", condition=None, services=("checkout",), objectives=(),
        source="here",
    )  # fmt: skip

    def table(self, *rows: dict[str, Any]) -> Any:
        return exclusions.exclusion_table(
            [self.PATCHING], judgements(*rows), {KEY: objective()}, SERVICES
        )

    def test_both_numbers_and_the_reason(self) -> None:
        told = {"excluded_minutes": 120, "sli_with_excluded": 0.9991, "bad_with_excluded": 900.0}
        table = self.table({**MET, **told})
        assert (table.rows[0]["bad"], table.rows[0]["bad_with"]) == (MET["bad_count"], 900)
        assert table.rows[0]["why"] == "Patching: agreed with support"
        assert table.title == f"2{THIN}h of checkout's availability window are not counted"

    def test_an_objective_met_only_by_what_is_excluded_is_told(self) -> None:
        table = self.table({**MET, "excluded_minutes": 120, "sli_with_excluded": 0.9985})
        assert table.title == "checkout met its availability objective only by what is excluded"

    def test_nothing_excluded(self) -> None:
        assert self.table(MET).title == "Nothing is excluded"
        assert self.table(MET).rows == []
