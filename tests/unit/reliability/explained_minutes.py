"""Minutes, incidents and rollouts of which it is known what made requests bad.

Ten days of 1,000 requests a minute of which one is bad, so that the usual is one bad request a
minute, to which a test adds harm.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from fleetslo.reliability.explaining.causes import explain

START = datetime(2026, 10, 5, tzinfo=UTC)
DAYS = 10
NAME = "cart-availability"
TIME = pl.Datetime("us", "UTC")
Harm = Mapping[tuple[int, int], int]
"""Bad requests of each minute beside the usual one, by first and last minute (exclusive)."""


def at(minute: int | None) -> datetime | None:
    return None if minute is None else START + timedelta(minutes=minute)


def minutes(harm: Harm | None = None, days: int = DAYS, usual: int = 1) -> pl.DataFrame:
    size = days * 1440
    bad = np.full(size, usual, dtype=np.int64)
    for (first, last), count in (harm or {}).items():
        bad[first:last] += count
    return counted(bad, np.full(size, 1000, dtype=np.int64))


def counted(bad: Any, valid: Any) -> pl.DataFrame:
    bad, valid = np.asarray(bad, dtype=np.int64), np.asarray(valid, dtype=np.int64)
    last = START + timedelta(minutes=len(bad) - 1)
    return pl.DataFrame(
        {
            "objective": [NAME] * len(bad),
            "minute": pl.datetime_range(START, last, "1m", time_unit="us", eager=True),
            "good_count": valid - bad,
            "valid_count": valid,
        }
    )


def incidents(*rows: dict[str, Any]) -> pl.DataFrame:
    """Incidents with ``start``, ``mitigated`` and ``resolved`` given in minutes."""
    return pl.DataFrame(
        [
            {
                "incident_id": row.get("id", f"INC-{number}"),
                "service": row.get("service", "cart"),
                "severity": "sev2",
                "title": row.get("title", "It fails"),
                "started_at": at(row["start"]),
                "detected_at": at(row["start"]),
                "mitigated_at": at(row.get("mitigated")),
                "resolved_at": at(row.get("resolved")),
                "cause": "unknown",
                "caused_by": row.get("by"),
            }
            for number, row in enumerate(rows, 1)
        ],
        schema={
            "incident_id": pl.String, "service": pl.String, "severity": pl.String,
            "title": pl.String, "started_at": TIME, "detected_at": TIME, "mitigated_at": TIME,
            "resolved_at": TIME, "cause": pl.String, "caused_by": pl.String,
        },
    )  # fmt: skip


def deployments(*rows: dict[str, Any]) -> pl.DataFrame:
    """Deployments with ``start`` and ``finish`` given in minutes."""
    return pl.DataFrame(
        [
            {
                "rollout_id": row["id"],
                "version": row.get("version", row["id"]),
                "previous_version": None,
                "traffic_share": row.get("share", 1.0),
                "started_at": at(row["start"]),
                "finished_at": at(row.get("finish", row["start"] + 10)),
                "outcome": row.get("outcome", "succeeded"),
                "rollback_of": row.get("rollback_of"),
                "remediates": row.get("remediates"),
            }
            for row in rows
        ],
        schema={
            "rollout_id": pl.String, "version": pl.String, "previous_version": pl.String,
            "traffic_share": pl.Float64, "started_at": TIME, "finished_at": TIME,
            "outcome": pl.String, "rollback_of": pl.String, "remediates": pl.String,
        },
    )  # fmt: skip


def signals(counts: Mapping[tuple[str, int], int]) -> pl.DataFrame:
    """Failures that name a dependency, by dependency and hour since the start."""
    return pl.DataFrame(
        [
            {"hour": at(hour * 60), "upstream": upstream, "count": count}
            for (upstream, hour), count in counts.items()
        ],
        schema={"hour": TIME, "upstream": pl.String, "count": pl.Int64},
    )


def explained(frame: pl.DataFrame, **given: Any) -> pl.DataFrame:
    """Explain the minutes; what is not given did not happen."""
    none = {
        "incidents": incidents(), "deployments": deployments(), "dependencies": incidents(),
    }  # fmt: skip
    return explain(frame, NAME, **{**none, **given})


def owned(frame: pl.DataFrame) -> dict[str, int]:
    """How many bad requests each cause owns; those that own none are left out."""
    return {row["cause"]: row["bad_count"] for row in frame.to_dicts() if row["bad_count"]}
