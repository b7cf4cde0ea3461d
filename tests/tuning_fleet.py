"""A fleet made by hand for slo_tuning: checkout broke for an hour, search never did."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.exclusions import Exclusion
from fleetslo.reliability.objectives import Objective, read_objectives, resolve
from fleetslo.settings import Settings
from tests.latency_frames import START, hours

DAYS = 21
PERIOD = Period(START + timedelta(days=14), START + timedelta(days=DAYS))
BROKE = START + timedelta(days=17, hours=3)  # 21 October, 03:00 UTC: a Wednesday night
PER_MINUTE = 100
MINUTE = timedelta(minutes=1)
TIMES = pl.Datetime("us", "UTC")

TEMPLATE = """
apiVersion: openslo/v1
kind: SLO
metadata:
  name: "{service}-availability"
  displayName: availability
  labels: {journey: buying}
  annotations: {fleetslo/for: "tier in (1, 2)", fleetslo/owner: shop}
spec:
  description: Three nines.
  service: "{service}"
  indicatorRef: served
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: served}
spec:
  ratioMetric:
    counter: true
    good: {metricSource: {type: fleetslo, spec: {requests: successful}}}
    total: {metricSource: {type: fleetslo, spec: {requests: all}}}
"""
OWN = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-latency, displayName: latency, labels: {journey: buying}}
spec:
  service: checkout
  indicator:
    metadata: {name: fast}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: fleetslo, spec: {requests: successful, within_s: 0.1}}}
        total: {metricSource: {type: fleetslo, spec: {requests: successful}}}
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.9}]
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-hours, displayName: good hours}
spec:
  service: checkout
  indicatorRef: served
  timeWindow: [{duration: 7d, isRolling: true}]
  budgetingMethod: Timeslices
  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1h}]
"""


def minutes(
    first: datetime, days: float, bad: dict[tuple[datetime, datetime], int]
) -> pl.DataFrame:
    """Return covered minutes of ``PER_MINUTE`` requests, so many bad in each stretch."""
    count = int(days * 1440)
    wrong = np.zeros(count, dtype=np.int64)
    for (start, end), each in bad.items():
        wrong[(start - first) // MINUTE : (end - first) // MINUTE] = each
    return pl.DataFrame(
        {
            "minute": pl.datetime_range(
                first,
                first + count * MINUTE,
                MINUTE,
                closed="left",
                time_unit="us",
                time_zone="UTC",
                eager=True,
            ),
            "good_count": PER_MINUTE - wrong,
            "valid_count": np.full(count, PER_MINUTE, dtype=np.int64),
            "uncertain_count": np.zeros(count, dtype=np.int64),
        }
    )


@cache
def served() -> pl.DataFrame:
    """Return the hours of checkout; made once, since frames are never changed."""
    return hours(DAYS, per_hour=200)


@dataclass
class Warehouse:
    """Where requests are kept by the minute for the newest days alone."""

    days: float = 7
    asked: list[dict[str, Any]] = field(default_factory=list)

    def query(self, name: str, **parameters: Any) -> pl.DataFrame:
        """Return the minutes that are still kept, all good."""
        self.asked.append({"name": name, **parameters})
        first = PERIOD.end - timedelta(days=self.days)
        found = minutes(first, self.days, {}).with_columns(service=pl.lit("checkout"))
        return found.filter(pl.col("minute") >= parameters["start"])


@dataclass
class View:
    """A service whose dependencies broke nothing."""

    incidents: pl.DataFrame

    def felt(self, objective: str) -> pl.DataFrame:
        return self.incidents.clear()


class Fleet:
    """What slo_tuning asks of a fleet, answered from frames."""

    def __init__(self, folder: Path) -> None:
        queries = folder / "written"
        queries.mkdir()
        (queries / "availability.yaml").write_text(TEMPLATE, encoding="utf-8")
        (queries / "checkout.yaml").write_text(OWN, encoding="utf-8")
        self.folder = queries
        self.objectives: list[Objective] = read_objectives(queries)
        self.exclusions: list[Exclusion] = []
        self.settings = Settings(
            project=folder, home=folder, warehouse=f"duckdb://{folder}", alert_least_bad=5
        )
        self.warehouse = Warehouse()
        self.asked: list[str] = []
        self.broken = ""

    def services(self, period: Period) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "service": ["checkout", "search", "batch"],
                "squad": ["Payments", "Search", None],
                "tier": [1, 2, 4],
                "lifecycle": ["production"] * 3,
                "oncall_timezone": ["Europe/Stockholm", None, None],
            }
        )

    def objectives_at(self, period: Period, services: Sequence[str] = ()) -> list[Objective]:
        known = self.services(period)
        if services:
            known = known.filter(pl.col("service").is_in(list(services)))
        return resolve(self.objectives, known.iter_rows(named=True))

    def slo_days(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        found = pl.concat(self._minutes(name) for name in services or ("checkout", "search"))
        return found.group_by(
            "service", "objective", "definition", day=pl.col("minute").dt.truncate("1d")
        ).agg(
            pl.col("good_count", "valid_count", "uncertain_count").sum(),
            covered_minutes=pl.len().cast(pl.Int64),
        )

    def query(self, name: str, *, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        if name == self.broken:
            raise ValueError("the disk is gone")
        self.asked.append(name)
        match name:
            case "slo/minutes":
                return self._minutes(services[0])
            case "latency/hours":
                return served() if services[0] == "checkout" else served().clear()
            case "fleet/freshness":
                tables = ["deployments", "requests_hourly", "slo_minutes"]
                return pl.DataFrame({"table_name": tables, "complete_until": [PERIOD.end] * 3})
            case _:
                return self.incidents.filter(pl.col("service").is_in(list(services)))

    def service(self, name: str, period: Period) -> "View":
        return View(self.incidents)

    @property
    def incidents(self) -> pl.DataFrame:
        return pl.DataFrame(
            {
                "incident_id": ["INC-1", "INC-2"],
                "service": ["checkout"] * 2,
                "severity": ["sev2"] * 2,
                "title": ["half of it failed", "the logo was green"],
                "started_at": [BROKE, BROKE + timedelta(days=2)],
                "detected_at": [BROKE, BROKE + timedelta(days=2)],
                "mitigated_at": [None, None],
                "resolved_at": [BROKE + 60 * MINUTE, BROKE + timedelta(days=2, hours=1)],
            },
            schema_overrides=dict.fromkeys(
                ("started_at", "detected_at", "mitigated_at", "resolved_at"), TIMES
            ),
        )

    def _minutes(self, service: str) -> pl.DataFrame:
        frames = []
        for one in self.objectives_at(PERIOD, [service]):
            bad = {}
            if service == "checkout" and one.selector.within_s is None:
                bad = {(BROKE, BROKE + 60 * MINUTE): PER_MINUTE // 2}
            frames.append(
                minutes(START, DAYS, bad).with_columns(
                    service=pl.lit(service),
                    objective=pl.lit(one.name),
                    definition=pl.lit(one.selector.definition),
                )
            )
        return pl.concat(frames)
