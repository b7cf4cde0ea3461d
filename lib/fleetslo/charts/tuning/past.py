"""What the past says of a target: every window against it, and every target against the windows."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.charts.tuning.choice import FORMULA, Choice, target_words, within
from fleetslo.reliability.tuning import Support, met_by_target, supported

_HEADROOM = 0.25  # of the range of SLIs, left free above and below the lines


def past_windows(windows: pl.DataFrame, choice: Choice) -> Chart:
    """Return the SLI of every window of the past beside the chosen target.

    Args:
        windows: as ``tuning.past`` returns them.
        choice: what is tried.
    """
    judged = windows.filter("is_judged").sort("end")
    support = supported(judged)
    fig = theme.figure(height=260)
    if judged.height:
        _draw(fig, judged, choice)
    return Chart(
        title=past_title(judged, support, choice),
        says=(
            f"{choice.label}: the SLI of each of {words.plural(judged.height, 'whole window')} of "
            "the past, by the day on which it ended. Dashed: the target that is tried"
            + (", and the present one." if choice.target != choice.present else ".")
            + _unsure(judged)
        ),
        figure=fig,
        numbers=judged.select(
            "end",
            "sli_low",
            *(["sli_high"] if judged["uncertain_count"].sum() else []),
            "good_count",
            "valid_count",
            "coverage",
        ),
        made=Made(
            FORMULA,
            {
                "Windows that can be judged": judged.height,
                "Windows with too little coverage": windows.height - judged.height,
                "SLI of the worst": support.worst,
                "SLI of the median": support.typical,
                "SLI of the best": support.best,
            },
            [choice.query],
        ),
        columns=[
            Col("end", "Window until", "time", format="day"),
            Col("sli_low", "SLI", "percent"),
            *([Col("sli_high", "at most", "percent")] if judged["uncertain_count"].sum() else []),
            Col("good_count", "Good", "number"),
            Col("valid_count", "Valid", "number"),
            Col("coverage", "Coverage", "percent", format="share"),
        ],
    )


def _unsure(judged: pl.DataFrame) -> str:
    if not judged["uncertain_count"].sum():
        return ""
    return " The band holds requests that may have been good."


def _draw(fig: go.Figure, judged: pl.DataFrame, choice: Choice) -> None:
    ends = judged["end"].dt.replace_time_zone(None).to_list()
    low, high = judged["sli_low"], judged["sli_high"]
    if (high > low).any():
        fig.add_scatter(
            x=[*ends, *reversed(ends)],
            y=[*high, *reversed(low.to_list())],
            fill="toself",
            fillcolor=theme.BLUE_FAINT,
            line={"width": 0},
            hoverinfo="skip",
        )
    fig.add_scatter(
        x=ends,
        y=low,
        mode="lines+markers",
        marker={"size": 5},
        line={"color": theme.BLUE},
        name="SLI",
        hovertemplate="%{y:.4%}",
    )
    levels = [choice.target, *([choice.present] if choice.present != choice.target else [])]
    reach = [float(low.min()), float(high.max()), *levels]  # type: ignore[arg-type]
    spare = (max(reach) - min(reach)) * _HEADROOM or (1 - max(reach)) or 0.01
    fig.update_yaxes(
        range=[min(reach) - spare, min(1.0, max(reach) + spare)],
        tickformat=f".{_decimals(spare)}%",
        nticks=6,
    )
    fig.update_xaxes(tickformat="%-d %b", hoverformat="window until %-d %b", nticks=7)
    for level in levels:
        says = "" if level == choice.target else "present "
        theme.level(fig, level, f"{says}target {words.target(level)}")


def _decimals(width: float) -> int:
    """Return how many decimals of a percentage tell ticks apart that are so far from each other."""
    return int(max(0, np.ceil(-np.log10(max(width, 1e-9)) - 2)))


def past_title(judged: pl.DataFrame, support: Support, choice: Choice) -> str:
    """Return the finding on a target: in how many windows it was met, and what always was."""
    if not support.window_count:
        return f"{choice.label}: the data covers no whole window yet"
    row = met_by_target(judged, [choice.target]).row(0, named=True)
    total, missed, unsure = row["window_count"], row["missed_count"], row["unsure_count"]
    tightest = support.always_met
    always = f"{words.target(tightest)} was always met" if tightest else "no target was always met"
    if row["met_count"] == total:
        title = f"{choice.says} was met in {_all(total)}"
        if tightest is not None and tightest > choice.target:
            title += f"; so was {words.target(tightest)}"
        return title
    if missed == total:
        return f"{choice.says} was missed in {_all(total)}; {always}"
    if not missed:
        where = _all(total) if unsure == total else f"{unsure} of {total} windows"
        return f"{choice.says} cannot be judged in {where}; {always}"
    maybe = f" and perhaps {unsure} more" if unsure else ""
    return f"{choice.says} was missed in {missed}{maybe} of {total} windows; {always}"


def _all(total: int) -> str:
    return {1: "the only window", 2: "both windows"}.get(total, f"all {total} windows")


def target_table(windows: pl.DataFrame, choice: Choice, targets: Sequence[float]) -> Table:
    """Return each target with how many windows met it, and what the worst spent of its budget."""
    judged = windows.filter("is_judged")
    support = supported(judged, targets)
    worst = judged.with_columns(bad=1 - pl.col("sli_low"))["bad"].max() if judged.height else None
    rows = [
        {
            **row,
            "share": row["met_count"] / row["window_count"] if row["window_count"] else None,
            "spent": None if worst is None else float(worst) / (1 - row["target"]),  # type: ignore[arg-type]
            "says": _mark(row["target"], choice),
        }
        for row in met_by_target(judged, targets).iter_rows(named=True)
    ]
    met, missed = support.always_met, support.ever_missed
    parts = [f"{words.target(met)} is the tightest target always met"] if met else []
    parts += [f"{words.target(missed)} the loosest ever missed"] if missed else []
    return Table(
        title="; ".join(parts) or f"{choice.label}: no window can be judged",
        says=f"{choice.label}{within(choice.within_s)}: each target against every window.",
        columns=[
            Col("target", "Target", "percent", words=target_words(targets), head=True),
            Col("share", "Windows met", "bar"),
            Col("met_count", "met", "number"),
            Col("unsure_count", "unsure", "number", priority=3),
            Col("missed_count", "missed", "number"),
            Col("spent", "Worst window spent", "percent", format="share", priority=2),
            Col("says", "", priority=3),
        ],
        rows=rows,
        made=Made(FORMULA, {"Windows": judged.height}, [choice.query]),
        empty="No window can be judged.",
    )


def _mark(target: float, choice: Choice) -> str:
    said = ["tried"] if target == choice.target else []
    said += ["present"] if target == choice.present else []
    return ", ".join(said)
