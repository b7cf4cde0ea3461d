"""The budgets of a fleet from its hours, and what a data frame library needs for them at least."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import numpy as np
import polars as pl

from fleetslo.counting import counts_of
from fleetslo.fleet import Fleet
from fleetslo.periods import Period
from fleetslo.reliability.budgets import Rules
from fleetslo.reliability.counts import Stretch
from fleetslo.reliability.judging import Asked, judged
from fleetslo.reliability.slo import Objective
from tests.bench.replaying import OBJECTIVE

SERVICES = 1000
TARGETS = {"availability": 0.999, "latency": 0.99, "freshness": 0.995}
HOURS = 28 * 24
END = datetime(2026, 11, 1, tzinfo=UTC)


def fleet_objectives() -> list[Objective]:
    """Return three objectives of each of the services."""
    return [
        replace(OBJECTIVE, name=name, document=name, service=f"service-{n:04}", target=target)
        for n in range(SERVICES)
        for name, target in TARGETS.items()
    ]


def fleet_hours(objectives: Sequence[Objective]) -> pl.DataFrame:
    """Return a row per objective and hour, with the columns of ``slo/days`` that are counted."""
    rng = np.random.default_rng(7)
    count = len(objectives) * HOURS
    valid = rng.integers(10_000, 90_000, count)
    bad = rng.binomial(valid, 0.0008)
    keys = pl.DataFrame(
        {
            "service": [one.service for one in objectives],
            "objective": [one.name for one in objectives],
            "definition": [one.selector.definition for one in objectives],
        }
    )
    return keys[np.repeat(np.arange(keys.height), HOURS)].with_columns(
        good_count=pl.Series(valid - bad),
        valid_count=pl.Series(valid),
        uncertain_count=pl.Series(np.zeros(count, np.int64)),
        covered_minutes=pl.lit(60, pl.Int64),
    )


class _Hours:
    """A fleet that answers with these hours."""

    def __init__(self, hours: pl.DataFrame) -> None:
        self.hours = hours

    def slo_days(self, period: Period, services: Sequence[str] = ()) -> pl.DataFrame:
        return self.hours


def budgets(hours: pl.DataFrame, objectives: Sequence[Objective]) -> pl.DataFrame:
    """Return the verdict and the numbers of every objective, exactly."""
    stretch = Stretch(END - timedelta(hours=HOURS), END, END)
    window = Period(stretch.start, stretch.end)
    asked = [Asked(one, window, stretch, (stretch,)) for one in objectives]
    counts = counts_of(cast("Fleet", _Hours(hours)), asked)
    return judged(asked, counts, {}, Rules())


def bare(hours: pl.DataFrame) -> Any:
    """Sum the hours and divide in floats: no exactness, no verdict, no reasons."""
    targets = pl.DataFrame({"objective": list(TARGETS), "target": list(TARGETS.values())})
    return (
        hours.group_by("service", "objective", "definition")
        .agg(pl.col("good_count", "valid_count", "uncertain_count", "covered_minutes").sum())
        .join(targets, on="objective")
        .with_columns(
            sli=pl.col("good_count") / pl.col("valid_count"),
            spent=(pl.col("valid_count") - pl.col("good_count"))
            / (pl.col("valid_count") * (1 - pl.col("target"))),
        )
    )
