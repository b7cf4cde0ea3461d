"""How a budget was spent over time: minutes in, hours and hours' burn out."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import polars as pl

from fleetslo.periods import Period
from fleetslo.reliability.budgets import Number
from fleetslo.reliability.composites import parts
from fleetslo.reliability.counts import Counted, Stretch, is_added
from fleetslo.reliability.exclusions import without
from fleetslo.reliability.expected import expected_whole
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.slices import (
    cut,
    finished_slices,
    judged_slices,
    slice_minutes,
    whole_slices,
)

HOURS = {
    "hour": pl.Datetime("us", "UTC"),
    "valid_count": pl.Float64(),
    "bad_count": pl.Float64(),
    "covered_minutes": pl.Int64(),
}
"""The columns of ``spent_by_hour``."""

_HOUR = timedelta(hours=1)
_MINUTE = timedelta(minutes=1)


def spent_by_hour(
    minutes: pl.DataFrame,
    objective: Objective,
    window: Period,
    excluded: Sequence[Period] = (),
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return one row per hour of a window: what was counted, in the objective's unit.

    Args:
        minutes: rows of ``slo/minutes`` of its service, those of a composite's members included.
        objective: measured, or a composite of measured ones.
        window: all that is judged, from ``judged_from`` on; it may still run.
        excluded: what is not counted of it, merged.
        until: as far as was judged; None is all of it.

    Columns: ``hour, valid_count, bad_count, covered_minutes``. Counts add up to those of the
    judgement; ``bad_count`` counts the uncertain ones as bad. They are null in an hour without
    telemetry, 0 in one without traffic. A slice counts in the hour in which it ends. In the unit
    ``burn`` of a window that runs, volumes ahead are expected to be those so far.
    """
    own = minutes.filter(pl.col("minute").is_between(window.start, window.end, closed="left"))
    until = window.end if until is None else min(until, window.end)
    stretch = Stretch(window.start, window.end, until, tuple(excluded))
    own = without(own.filter(pl.col("minute") < stretch.until), excluded)
    counted = _counted(own, objective, stretch).with_columns(
        pl.col(name).cast(kind) for name, kind in HOURS.items()
    )
    first = window.start.replace(minute=0, second=0, microsecond=0)
    hours = pl.DataFrame(
        {
            "hour": pl.datetime_range(
                first, window.end, "1h", closed="left", time_unit="us", time_zone="UTC", eager=True
            )
        }
    )
    return (
        hours.join(counted, on="hour", how="left")
        .with_columns(pl.col("covered_minutes").fill_null(0))
        .sort("hour")
    )


def _counted(minutes: pl.DataFrame, objective: Objective, stretch: Stretch) -> pl.DataFrame:
    if is_added(objective):
        return _added(minutes, objective, stretch)
    if objective.method != "Occurrences":
        return _sliced(minutes, objective, stretch)
    return (
        as_defined(minutes, [objective])
        .group_by(pl.col("minute").dt.truncate("1h").alias("hour"))
        .agg(
            pl.col("valid_count").sum(),
            bad_count=(pl.col("valid_count") - pl.col("good_count")).sum(),
            covered_minutes=pl.len(),
        )
    )


def as_defined(rows: pl.DataFrame, objectives: Iterable[Objective]) -> pl.DataFrame:
    """Return the rows of these objectives, or of a composite's members, as they are defined now.

    ``rows`` have an ``objective`` and a ``definition``.
    """
    measured = pl.DataFrame(
        [(part.name, part.selector.definition) for one in objectives for part in one.measured],
        schema={"objective": pl.String, "definition": pl.String},
        orient="row",
    ).unique()
    return rows.join(measured, on=["objective", "definition"], how="semi")


