"""What is another verdict or number than it was, as a sentence says it."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period


def restatement(row: Mapping[str, Any]) -> str:
    """Return a window that was published with other numbers, as a sentence says it.

    ``row`` is one of ``reliability.restatements.restatements``.
    """
    was, now = both_slis(row)
    span = Period(row["window_start"], row["window_end"]).label
    return (
        f"`{row['service']}` {row['label'].lower()} of {span}: published {was}, now {now}: "
        f"{row['why']}"
    )


def both_slis(restated: Mapping[str, Any]) -> tuple[str, str]:
    """Return the published and the present SLI, with as many digits as tell them apart."""
    was, now = restated["published_sli"], restated["now_sli"]
    digits = max(
        len(one.partition(words.THIN)[0].partition(".")[2])
        for one in (words.percent(was, against=now), words.percent(now, against=was))
    )
    return words.percent(was, digits), words.percent(now, digits)


def moves(now: pl.DataFrame, before: pl.DataFrame) -> list[str]:
    """Return a clause per objective whose verdict is another one, the worst first."""
    earlier = {(row["service"], row["objective"]): row["verdict"] for row in before.to_dicts()}
    parts = []
    for row in ordered(now):
        was = earlier.get((row["service"], row["objective"]))
        if was is None or was == row["verdict"] or "unjudged" in (was, row["verdict"]):
            continue
        old, new = words.verdict_mark(was).word.lower(), words.verdict_mark(row["verdict"])
        parts.append(
            f"`{row['service']}` {row['label'].lower()} went from {old} to **{new.word.lower()}**"
        )
    return parts
