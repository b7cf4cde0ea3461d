"""The charts of the two reports, on frames small enough to check by hand."""

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from fleetslo.charts import budget, events, fleet, groups, service, spending
from fleetslo.charts.service import NO_OBJECTIVE
from fleetslo.periods import Period
from fleetslo.reliability.budgets import judge

START = datetime(2026, 10, 4, tzinfo=UTC)
END = datetime(2026, 11, 1, tzinfo=UTC)
PERIOD = Period(START, END)
UTC_TIME = pl.Datetime("us", "UTC")


def judgement(
    good: int, valid: int, uncertain: int = 0, *, name: str = "checkout", **other: Any
) -> dict[str, Any]:
    target, coverage = other.pop("target", 0.999), other.pop("coverage", 1.0)
    found = judge(
        good, valid, uncertain, target=target, window=timedelta(days=28), coverage=coverage,
        page_firing=other.get("page_firing", False),
    )  # fmt: skip
    return {
        "service": name,
        "objective": f"{name}-availability",
        "label": "Availability",
        "kind": "availability",
        "method": "Occurrences",
        "unit": "requests",
        "window_days": 28.0,
        "window_start": START,
        "window_end": END,
        "judged_from": START,
        "is_running": False,
        "is_estimated": False,
        "excluded_minutes": 0,
        "sli_with_excluded": None,
        "bad_with_excluded": None,
        "within_s": None,
        **asdict(found),
        "burn_1h": 0.5,
        "burn_6h": 0.5,
        "alerts": "",
        "page_firing": False,
        **other,
    }


def judgements(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None)


ABOUT = {"service": "checkout", "squad": "Payments", "tier": 1, "catalogued": True}


def typed(base: dict[str, Any], rows: tuple[dict[str, Any], ...]) -> pl.DataFrame:
    """Rows with the types of the contract, whether there are any or not."""
    types = {
        name: UTC_TIME
        if name.endswith("_at")
        else pl.Float64
        if name == "traffic_share"
        else pl.String
        for name in base
    }
    return pl.DataFrame([{**base, **row} for row in rows], schema=types)


def deployments(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "deployment_id": "d1", "rollout_id": "r1", "service": "checkout", "version": "4.18.0",
        "previous_version": "4.17.2", "region": "europe-west1", "strategy": "canary",
        "traffic_share": 1.0, "committed_at": START, "started_at": START, "finished_at": START,
        "outcome": "succeeded", "rollback_of": None, "remediates": None,
    }  # fmt: skip
    return typed(base, rows)


def incidents(*rows: dict[str, Any]) -> pl.DataFrame:
    base = {
        "incident_id": "INC-1", "service": "checkout", "severity": "2", "title": "Errors",
        "started_at": START, "detected_at": START, "mitigated_at": None, "resolved_at": None,
        "cause": "deployment", "caused_by": None,
    }  # fmt: skip
    return typed(base, rows)


def minutes(bad_at: dict[int, int], per_hour: int = 1000) -> pl.DataFrame:
    """One row at the start of every hour of the period; ``bad_at`` says how many were bad."""
    hours = [START + timedelta(hours=hour) for hour in range(28 * 24)]
    return pl.DataFrame(
        {
            "service": "checkout",
            "objective": "checkout-availability",
            "definition": "x",
            "minute": pl.Series(hours, dtype=UTC_TIME),
            "good_count": [per_hour - bad_at.get(i, 0) for i in range(len(hours))],
            "valid_count": per_hour,
            "uncertain_count": 0,
        }
    )


def hours(bad_at: dict[int, int], per_hour: int = 1000) -> pl.DataFrame:
    """What ``spent_by_hour`` makes of the same."""
    return minutes(bad_at, per_hour).select(
        hour="minute",
        valid_count=pl.col("valid_count").cast(pl.Float64),
        bad_count=(pl.col("valid_count") - pl.col("good_count")).cast(pl.Float64),
        covered_minutes=pl.lit(1, pl.Int64),
    )