def _sliced(minutes: pl.DataFrame, objective: Objective, stretch: Stretch) -> pl.DataFrame:
    length = slice_minutes(objective)
    own = as_defined(minutes, [objective])
    grid = finished_slices(stretch, length)
    slices = judged_slices(cut(own, stretch.start, length), grid, [objective])
    ends = stretch.start + (pl.col("slice") + 1) * (length * _MINUTE)
    counted = (
        slices.filter((pl.col("objective") == objective.name) & (pl.col("valid") > 0))
        .with_columns(
            # The last of a window may be cut short by its end.
            hour=(pl.min_horizontal(ends, pl.lit(stretch.end)) - _MINUTE).dt.truncate("1h")
        )
        .group_by("hour")
        .agg(
            valid_count=pl.col("valid").sum(),
            bad_count=(pl.col("valid") - pl.col("good")).sum(),
        )
    )
    covered = own.group_by(pl.col("minute").dt.truncate("1h").alias("hour")).agg(
        covered_minutes=pl.col("minute").n_unique()
    )
    joined = covered.join(counted, on="hour", how="full", coalesce=True)
    # An hour that reported while a longer slice went on counted nothing yet.
    return joined.with_columns(pl.col("valid_count", "bad_count").fill_null(0.0))


def _added(minutes: pl.DataFrame, objective: Objective, stretch: Stretch) -> pl.DataFrame:
    frames = [_counted(minutes, member, stretch) for member in objective.members]
    counts = []
    for member, frame in zip(objective.members, frames, strict=True):
        valid = Counted(0, _exact(frame), 0, 0, 0, _whole(member, _exact(frame), stretch))
        counts.append(valid)
    weighed = [
        frame.select(
            "hour",
            valid_count=pl.col("valid_count") * float(part.brings),
            bad_count=pl.col("bad_count") * float(part.spends),
            covered_minutes="covered_minutes",
        )
        for frame, part in zip(frames, parts(objective, counts), strict=True)
    ]
    return (
        pl.concat(weighed)
        .group_by("hour")
        .agg(pl.col("valid_count", "bad_count").sum(), pl.col("covered_minutes").min())
    )


def _exact(hours: pl.DataFrame) -> int:
    return round(hours["valid_count"].sum())


def _whole(member: Objective, valid: int, stretch: Stretch) -> Number:
    if member.method != "Occurrences":
        return whole_slices(stretch, slice_minutes(member))
    return expected_whole(valid, stretch.minutes, stretch.whole_minutes - stretch.minutes, None)


def spent_over_time(hours: pl.DataFrame, budget_count: float) -> pl.DataFrame:
    """Return the hours with ``budget_left``: the share of the whole budget left after each hour.

    Negative is overspent. Null in an hour without telemetry, since nothing is known there.
    ``budget_count`` is the budget of the whole window, in the unit of the counts; 0 leaves every
    row null.
    """
    if budget_count <= 0:
        return hours.with_columns(budget_left=pl.lit(None, dtype=pl.Float64))
    so_far = pl.col("bad_count").fill_null(0).cum_sum()
    left = 1.0 - so_far / budget_count
    return hours.with_columns(budget_left=pl.when(pl.col("valid_count").is_not_null()).then(left))


def burn_by_hour(hours: pl.DataFrame, target: float) -> pl.DataFrame:
    """Return the hours with ``burn``: bad share over allowed share; null without traffic."""
    ratio = pl.col("bad_count") / pl.col("valid_count") / (1.0 - target)
    return hours.with_columns(burn=pl.when(pl.col("valid_count") > 0).then(ratio))


def worst_stretch(hours: pl.DataFrame, length: timedelta) -> tuple[datetime, float] | None:
    """Return the start of the stretch of this length that took most, and its share of all bad.

    The stretch begins on the hour. None when nothing was bad.
    """
    total = hours["bad_count"].sum()
    if not total:
        return None
    width = length // _HOUR
    rolled = hours.select(
        "hour",
        taken=pl.col("bad_count")
        .fill_null(0)
        .reverse()
        .rolling_sum(width, min_samples=1)
        .reverse(),
    )
    best = rolled.sort("taken", descending=True, maintain_order=True).row(0)
    return best[0], best[1] / total
