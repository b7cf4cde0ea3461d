"""A fleet made by hand: checkout slowed down for four hours, search did not."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import polars as pl

from fleetslo.periods import Period
from tests.latency_frames import START, hours

DEPLOYED = START + timedelta(days=10, hours=10, minutes=48)
FIXED = DEPLOYED + timedelta(hours=4)
PERIOD = Period(START + timedelta(days=7), START + timedelta(days=14))
TIMES = pl.Datetime("us", "UTC")


def version(hour: datetime) -> str:
    """Return the version of checkout that serves."""
    if hour < DEPLOYED:
        return "4.17.2"
    return "4.18.0" if hour < FIXED else "4.17.3"


def slower(hour: datetime) -> float:
    """Return by what factor checkout is slow."""
    return 1.9 if version(hour) == "4.18.0" else 1.0


@cache
def served() -> dict[str, pl.DataFrame]:
    """Return the hours of both services; made once, since frames are never changed."""
    return {
        "checkout": hours(
            14,
            endpoints=["GET /cart", "POST /orders"],
            regions=["eu", "us"],
            version=version,
            slower=slower,
        ),
        "search": hours(14, median_s=0.2, endpoints=["GET /search"]).with_columns(
            service=pl.lit("search")
        ),
    }


@dataclass
class Fleet:
    """What explore_latency asks of a fleet, answered from frames."""

    objectives: list[Any] = field(default_factory=list)
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    broken: str = ""

    def __post_init__(self) -> None:
        self.hours = dict(served())
        self.deployments = pl.DataFrame(
            {
                "rollout_id": ["r1", "r1", "r2"],
                "service": ["checkout"] * 3,
                "version": ["4.18.0", "4.18.0", "4.17.3"],
                "region": ["eu", "us", "eu"],
                "started_at": [DEPLOYED, DEPLOYED + timedelta(minutes=9), FIXED],
                "outcome": ["rolled_back", "succeeded", "succeeded"],
            },
            schema_overrides={"started_at": TIMES},
        )
        self.incidents = pl.DataFrame(
            {
                "incident_id": ["INC-1"],
                "service": ["checkout"],
                "title": ["slow"],
                "started_at": [DEPLOYED + timedelta(minutes=10)],
                "resolved_at": [FIXED],
            },
            schema_overrides={"started_at": TIMES, "resolved_at": TIMES},
        )

    def query(self, name: str, *, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        if name == self.broken:
            raise ValueError("the disk is gone")
        self.asked.append((name, tuple(services)))
        match name:
            case "fleet/seen":
                counts = [frame["request_count"].sum() for frame in self.hours.values()]
                return pl.DataFrame({"service": list(self.hours), "request_count": counts})
            case "fleet/freshness":
                tables = ["deployments", "requests_hourly", "slo_minutes"]
                return pl.DataFrame({"table_name": tables, "complete_until": [PERIOD.end] * 3})
            case "latency/hours":
                return self.hours[services[0]]
            case "delivery/deployments":
                return self.deployments.filter(pl.col("service").is_in(list(services)))
            case _:
                return self.incidents.filter(pl.col("service").is_in(list(services)))

    def services(self, period: Period) -> pl.DataFrame:
        return pl.DataFrame({"service": list(self.hours)})

    def objectives_of(self, services: pl.DataFrame) -> list[Any]:
        return self.objectives
