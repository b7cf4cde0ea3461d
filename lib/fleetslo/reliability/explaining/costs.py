"""What incidents cost: the part of a service's tightest budget that went while each lasted."""

from collections.abc import Mapping
from datetime import datetime

import polars as pl

from fleetslo.reliability.judging import RANK

_COUNTED = ("requests", "events")  # units in which minutes can be told apart

SCHEMA = pl.Schema(
    {
        "incident_id": pl.String(),
        "service": pl.String(),
        "severity": pl.String(),
        "title": pl.String(),
        "cause": pl.String(),
        "caused_by": pl.String(),
        "started_at": pl.Datetime("us", "UTC"),
        "ended_at": pl.Datetime("us", "UTC"),
        "objective": pl.String(),
        "label": pl.String(),
        "bad_count": pl.Int64(),
        "spent": pl.Float64(),
    }
)
"""The columns of incidents' costs."""


def tightest_of(judgements: pl.DataFrame) -> pl.DataFrame:
    """Return the judgement of each service that needs attention most, counted by the minute."""
    return (
        judgements.filter(pl.col("unit").is_in(_COUNTED))
        .with_columns(rank=pl.col("verdict").replace_strict(RANK, return_dtype=pl.Int64))
        .sort("service", "rank", "budget_left", "objective", nulls_last=True)
        .unique("service", keep="first", maintain_order=True)
        .drop("rank")
    )


def stretches_of(incidents: pl.DataFrame, until: datetime) -> pl.DataFrame:
    """Return incidents with ``ended_at``, when they did no more harm (null while they do).

    Those that began at or after ``until`` are left out. ``stretch_end`` is where they are counted
    to: their end, or ``until``.
    """
    ended = pl.coalesce("mitigated_at", "resolved_at")
    return (
        incidents.filter(pl.col("started_at") < until)
        .with_columns(ended_at=pl.when(ended <= until).then(ended))
        .with_columns(stretch_end=pl.col("ended_at").fill_null(until))
        .sort("started_at", "incident_id")
    )


def incident_costs(
    stretches: pl.DataFrame,
    counts: pl.DataFrame,
    tightest: pl.DataFrame,
    definitions: Mapping[tuple[str, str], str],
) -> pl.DataFrame:
    """Return one row per incident: what it spent of its service's tightest budget.

    An incident's cost is what was bad while it lasted beyond the service's usual, which is the bad
    share outside of all its incidents. It is the quick answer for a fleet; a service's explanation
    also finds what lies before and after the recorded times, and what other causes did.

    Args:
        stretches: what ``stretches_of`` returned.
        counts: ``slo/stretches`` of them, ``stretch`` being the place of the row.
        tightest: what ``tightest_of`` returned.
        definitions: what each objective counts, by service and name.

    Columns: those of incidents, ``ended_at``, ``objective, label, bad_count`` and ``spent``; the
    last four are null where the service has no objective, and the last two without telemetry. The
    dearest comes first.
    """
    known = pl.DataFrame(
        [(*key, definition) for key, definition in definitions.items()],
        schema={"service": pl.String, "objective": pl.String, "definition": pl.String},
        orient="row",
    )
    about = tightest.select(
        "service", "objective", "label", "budget_count",
        whole_bad="bad_count", whole_valid="valid_count",
    ).join(known, on=["service", "objective"])  # fmt: skip
    held = counts.select(
        "service", "objective", "definition",
        pl.col("stretch").cast(pl.Int64), "valid_count",
        inside_bad=pl.col("valid_count") - pl.col("good_count"),
    )  # fmt: skip
    outside_bad = pl.col("whole_bad") - pl.col("inside_bad").sum().over("service")
    outside_valid = pl.col("whole_valid") - pl.col("valid_count").sum().over("service")
    usual = pl.when(outside_valid > 0).then(outside_bad / outside_valid).otherwise(0.0).clip(0, 1)
    excess = (pl.col("inside_bad") - usual * pl.col("valid_count")).clip(0).round()
    return (
        stretches.with_columns(stretch=pl.int_range(pl.len(), dtype=pl.Int64))
        .join(about, on="service", how="left")
        .join(held, on=["service", "objective", "definition", "stretch"], how="left")
        .with_columns(bad_count=excess.cast(pl.Int64))
        .with_columns(
            spent=pl.when(pl.col("budget_count") > 0).then(
                pl.col("bad_count") / pl.col("budget_count")
            )
        )
        .sort(pl.col("spent"), pl.col("incident_id"), descending=[True, False], nulls_last=True)
        .select(SCHEMA.names())
        .cast(SCHEMA)
    )
