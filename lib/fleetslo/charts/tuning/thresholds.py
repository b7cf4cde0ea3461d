"""What the past says of a threshold: a map of every threshold and every target."""

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.charts.tuning.choice import FORMULA, Choice, target_words


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
            f"a window counts as met only with all of those bad. {FORMULA}",
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
