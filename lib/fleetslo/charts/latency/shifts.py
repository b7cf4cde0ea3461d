"""How far each quantile of latency shifted between two selections, with intervals."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col
from fleetslo.charts.latency.compare import (
    distributions,
    made,
    name,
    shared_quantiles,
    sides_columns,
)
from fleetslo.charts.latency.over_time import FORMULA
from fleetslo.reliability import intervals

_INTERVAL = (
    "Each interval holds 95 % of the factors found by drawing whole {block}s many times (block "
    "bootstrap), since requests of one {block} are slow together."
)
_DAYS = 14  # on both sides, for days to be drawn and not hours


def quantile_shifts(
    before: pl.DataFrame,
    after: pl.DataFrame,
    labels: tuple[str, str] = ("before", "after"),
    *,
    resamples: int = 500,
    seed: int = 1,
    height: int = 320,
    width: Literal["full", "half"] = "half",
) -> Chart:
    """Return how far each quantile moved, as a factor with its 95 % interval.

    Args:
        before: rows as of ``latency/hours``, with ``hour``; what is compared with.
        after: rows as of ``latency/hours``, with ``hour``; what is in question.
        labels: what the two are called.
        resamples: draws of the bootstrap.
        seed: of the draws, so that a rerun gives the same interval.
        height: of the drawing in pixels.
        width: ``full`` or ``half`` of a page.

    Raises:
        NoData: one of the two has no request with a duration.
    """
    sides = distributions(before, after, labels)
    shared = shared_quantiles(sides) or [0.5]
    block = _block(before, after)
    shifts = intervals.quantile_shifts(
        before, after, shared, block=block, resamples=resamples, seed=seed
    )
    numbers = pl.DataFrame(
        {
            "quantile": [name(q) for q in shared],
            "before_s": [shift.value_before for shift in shifts],
            "after_s": [shift.value_after for shift in shifts],
            "ratio": [shift.ratio for shift in shifts],
            "low": [shift.low for shift in shifts],
            "high": [shift.high for shift in shifts],
        },
        schema={
            "quantile": pl.String,
            **dict.fromkeys(("before_s", "after_s", "ratio", "low", "high"), pl.Float64),
        },
    )
    return Chart(
        title=_shifts_finding(numbers),
        says=f"Factor of each quantile, {labels[1]} over {labels[0]}; bars: 95 % intervals.",
        figure=_shift_figure(numbers, height),
        numbers=numbers,
        made=made(sides, f"{FORMULA} {_INTERVAL.format(block=block)}"),
        width=width,
        height=height,
        columns=[
            *sides_columns(labels),
            Col("low", "at least", "number", format="ratio", priority=2),
            Col("high", "at most", "number", format="ratio", priority=2),
        ],
    )


def _block(before: pl.DataFrame, after: pl.DataFrame) -> intervals.Block:
    """Return what the bootstrap draws: days where both sides have many, since hours run on."""
    days = (frame["hour"].dt.date().n_unique() for frame in (before, after))
    return "day" if min(days) >= _DAYS else "hour"


def _shifts_finding(numbers: pl.DataFrame) -> str:
    if numbers["low"].is_null().all():
        return "Too few hours to say how sure a shift is"
    rose = numbers.filter(pl.col("low") > 1).to_dicts()
    fell = numbers.filter(pl.col("high") < 1).to_dicts()
    if not rose and not fell:
        return "No quantile moved beyond its interval"
    parts = [
        _shifted(rows, verb, numbers.height)
        for rows, verb in ((rose, "rose"), (fell, "fell"))
        if rows
    ]
    return ", ".join(parts)


def _shifted(rows: Sequence[dict[str, float]], verb: str, of: int) -> str:
    """Return which quantiles moved one way, and by how much the last of them, with its interval."""
    names = [str(row["quantile"]) for row in rows]
    which = (
        f"all from {names[0]} to {names[-1]}" if len(names) == of > 2 else words.listed(names, of)
    )
    last = rows[-1]
    low, high = sorted(abs(last[side] - 1) for side in ("low", "high"))
    interval = words.bounds(words.share(low), words.share(high)).replace(" – ", " to ")
    by = f"by {words.share(abs(last['ratio'] - 1))} ({interval})"
    named = f": {names[-1]} {by}" if len(names) > 1 else f" {by}"
    return f"{words.capital(which) if which[0] == 'a' else which} {verb}{named}"


def _shift_figure(numbers: pl.DataFrame, height: int) -> go.Figure:
    """Return a dot with a bar per quantile; grey where the bar holds 1, which is no change."""
    drawn = numbers.drop_nulls("ratio").with_columns(
        pl.col("low", "high").fill_null(pl.col("ratio"))
    )
    ratio, low, high = (drawn[column].to_numpy() for column in ("ratio", "low", "high"))
    clear = (low > 1) | (high < 1)
    if numbers["low"].is_null().all():
        clear = np.zeros(drawn.height, dtype=np.bool_)
    fig = theme.figure(height=height)
    for colour, chosen in ((theme.GREY, ~clear), (theme.BLUE, clear)):
        if not chosen.any():
            continue
        fig.add_scatter(
            x=ratio[chosen],
            y=drawn["quantile"].filter(pl.Series(chosen)).to_list(),
            error_x={
                "type": "data",
                "array": (high - ratio)[chosen],
                "arrayminus": (ratio - low)[chosen],
                "thickness": 2,
                "width": 5,
                "color": colour,
            },
            mode="markers",
            marker={"size": 9, "color": colour},
            customdata=np.stack([low[chosen], high[chosen]], axis=1),
            hovertemplate=(
                "%{y}: <b>%{x:.2f} ×</b>, between %{customdata[0]:.2f} and %{customdata[1]:.2f}"
                "<extra></extra>"
            ),
        )
    left = min(0.9, *(low / 1.05))
    right = max(1.1, *(high * 1.05))
    ticks = _round_factors(left, right)
    fig.update_xaxes(
        type="log",
        range=[float(np.log10(left)), float(np.log10(right))],
        tickvals=ticks,
        ticktext=[words.ratio(tick) for tick in ticks],
        showgrid=True,
    )
    fig.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=numbers["quantile"].reverse().to_list(),
        showgrid=False,
    )
    fig.add_shape(
        type="line", x0=1, x1=1, y0=0, y1=1, yref="y domain", line={"color": theme.INK, "width": 1}
    )
    fig.update_layout(hovermode="closest")
    return fig


def _round_factors(left: float, right: float) -> list[float]:
    """Return round factors in the range, 1 among them: at most about eight."""
    for factors in (
        (0.8, 0.85, 0.9, 0.95, 1, 1.05, 1.1, 1.15, 1.2, 1.25),
        (0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.6, 1.8, 2),
        (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10),
    ):
        if factors[0] <= left * 1.02 and right <= factors[-1] * 1.02:
            return [float(factor) for factor in factors if left <= factor <= right]
    powers = range(int(np.floor(np.log10(left))), int(np.ceil(np.log10(right))) + 1)
    return [10.0**power for power in powers if left <= 10.0**power <= right]
