"""Whether an SLI sees what people saw: incidents that spent nothing, spending without an incident.

Frames of counts are those of ``reliability.tuning``, one row per minute or slice. What is usual is
one share for the whole period, unlike in ``reliability.background``, which drifts with the days:
trouble that went on for days without an incident is just what is looked for, and must not pass for
usual.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from fleetslo.periods import Period

_HOUR = timedelta(hours=1)
_EDGE = _HOUR  # incidents are recorded minutes late and closed minutes early

# What makes an hour outside incidents stand out from the background; all of these.
_TIMES_USUAL = 3  # so many times the usual share of bad ones
_SIGMAS = 5  # and beyond chance: standard deviations of a Poisson count
_LEAST_BURN = 1.0  # and faster than the budget lasts
NOTHING_SPENT = 0.01
"""Share of a window's budget: an incident that spent less went unseen, a stretch is no matter."""

_INCIDENTS: dict[str, pl.DataType] = {
    **{name: pl.String() for name in ("incident_id", "title", "severity")},
    **{name: pl.Datetime("us", "UTC") for name in ("started_at", "ended_at")},
    **{name: pl.Float64() for name in ("bad_count", "excess_count", "spent")},
    "is_unseen": pl.Boolean(),
}


@dataclass(frozen=True)
class Agreement:
    """An SLI held against the incidents of the same time.

    Attributes:
        usual: the share of bad ones that is usual: the median hour outside incidents; None where
            nothing was counted outside them.
        budget_count: what a window may lose, as scaled to by the shares below.
        incidents: one row per incident: ``incident_id, title, severity, started_at, ended_at,
            bad_count, excess_count`` (beyond the usual), ``spent`` (share of a window's budget;
            null where nothing was counted) and ``is_unseen`` (it spent next to nothing).
        stretches: one row per stretch of hours outside incidents that was far over the usual and
            spent something, the costliest first: ``start, end, bad_count, excess_count, spent``.
    """

    usual: float | None
    budget_count: float
    incidents: pl.DataFrame
    stretches: pl.DataFrame


def agreement(
    counts: pl.DataFrame,
    incidents: pl.DataFrame,
    period: Period,
    *,
    target: float,
    window: timedelta,
    least_bad: int = 5,
) -> Agreement:
    """Return what each incident spent, and what was spent without one.

    Args:
        counts: minutes of the objective.
        incidents: as ``oncall/incidents``, of the objective's service.
        period: what is looked at; an open incident reaches to its end.
        target: the objective's, or one that is tried.
        window: the objective's length; the budget is that of the period's traffic over it.
        least_bad: bad ones that an hour needs to stand out.
    """
    counts = counts.filter(pl.col("at") >= period.start, pl.col("at") < period.end)
    bad = pl.col("valid_count") - pl.col("good_count")
    minutes = counts.select("at", "valid_count", bad_count=bad).sort("at")
    times = [
        (row["started_at"], min(row["resolved_at"] or period.end, period.end))
        for row in incidents.iter_rows(named=True)
    ]
    hours = (
        minutes.group_by(hour=pl.col("at").dt.truncate("1h"))
        .agg(pl.col("valid_count", "bad_count").sum())
        .filter(pl.col("valid_count") > 0)
        .sort("hour")
        .with_columns(ratio=pl.col("bad_count") / pl.col("valid_count"))
        .filter(~_near(times))
    )
    usual: float | None = hours["ratio"].median()  # type: ignore[assignment]
    budget = (1 - target) * float(minutes["valid_count"].sum()) * (window / period.length)
    return Agreement(
        usual,
        budget,
        _incidents(minutes, incidents, times, usual or 0.0, budget),
        _stretches(hours, usual or 0.0, budget, (1 - target), least_bad),
    )


def _near(times: list[tuple[datetime, datetime]]) -> pl.Expr:
    near = pl.lit(value=False)
    for start, end in times:
        near |= (pl.col("hour") > start - _EDGE - _HOUR) & (pl.col("hour") < end + _EDGE)
    return near


def _incidents(
    minutes: pl.DataFrame,
    incidents: pl.DataFrame,
    times: list[tuple[datetime, datetime]],
    usual: float,
    budget: float,
) -> pl.DataFrame:
    rows = []
    for row, (start, end) in zip(incidents.iter_rows(named=True), times, strict=True):
        first = start.replace(second=0, microsecond=0)
        inside = minutes.filter(pl.col("at") >= first, pl.col("at") < end)
        bad, valid = float(inside["bad_count"].sum()), float(inside["valid_count"].sum())
        excess = max(0.0, bad - usual * valid)
        spent = excess / budget if budget > 0 and inside.height else None
        rows.append(
            {
                "incident_id": row["incident_id"],
                "title": row["title"],
                "severity": row["severity"],
                "started_at": start,
                "ended_at": end,
                "bad_count": bad,
                "excess_count": excess,
                "spent": spent,
                "is_unseen": None if spent is None else spent < NOTHING_SPENT,
            }
        )
    return pl.DataFrame(rows, schema=_INCIDENTS).sort("started_at", "incident_id")


def _stretches(
    hours: pl.DataFrame, usual: float, budget: float, share: float, least_bad: int
) -> pl.DataFrame:
    """Return the runs of hours that stand out; hours that follow each other are one."""
    expected = usual * pl.col("valid_count")
    out = hours.with_columns(excess_count=pl.col("bad_count") - expected).filter(
        pl.col("bad_count") >= least_bad,
        pl.col("ratio") >= _TIMES_USUAL * usual,
        pl.col("ratio") > _LEAST_BURN * share,
        pl.col("excess_count") > _SIGMAS * expected.clip(lower_bound=1).sqrt(),
    )
    return (
        out.with_columns(run=(pl.col("hour").diff() > _HOUR).fill_null(value=False).cum_sum())
        .group_by("run", maintain_order=True)
        .agg(
            start=pl.col("hour").min(),
            end=pl.col("hour").max() + _HOUR,
            bad_count=pl.col("bad_count").sum().cast(pl.Float64),
            excess_count=pl.col("excess_count").sum(),
        )
        .with_columns(
            spent=pl.col("excess_count") / budget if budget > 0 else pl.lit(None, pl.Float64)
        )
        .drop("run")
        .filter(pl.col("spent") >= NOTHING_SPENT)
        .sort("excess_count", "start", descending=[True, False])
    )