class TestServiceHead:
    def test_met(self) -> None:
        head = service.head(ABOUT, judgements(judgement(999_600, 1_000_000)), PERIOD, END)
        # 400 bad of a budget of 1,000: 60 % left
        assert head.verdict == "met"
        assert (
            head.sentence
            == "`checkout` met its objective and has **60\u202f%** of its availability budget left."
        )
        assert "data complete to 1 Nov 00:00" in head.covers
        assert head.headline["budget_left"] == pytest.approx(0.6)
        assert head.path[1] == ("Payments squad", "page:squad_review/Payments")

    def test_at_risk_says_only(self) -> None:
        head = service.head(ABOUT, judgements(judgement(999_100, 1_000_000)), PERIOD, END)
        assert head.verdict == "at_risk"
        assert "only **10\u202f%**" in head.sentence

    def test_missed_says_by_how_much(self) -> None:
        # 1,900 bad of a budget of 1,000 overspend it by 90 %
        head = service.head(ABOUT, judgements(judgement(998_100, 1_000_000)), PERIOD, END)
        assert head.verdict == "missed"
        assert "overspent its budget by **90\u202f%**" in head.sentence

    def test_a_cause_that_spent_much_is_named(self) -> None:
        row = judgement(671_600, 672_000)
        # the budget of 672,000 requests at 99.9 % is 672: 336 of it is half
        told = pl.DataFrame(
            {
                "kind": ["background", "incident", "unattributed"],
                "cause": ["the usual background", "INC-7 (rollout r-3)", "unattributed"],
                "bad_count": [400, 336, 0],
                "spent": [400 / 672, 336 / 672, 0.0],
            }
        )
        head = service.head(ABOUT, judgements(row), PERIOD, END, told)
        assert head.sentence.endswith(" `INC-7 (rollout r-3)` alone spent **50\u202f%** of it.")
        little = told.with_columns(spent=pl.col("spent") / 5)
        assert "INC-7" not in service.head(ABOUT, judgements(row), PERIOD, END, little).sentence

    def test_a_burning_service_is_told_so(self) -> None:
        row = judgement(999_900, 1_000_000, page_firing=True, alerts="page 1 h")
        assert "burning fast now (page 1 h)" in service.sentence("checkout", [row], ABOUT)

    def test_not_judged_says_why(self) -> None:
        row = judgement(999_900, 1_000_000, coverage=0.5)
        head = service.head(ABOUT, judgements(row), PERIOD, END)
        assert head.verdict == "unjudged"
        assert "cannot be judged yet: coverage is 50" in head.sentence

    def test_no_objective(self) -> None:
        empty = judgements(judgement(1, 1)).clear()
        head = service.head(ABOUT, empty, PERIOD, END)
        assert head.verdict is None
        assert "has no objective" in head.sentence
        stranger = {**ABOUT, "squad": None, "tier": None, "catalogued": False}
        assert "not in the catalogue" in service.head(stranger, empty, PERIOD, END).sentence
        assert len(service.tiles(empty, {}).tiles) == 2


