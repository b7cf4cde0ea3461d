"""What the past says of a target and a threshold: every window, every target, every threshold."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.reliability.tuning import Support, met_by_target, supported

_FORMULA = (
    "SLI = good ÷ valid of each whole window that the data covers, one for every midnight (UTC) "
    "on which it may end; a window meets a target when its good ÷ valid is at or above it, "
    "compared as whole counts; it cannot be judged where uncertain requests decide, or where the "
    "budget is less than one request"
)
_HEADROOM = 0.25  # of the range of SLIs, left free above and below the lines


@dataclass(frozen=True)
class Choice:
    """What is tried, in words that titles share.

    Attributes:
        label: of the objective: ``Latency of buying``.
        unit: what is counted: ``requests``, ``events`` or ``slices``.
        target: what is tried.
        within_s: likewise, in seconds; None where the objective has no threshold.
        present: the objective's own target.
        query: where the counts come from.
    """

    label: str
    unit: str
    target: float
    within_s: float | None
    present: float
    query: str

    @property
    def says(self) -> str:
        """The choice as a clause: ``99.9 % within 300 ms``."""
        return words.target(self.target) + within(self.within_s)


def within(seconds: float | None) -> str:
    """Return a threshold as the end of a clause, empty for none."""
    return "" if seconds is None else f" within {words.latency(seconds)}"


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
            _FORMULA,
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
        made=Made(_FORMULA, {"Windows": judged.height}, [choice.query]),
        empty="No window can be judged.",
    )


def target_words(targets: Iterable[float]) -> dict[str, str]:
    """Return what a table calls each target: exactly as it was written."""
    return {str(one): words.target(one) for one in targets}


def _mark(target: float, choice: Choice) -> str:
    said = ["tried"] if target == choice.target else []
    said += ["present"] if target == choice.present else []
    return ", ".join(said)


def threshold_map(
    met: pl.DataFrame, choice: Choice, present_s: float, targets: Sequence[float]
) -> Chart:
    """Return how often each target would have been met at each threshold.

    Args:
        met: ``within_s`` with the columns of ``tuning.met_by_target``, and ``worst`` (SLI of the
            worst window), sorted.
        choice: what is tried.
        present_s: the objective's own threshold.
        targets: those across the map.
    """
    thresholds = met["within_s"].unique().sort().to_list()
    shape = (len(thresholds), len(targets))
    total = int(met["window_count"].max() or 0)  # type: ignore[arg-type]
    share = (met["met_count"] / pl.Series([max(total, 1)] * met.height)).to_numpy().reshape(shape)
    sure = met["unsure_count"].to_numpy().reshape(shape)
    names = [words.target(one) for one in targets]
    rows = [words.latency(one) + (" (present)" if one == present_s else "") for one in thresholds]
    fig = theme.figure(
        go.Heatmap(
            z=theme.floats(share),
            x=names,
            y=rows,
            customdata=np.dstack([met["met_count"].to_numpy().reshape(shape), sure]),
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            hovertemplate=(
                "%{x} within %{y}: met in %{customdata[0]} of "
                f"{total} windows, unsure in %{{customdata[1]}}<extra></extra>"
            ),
        ),
        height=90 + 15 * len(thresholds),
        y_title="threshold",
    )
    fig.update_layout(hovermode="closest")
    fig.update_xaxes(type="category", title_text="target", side="top", tickangle=0)
    fig.update_yaxes(type="category", tickfont={"size": 11})
    if choice.target in targets and choice.within_s in thresholds:
        x, y = targets.index(choice.target), thresholds.index(choice.within_s)
        fig.add_shape(
            type="rect",
            x0=x - 0.5,
            x1=x + 0.5,
            y0=y - 0.5,
            y1=y + 0.5,
            line={"color": theme.INK, "width": 2},
        )
    tight = (
        met.filter(pl.col("met_count") == pl.col("window_count"), pl.col("window_count") > 0)
        .group_by("within_s")
        .agg(pl.col("target").max().alias("always_met"))
    )
    numbers = (
        met.group_by("within_s")
        .agg(pl.col("worst").first())
        .join(tight, on="within_s", how="left")
        .sort("within_s")
    )
    return Chart(
        title=_map_title(numbers, choice, total),
        says=(
            f"{choice.label}: the share of {words.plural(total, 'window')} that would have met "
            "each target at each threshold; stronger is more. Framed: what is tried."
        ),
        figure=fig,
        numbers=numbers,
        made=Made(
            "the hours' histograms are summed into each window; requests in buckets at or under "
            "the threshold are good; a threshold inside a bucket leaves that one uncertain, and "
            f"a window counts as met only with all of those bad. {_FORMULA}",
            {"Windows": total, "Thresholds": len(thresholds)},
            ["latency/hours"],
        ),
        columns=[
            Col("within_s", "Threshold", "number", format="latency"),
            Col("worst", "SLI of the worst window", "percent"),
            Col(
                "always_met",
                "Tightest target always met",
                "percent",
                words=target_words(numbers["always_met"].drop_nulls()),
            ),
        ],
    )


def _map_title(numbers: pl.DataFrame, choice: Choice, total: int) -> str:
    if not total:
        return f"{choice.label}: the data covers no whole window yet"
    fast = numbers.filter(pl.col("always_met") >= choice.target)
    if fast.is_empty():
        return f"No threshold tried would always have met {words.target(choice.target)}"
    return (
        f"Of the thresholds tried, {words.latency(fast['within_s'][0])} is the shortest that "
        f"always met {words.target(choice.target)}"
    )
