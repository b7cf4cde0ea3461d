"""Several services' objectives as one result: the combined SLI, and what each took from it.

Each request counts once and alike, so a service weighs what its traffic weighs. The combined target
is weighted the same way; that makes the combined budget the sum of the services' budgets, which an
average of targets (Grafana's SLO reports) does not. Errors and slowness are never added up: a
request that failed is in no latency objective, and one number for both (GitLab's error budget for
stage groups) cannot say which of them to mend.
"""

import math
from dataclasses import dataclass

import polars as pl

KINDS = ("availability", "latency")
"""What is combined, each by itself: requests that failed, and requests that took too long."""

_SCHEMA = {
    "kind": pl.String,
    "service": pl.String,
    "objective": pl.String,
    "label": pl.String,
    "target": pl.Float64,
    "valid_count": pl.Float64,
    "bad_count": pl.Float64,
    "budget_count": pl.Float64,
    "sli": pl.Float64,
    "weight": pl.Float64,
    "impact": pl.Float64,
    "share": pl.Float64,
}


@dataclass(frozen=True)
class Combined:
    """The result of several services together; ratios are None where nothing was counted.

    Attributes:
        valid_count: all requests that count.
        bad_count: those that were bad, the uncertain ones included.
        budget_count: how many might have been bad: the sum of the services' budgets.
        sli: good ÷ valid.
        target: of the services, weighted by their requests.
        budget_left: 1 − bad ÷ budget; under 0 when overspent. None for a budget of less than one
            request, which nobody can keep.
    """

    valid_count: float
    bad_count: float
    budget_count: float
    sli: float | None
    target: float | None
    budget_left: float | None


def contributions(counts: pl.DataFrame) -> pl.DataFrame:
    """Return one row per kind and service: its weight and what it took from the combined SLI.

    Of several objectives of one kind a service is counted by the one with the most requests, so
    that no request counts twice. Objectives that count no requests (time slices, events,
    composites) cannot be weighed by traffic and are left out; see ``left_out``.

    Args:
        counts: rows of ``service, objective, label, kind, unit, target, valid_count, bad_count``
            over one stretch of time, the same for all.

    Columns: ``kind, service, objective, label, target, valid_count, bad_count, budget_count,
    sli``; ``weight``: its part of all requests; ``impact``: its bad requests over all requests,
    which is what it took from the combined SLI; ``share``: its part of all bad ones, null where
    none was. Over the services of a kind weights add up to 1, impacts to 1 − combined SLI.
    """
    taken = (
        counts.filter(_weighable() & (pl.col("valid_count") > 0))
        .sort("valid_count", "objective", descending=[True, False])
        .unique(["service", "kind"], keep="first", maintain_order=True)
    )
    valid, bad = pl.col("valid_count"), pl.col("bad_count")
    return (
        taken.with_columns(
            pl.col("valid_count", "bad_count").cast(pl.Float64),
            budget_count=(1 - pl.col("target")) * valid,
            sli=1 - bad / valid,
            weight=valid / valid.sum().over("kind"),
            impact=bad / valid.sum().over("kind"),
            share=pl.when(bad.sum().over("kind") > 0).then(bad / bad.sum().over("kind")),
        )
        .select(pl.col(name).cast(dtype) for name, dtype in _SCHEMA.items())
        .sort("kind", "bad_count", "service", descending=[False, True, False])
    )


def left_out(counts: pl.DataFrame) -> list[str]:
    """Return the services, sorted, of which no objective can be weighed by its requests."""
    weighed = set(counts.filter(_weighable())["service"])
    return sorted(set(counts["service"]) - weighed)


def _weighable() -> pl.Expr:
    return pl.col("kind").is_in(KINDS) & (pl.col("unit") == "requests")


def combine(contributed: pl.DataFrame, kind: str) -> Combined:
    """Return the combined result of one kind from rows of ``contributions``."""
    mine = contributed.filter(pl.col("kind") == kind)
    valid = math.fsum(mine["valid_count"])
    bad = math.fsum(mine["bad_count"])
    budget = math.fsum(mine["budget_count"])
    return Combined(
        valid_count=valid,
        bad_count=bad,
        budget_count=budget,
        sli=(valid - bad) / valid if valid else None,
        target=1 - budget / valid if valid else None,
        budget_left=1 - bad / budget if budget >= 1 else None,
    )