class TestTiles:
    def test_the_numbers_behind_the_verdict(self) -> None:
        rows = judgements(
            judgement(999_600, 1_000_000),
            judgement(
                990_000, 999_600, 500, target=0.99, kind="latency", label="Latency",
                objective="checkout-latency", within_s=0.3,
            ),
        )  # fmt: skip
        tiles = service.tiles(rows, {"p50_s": 0.04, "p95_s": 0.1, "p99_s": 0.2}).tiles
        assert len(tiles) == 4
        assert tiles[0].label == "Availability, target 99.9\u202f%"
        assert tiles[0].detail == "400 bad of 1.00\u202fM"
        assert tiles[1].label == "Latency, 99\u202f% within 300\u202fms"
        # 990,000 of 999,600 are certainly fast, 990,500 at most
        assert tiles[1].detail.startswith("99.04 – 99.09\u202f%")
        # latency: 9,600 bad of a budget of 9,996: 3.96 % left, so it is the tight one
        assert tiles[2].label == "Latency budget left"

    @pytest.mark.parametrize(
        ("other", "says"),
        [
            ({"burn_1h": None}, "nothing was counted in the last hour"),
            ({"burn_1h": 20.0, "alerts": "page 1 h"}, "alerts firing: page 1 h"),
            ({"burn_1h": 0.0}, "nothing bad"),
            ({"burn_1h": 0.5}, "beyond the window"),
            # 60 % of 28 days at 6 x lasts 28 x 0.6 / 6 = 2.8 days
            ({"burn_1h": 6.0}, "it lasts 2\u202fd 19\u202fh"),
        ],
    )
    def test_what_the_burn_means(self, other: dict[str, Any], says: str) -> None:
        tiles = service.tiles(judgements(judgement(999_600, 1_000_000, **other)), {}).tiles
        assert says in tiles[-1].detail

    def test_slices_are_not_called_requests_within_a_threshold(self) -> None:
        one = judgement(8031, 8064, target=0.99, kind="latency", within_s=0.3, unit="slices")
        tile = service.tiles(judgements(one | {"label": "Usable minutes"}), {}).tiles[0]
        assert tile.label == "Usable minutes, target 99\u202f%"
        assert tile.detail == "33 bad of 8,064 slices"

    def test_no_traffic_shows_a_dash(self) -> None:
        tiles = service.tiles(judgements(judgement(0, 0)), {}).tiles
        assert tiles[0].value == "–"
        assert "no requests" in tiles[-2].detail


def test_what_is_not_known_is_not_called_good() -> None:
    silent = judgement(0, 0)
    nothing = hours({}).clear()
    for chart in (
        budget.budget_left(nothing, silent, PERIOD, deployments(), incidents()),
        budget.burn(nothing, silent, PERIOD, deployments(), incidents()),
    ):
        assert "nothing is known" in chart.title
    bare = dict(NO_OBJECTIVE)
    for chart in (budget.burn(nothing, bare, PERIOD, deployments(), incidents()),):
        assert chart.title.startswith("No objective names this service")


def test_changes_in_a_week() -> None:
    now = judgements(judgement(998_100, 1_000_000))
    before = judgements(judgement(999_600, 1_000_000))
    text = service.changes(now, before).sentence
    assert "from met to **missed**" in text
    assert "fell from 60\u202f% to −90\u202f%" in text
    same = service.changes(before, before)
    assert same.sentence == "**Since a week ago:** nothing changed."
    assert "no earlier verdict" in service.changes(now, before.clear()).sentence


def test_the_fleet_says_whose_verdict_is_another_one() -> None:
    now = judgements(judgement(998_100, 1_000_000), judgement(999_900, 1_000_000, name="search"))
    before = judgements(judgement(999_600, 1_000_000), judgement(999_800, 1_000_000, name="search"))
    changes = fleet.changes(now, before, [])
    assert changes.sentence == (
        "**Since a week ago:** `checkout` availability went from met to **missed**."
    )
    assert changes.payload()["made"]["counts"][2] == ["With another verdict", "1"]
    assert "every verdict is the same" in fleet.changes(now, now, []).sentence
    assert "no verdict to compare" in fleet.changes(now, before.clear(), []).sentence


def test_a_published_number_that_is_another_one_now_is_told() -> None:
    row = {
        "service": "checkout", "objective": "checkout-availability", "label": "Availability",
        "window_start": START, "window_end": END, "published_sli": 0.9991, "now_sli": 0.9990,
        "why": "late data",
    }  # fmt: skip
    now = judgements(judgement(999_600, 1_000_000))
    said = (
        "**Restated:** `checkout` availability of 4 Oct – 1 Nov 2026: published 99.910\u202f%, "
        "now 99.900\u202f%: late data"
    )
    assert service.changes(now, now, [row]).sentence.endswith(f"{said}.")
    assert fleet.changes(now, now, [row, row]).sentence.endswith(f"{said}; and 1 window more.")


