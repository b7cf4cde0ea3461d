"""Explanations scored against what was planted in the demo fleet."""

import json
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from fleetslo.fleet import Fleet, open_fleet
from fleetslo.periods import Period
from fleetslo.reliability.explaining.breakdown import DIMENSIONS
from fleetslo.service import ServiceView

NOTABLE = 0.05  # a planted cause is scored when it made so much of what was bad


@dataclass(frozen=True)
class Score:
    """How well one planted cause was found, for one objective."""

    objective: str
    cause: str
    planted: float
    found: int
    bad: int

    @property
    def points(self) -> float:
        """By how much the share that was found differs from the planted one."""
        return abs(self.found - self.planted) / self.bad


@pytest.fixture
def fleet(tiny: Path) -> Fleet:
    return open_fleet()


@pytest.fixture
def period(fleet: Fleet) -> Period:
    return fleet.period("28d")


def planted(home: Path, period: Period) -> pl.DataFrame:
    """Bad requests that each cause added, by service; events of other indicators are left out."""
    warehouse = home / "warehouse"
    truth = json.loads((warehouse / "truth.json").read_text(encoding="utf-8"))
    events = {(one["service"], one["cause"]) for one in truth["causes"] if one["harms"] == "sli"}
    return (
        pl.read_parquet(warehouse / "truth-minutes-*.parquet")
        .filter(pl.col("minute").is_between(period.start, period.end, closed="left"))
        .group_by("service", "cause")
        .agg(faults=pl.col("extra_error_count").sum(), slow=pl.col("extra_slow_count").sum())
        .with_columns(
            faults=pl.when(pl.struct("service", "cause").is_in(_structs(events)))
            .then(0)
            .otherwise("faults")
        )
        .sort("service", "cause")
    )


def _structs(pairs: set[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"service": service, "cause": cause} for service, cause in sorted(pairs)]


def scores(view: ServiceView, truth: pl.DataFrame) -> list[Score]:
    found = []
    for row in view.judgements.iter_rows(named=True):
        if row["kind"] not in ("availability", "latency") or row["unit"] != "requests":
            continue
        column = "slow" if row["kind"] == "latency" else "faults"
        causes = view.explanation(row["objective"])
        for cause, count in truth.select("cause", column).iter_rows():
            mine = causes.filter(pl.col("cause").str.contains(cause, literal=True))
            found.append(
                Score(row["objective"], cause, count, mine["bad_count"].sum(), row["bad_count"])
            )
    return found


def test_planted_causes_are_found(fleet: Fleet, period: Period, tiny: Path) -> None:
    truth = planted(tiny, period)
    found: list[Score] = []
    for (service,), causes in truth.group_by("service", maintain_order=True):
        found += scores(fleet.service(str(service), period), causes)
    notable = [one for one in found if one.bad and one.planted >= NOTABLE * one.bad]
    assert len(notable) >= 3
    # Each to 10 points of what was bad, and to a tenth of itself.
    assert [one for one in notable if one.points > 0.1] == []
    assert [one for one in notable if abs(one.found - one.planted) > 0.1 * one.planted] == []
    # No more than a tenth of all that was planted is left to nobody.
    lost = sum(max(0.0, one.planted - one.found) for one in found)
    assert lost <= 0.1 * sum(one.planted for one in found)


def test_explanations_and_dimensions_add_up_to_what_is_judged(fleet: Fleet, period: Period) -> None:
    for service in fleet.services(period)["service"]:
        view = fleet.service(service, period)
        for row in view.judgements.iter_rows(named=True):
            causes = view.explanation(row["objective"])
            bad = int(causes["bad_count"].sum())
            if row["unit"] in ("requests", "events"):
                assert bad == row["bad_count"]
            if bad:
                assert causes["spent"].sum() == pytest.approx(row["budget_spent"])
            for dimension in DIMENSIONS:
                values = view.broken_down(row["objective"], dimension)
                assert values["bad_count"].sum() == bad


def test_an_objective_that_is_not_judged_is_not_explained(fleet: Fleet, period: Period) -> None:
    view = fleet.service(fleet.services(period)["service"][0], period)
    assert view.explanation("nothing").is_empty()
    assert view.broken_down("nothing", "endpoint").is_empty()


def test_what_incidents_cost_is_near_what_explains_the_budget(fleet: Fleet, period: Period) -> None:
    costs = fleet.overview(period).incident_costs
    known = costs.filter(pl.col("spent").is_not_null())
    assert known.height >= 1
    assert known["spent"].is_sorted(descending=True)
    for row in known.iter_rows(named=True):
        causes = fleet.service(row["service"], period).explanation(row["objective"])
        mine = causes.filter(pl.col("cause").str.contains(row["incident_id"], literal=True))
        # The quick answer leaves out what lies beside the recorded times, so it is the lesser.
        assert row["bad_count"] <= mine["bad_count"].sum() * 1.1 + 10
