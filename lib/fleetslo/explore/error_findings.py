"""What is new among errors, what each group of them did, and what they cost in budget."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import polars as pl

from fleetslo.explore.error_loading import Budget
from fleetslo.reliability.failing.bursts import burst
from fleetslo.reliability.failing.changes import error_changes
from fleetslo.reliability.failing.clumping import Stretch
from fleetslo.reliability.failing.places import standing_out

COMBINATION = ("error", "endpoint", "upstream")
"""What an error is told apart by when it is asked whether it is new."""
_ORDER = {"new": 0, "rose": 0, "fell": 1, "unclear": 2}
_MOST_TIMED = 60  # rows whose onset is looked for; no reader follows more
_TIMES = pl.Datetime("us", "UTC")


def groups(
    before: Stretch, after: Stretch, by: Sequence[str], budget: Budget | None
) -> pl.DataFrame:
    """Return what ``error_changes`` does, with each row's share of the errors and of the budget.

    More columns: ``share`` (of the errors after), ``spent_count`` and ``spent`` (requests of the
    budget, and their share of it; null without a budget), and ``counts_as``: ``fault``, or why it
    costs nothing: ``mistake`` (of a caller), ``outside`` (of what the objective counts),
    ``unbudgeted``.
    """
    rows = error_changes(before, after, by)
    keys = ["is_fault", *by]
    total = int(rows["after_count"].sum())
    rows = rows.with_columns(
        share=pl.col("after_count") / total if total else pl.lit(None, pl.Float64)
    )
    if budget is None:
        rows = rows.with_columns(spent_count=pl.lit(None, pl.Int64), spent=pl.lit(None, pl.Float64))
    else:
        counted = budget.counted(after.errors)
        spent = counted.group_by(keys).agg(spent_count=pl.col("error_count").sum())
        rows = (
            rows.join(spent, on=keys, how="left", nulls_equal=True, maintain_order="left")
            .with_columns(pl.col("spent_count").fill_null(0))
            .with_columns(spent=pl.col("spent_count") / budget.budget_count)
        )
    return rows.with_columns(
        counts_as=pl.when(~pl.col("is_fault"))
        .then(pl.lit("mistake"))
        .when(pl.col("spent").is_null())
        .then(pl.lit("unbudgeted"))
        .when((pl.col("spent_count") == 0) & (pl.col("after_count") > 0))
        .then(pl.lit("outside"))
        .otherwise(pl.lit("fault"))
    )


def news(before: Stretch, after: Stretch, budget: Budget | None) -> pl.DataFrame:
    """Return each combination of error, endpoint and upstream: what is new or rose comes first.

    Columns: those of ``groups``; the ``version`` and the ``region`` that stand out now, with
    their ``_share`` of the errors and ``_request_share`` of the requests (null where none does);
    ``since, until`` (of the stretch that holds most of what is new or more; else null).
    """
    rows = groups(before, after, COMBINATION, budget)
    rows = rows.sort(
        pl.col("change").replace_strict(_ORDER, default=3),
        pl.col("excess_count").abs(),
        pl.col("after_count"),
        descending=[False, True, True],
        nulls_last=True,
        maintain_order=True,
    )
    keys = ["is_fault", *COMBINATION]
    for place in ("version", "region"):
        found = standing_out(after, COMBINATION, place)
        rows = rows.join(found, on=keys, how="left", nulls_equal=True, maintain_order="left")
    grew = rows.filter(pl.col("change").is_in(["new", "rose"])).head(_MOST_TIMED)
    times = [
        _when(after, row) for row in grew.select(*keys, "before_rate", "after_rate").to_dicts()
    ]
    empty = [None] * (rows.height - len(times))
    return rows.with_columns(
        since=pl.Series([one[0] for one in times] + empty, dtype=_TIMES),
        until=pl.Series([one[1] for one in times] + empty, dtype=_TIMES),
    )


def _when(after: Stretch, row: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
    """Return from when to when a combination came at more than half way to its new rate."""
    same = [pl.col(key).eq_missing(pl.lit(row[key])) for key in ("is_fault", *COMBINATION)]
    requests = after.requests.filter(pl.col("endpoint") == row["endpoint"])
    usual_rate = (row["before_rate"] + row["after_rate"]) / 2
    found = burst(after.errors.filter(*same), requests, usual_rate)
    return (found.start, found.end) if found else (None, None)