class TestBudget:
    def test_one_bad_afternoon_is_the_finding(self) -> None:
        # 28 x 24 hours x 1,000 = 672,000 requests; the budget is 672; 300 are bad in one hour
        row = judgement(671_700, 672_000)
        chart = budget.budget_left(hours({264: 300}), row, PERIOD, deployments(), incidents())
        assert (
            chart.title == "Six hours from 14 Oct 19:00 took 45\u202f% of the availability budget"
        )
        assert chart.numbers["bad_count"].sum() == 300
        assert chart.numbers["budget_left"][-1] == pytest.approx(1 - 300 / 672)
        assert chart.payload()["made"]["counts"][-1][1] == "672"

    def test_a_budget_that_ran_out_says_when(self) -> None:
        row = judgement(672_000 - 1400, 672_000)
        chart = budget.budget_left(
            hours({24: 700, 48: 700}), row, PERIOD, deployments(), incidents()
        )
        assert chart.title.startswith("Availability ran out of budget on 5 Oct")

    def test_even_spending_and_no_requests(self) -> None:
        even = dict.fromkeys(range(0, 672, 3), 1)
        chart = budget.budget_left(
            hours(even), judgement(671_776, 672_000), PERIOD, deployments(), incidents()
        )
        # one bad request every third hour: two in six hours, 2 of 672
        assert chart.title == (
            "Availability spent 33\u202f% of its budget, at most 0.3\u202f% in any six hours"
        )
        none = budget.budget_left(
            hours({}).clear(), dict(NO_OBJECTIVE), PERIOD, deployments(), incidents()
        )
        assert none.title.startswith("No objective names this service")

    def test_burn_names_its_peak(self) -> None:
        row = judgement(671_980, 672_000)
        chart = budget.burn(hours({264: 20}), row, PERIOD, deployments(), incidents())
        # 20 of 1,000 in an hour at 99.9 %: 0.02 / 0.001 = 20 x, in one hour of 672
        assert "up to 20.0\u202f× on 15 Oct 00:00; 1 hour of 672" in chart.title
        calm = budget.burn(hours({}), row, PERIOD, deployments(), incidents())
        assert "never burned faster" in calm.title


class TestSpending:
    def test_the_worst_endpoint_is_named(self) -> None:
        endpoints = pl.DataFrame(
            {
                "service": "checkout",
                "endpoint": ["GET /cart", "POST /orders"],
                "request_count": [1000, 1000],
                "error_count": [1, 99],
                "latency": [[{"bucket": -60, "count": 999}], [{"bucket": -20, "count": 901}]],
                "quality": "exact",
            }
        )
        table = spending.worst_endpoints(endpoints, within_s=0.3)
        assert table.title == "POST /orders had 99\u202f% of the faults"
        calm = spending.worst_endpoints(endpoints.with_columns(error_count=pl.lit(0)), within_s=0.3)
        # bucket -20 ends at 2 ** (-19 / 16) = 0.439 s, over 0.3 s
        assert calm.title.startswith("POST /orders is the slowest")
        assert spending.worst_endpoints(endpoints.clear()).title == "No endpoint was called"
        unnamed = endpoints.head(1).with_columns(endpoint=pl.lit(""))
        title = "The source tells no endpoints apart"
        assert spending.worst_endpoints(unnamed, within_s=0.3).title == title


