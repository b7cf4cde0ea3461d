"""Numbers that were published, held against what the data says of the same window now."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import polars as pl

_TIME = pl.Datetime("us", "UTC")
NUMBERS: dict[str, pl.DataType | type[pl.DataType]] = {
    "service": pl.String,
    "objective": pl.String,
    "label": pl.String,
    "unit": pl.String,
    "window_start": _TIME,
    "window_end": _TIME,
    "target": pl.Float64,
    "good_count": pl.Float64,
    "valid_count": pl.Float64,
    "uncertain_count": pl.Float64,
    "bad_count": pl.Float64,
    "sli": pl.Float64,
    "budget_left": pl.Float64,
    "verdict": pl.String,
}
"""What is kept of a judgement when it is published."""

_SAME = 1e-9  # a sum of slices' ratios may come out this much differently in another order


def published_numbers(judgements: pl.DataFrame) -> list[dict[str, Any]]:
    """Return one row per judged window, as plain JSON: what readers were told of it.

    A window that still runs, or in which nothing was counted, is left out: its numbers will
    change without having been wrong.

    Args:
        judgements: ``Fleet.judgements``.
    """
    told = judgements.filter(~pl.col("is_running") & (pl.col("valid_count") > 0))
    return [
        {key: _plain(row[key]) for key in NUMBERS}
        for row in told.select(*NUMBERS).iter_rows(named=True)
    ]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def restatements(published: pl.DataFrame, now: Sequence[pl.DataFrame]) -> list[dict[str, Any]]:
    """Return one row per window whose published counts are no longer what the data says.

    Args:
        published: rows of ``NUMBERS`` and ``published_at``; of one window the newest counts.
        now: frames of ``Fleet.judgements``, each as of some window's end.

    Each row has ``service, objective, label, window_start, window_end, published_at``, then
    ``published_*`` and ``now_*`` of ``sli, budget_left, valid_count, bad_count, verdict``, and
    ``why``. The newest window comes first, the greatest change of the SLI first in it.
    """
    told = {
        _window(row): row for row in published.sort("published_at").iter_rows(named=True)
    }  # the newest of one window wins
    rows = []
    for frame in now:
        for row in frame.iter_rows(named=True):
            before = told.get(_window(row))
            if before is not None and row["valid_count"] and not _same(before, row):
                rows.append(_restated(before, row))
    return sorted(rows, key=lambda row: (-row["window_end"].timestamp(), -_moved(row)))


def _window(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["service"], row["objective"], row["window_start"], row["window_end"]


def _same(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    return before["target"] == now["target"] and all(
        math.isclose(before[key], now[key], rel_tol=_SAME)
        for key in ("good_count", "valid_count", "uncertain_count")
    )


def _moved(row: Mapping[str, Any]) -> float:
    return abs(float(row["now_sli"] or 0) - float(row["published_sli"] or 0))


def _restated(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    compared = ("sli", "budget_left", "valid_count", "bad_count", "verdict")
    return {
        **{key: now[key] for key in ("service", "objective", "label")},
        "window_start": before["window_start"],
        "window_end": before["window_end"],
        "published_at": before["published_at"],
        **{f"published_{key}": before[key] for key in compared},
        **{f"now_{key}": now[key] for key in compared},
        "why": _why(before, now),
    }


def _why(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return what must have happened, told from the counts alone."""
    if before["target"] != now["target"] or before["unit"] != now["unit"]:
        return "the objective was changed"
    if now["valid_count"] > before["valid_count"]:
        return "late data"
    if now["valid_count"] < before["valid_count"]:
        return f"fewer {now['unit']} count now"
    return "corrected data"