class TestEvents:
    def test_regions_of_one_rollout_are_one_row_with_the_worst_outcome(self) -> None:
        frame = deployments(
            {"region": "us-east1", "started_at": START + timedelta(minutes=5)},
            {"region": "europe-west1", "outcome": "rolled_back"},
        )
        row = events.rollouts(frame).row(0, named=True)
        assert (row["outcome"], row["regions"]) == ("rolled_back", "europe-west1, us-east1")
        assert row["started_at"] == START

    def test_an_incident_stands_beside_the_rollout_that_it_names(self) -> None:
        table = events.deployment_table(
            deployments({"outcome": "rolled_back"}, {"rollout_id": "r2", "version": "4.19.0"}),
            incidents({"caused_by": "r1", "started_at": START + timedelta(hours=5)}),
        )
        found = {row["version"]: row["incidents"] for row in table.rows}  # type: ignore[index]
        assert found == {"4.18.0": "INC-1 (its cause)", "4.19.0": "–"}
        assert table.title == "One of 2 rollouts was undone or failed"
        near = events.deployment_table(
            deployments({}), incidents({"started_at": START + timedelta(minutes=20)})
        )
        assert near.rows[0]["incidents"] == "INC-1 (soon after)"  # type: ignore[index]
        assert events.deployment_table(deployments(), incidents()).title == "Nothing was deployed"

    def test_incidents_are_summed_up(self) -> None:
        rows = [
            {"incident_id": "A", "resolved_at": START + timedelta(minutes=10)},
            {"incident_id": "B", "resolved_at": START + timedelta(minutes=30)},
            {"incident_id": "C"},
        ]
        table = events.incident_table(incidents(*rows), services=True)
        assert (
            table.title == "Three incidents; half of them lasted under 20\u202fmin; one still open"
        )
        assert [row["incident_id"] for row in table.rows] == ["C", "B", "A"]  # type: ignore[index]
        assert events.incident_table(incidents()).title == "No incidents"


class TestFleet:
    def frames(self) -> tuple[pl.DataFrame, ...]:
        services = pl.DataFrame(
            {
                "service": ["ads", "checkout", "quiet"],
                "squad": ["Ads", "Payments", None],
                "tier": [2, 1, None],
                "catalogued": [True, True, False],
                "request_count": [1_000_000, 1_000_000, None],
                "last_hour": pl.Series([END - timedelta(hours=1)] * 2 + [None], dtype=UTC_TIME),
            }
        )
        judged = judgements(
            judgement(998_000, 1_000_000, name="ads"), judgement(999_600, 1_000_000)
        )
        days = pl.DataFrame(
            {
                "service": ["ads", "checkout"],
                "objective": ["ads-availability", "checkout-availability"],
                "day": pl.Series([START, START], dtype=UTC_TIME),
                "good_count": [998_000, 999_600],
                "valid_count": [1_000_000, 1_000_000],
            }
        )
        latency = pl.DataFrame(
            {
                "service": ["ads", "checkout"],
                "request_count": [1_000_000, 1_000_000],
                "error_count": [2_000, 400],
                "latency": [[{"bucket": -40, "count": 10}], []],
            },
        )
        return (
            services,
            judged,
            days,
            latency,
            deployments({}, {"service": "ads", "rollout_id": "r9"}),
        )

    def test_the_worst_service_comes_first(self) -> None:
        rows = fleet.every_service(*self.frames())
        assert [row["service"] for row in rows] == ["ads", "checkout", "quiet"]
        assert [row["verdict"] for row in rows] == ["missed", "met", None]
        assert rows[0]["spent"] == [2_000]
        assert rows[0]["page"] == "page:service_slo/ads"
        assert rows[2]["budget_left"] is None

    def test_the_sentence_and_the_tiles(self) -> None:
        services, judged, days, latency, shipped = self.frames()
        rows = fleet.every_service(services, judged, days, latency, shipped)
        head = fleet.head(rows, judged, PERIOD, END)
        assert head.sentence == "**1 of 2** services met their objectives; one missed."
        tiles = fleet.tiles(rows, judged, shipped, incidents()).tiles
        # 2,000 + 400 failed of 2 M; ads alone has half of them
        assert tiles[0].value == "50\u202f%"
        assert tiles[1].value == "0.12\u202f%"
        assert tiles[1].detail == "half of them in 1 service"
        assert tiles[2].value == "2"

    def test_a_fleet_without_objectives_is_not_said_to_wait_for_a_verdict(self) -> None:
        services, judged, days, latency, shipped = self.frames()
        rows = fleet.every_service(services, judged.clear(), days.clear(), latency, shipped)
        head = fleet.head(rows, judged.clear(), PERIOD, END)
        assert head.sentence == "No objective names any of 3 services."
        assert fleet.table(rows).title == "One service had half of the failed requests"
        free = fleet.every_service(services, judged.clear(), days.clear(), latency.clear(), shipped)
        assert fleet.table(free).title == "No request of the fleet failed"

    def test_the_table_and_what_burns(self) -> None:
        services, judged, days, latency, shipped = self.frames()
        rows = fleet.every_service(services, judged, days, latency, shipped)
        table = fleet.table(rows)
        assert table.payload()["table"]["count"] == 3
        assert "No service burns" in fleet.burners(rows).title
        hot = [{**rows[0], "burn_1h": 20.0, "alerts": "page 1 h"}]
        assert fleet.burners(hot).title == "ads burned fastest in the last hour: 20.0\u202f×"

    def test_groups(self) -> None:
        services, judged, days, latency, shipped = self.frames()
        rows = fleet.every_service(services, judged, days, latency, shipped)
        squads = groups.by_squad(rows, incidents({}))
        assert squads.title == "Ads has one service that missed its objectives"
        assert groups.by_tier(rows, incidents()).rows[0]["tier"] == "Tier 1"  # type: ignore[index]
        seen = groups.watched(rows, PERIOD)
        assert seen.title == "Every service of tier 1 and 2 has objectives and live telemetry"
        late = groups.watched(rows, PERIOD.next())
        assert late.title.startswith("Two services of tier 1 and 2 lack")
        failures = latency.select("service", "request_count", "error_count").with_columns(
            day=pl.lit(START)
        )
        chart = groups.failed_by_day(failures, PERIOD, shipped, incidents())
        assert chart.numbers["error_count"].to_list() == [2_400]
        assert chart.title == "ads had 83\u202f% of the failed requests"  # 2,000 of 2,400
        table = groups.deployments_by_service(shipped, incidents({"caused_by": "r9"}))
        assert table.title == "All 2 rollouts went through"
        assert table.rows["caused"].to_list() == [1, 0]  # type: ignore[call-overload,index]

    def test_an_empty_fleet_says_so(self) -> None:
        services, judged, days, latency, shipped = (frame.clear() for frame in self.frames())
        rows = fleet.every_service(services, judged, days, latency, shipped)
        assert fleet.head(rows, judged, PERIOD, END).sentence == "The fleet is empty."
        assert fleet.table(rows).title == "There are no services"
        none = latency.with_columns(day=pl.lit(START))
        assert groups.failed_by_day(none, PERIOD, shipped, incidents()).title.startswith(
            "No request"
        )
        assert groups.deployments_by_service(shipped, incidents()).title == "Nothing was deployed"
        assert groups.watched(rows, PERIOD).rows == []

    def test_half(self) -> None:
        assert fleet.half_of([5, 1, 1, 1, 1, 1]) == 1  # 5 of 10
        assert fleet.half_of([1, 1, 1, 1]) == 2
        assert fleet.half_of([]) == 0


def test_sources_name_what_each_was_used_for() -> None:
    freshness = pl.DataFrame(
        {"table_name": ["slo_minutes"], "complete_until": pl.Series([END], dtype=UTC_TIME)}
    )
    payload = events.sources(freshness, PERIOD, "duckdb:///w", lab="x").payload()
    assert payload["run"][1] == ["Warehouse", "Parquet files, read by DuckDB"]  # no local path
    assert events.complete(None, PERIOD) == "no data yet"
    assert events.complete(END, PERIOD) == "data complete to 1 Nov 00:00"
    assert events.complete(END.replace(year=2027), PERIOD) == "data complete to 1 Nov 2027 00:00"
