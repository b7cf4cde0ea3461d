"""Two selections of latency beside each other: their quantile curves."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.charts.latency.over_time import FORMULA, QUERY, duration_axis
from fleetslo.errors import NoData
from fleetslo.periods import Period
from fleetslo.reliability import latency

SHIFT_QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99, 0.999)
TICKS = (0.5, 0.9, 0.99, 0.999, 0.9999)
LEAST_BEYOND = 10  # requests beyond a quantile; with fewer it is the luck of a few requests
SAME = 1.05  # a factor under this is about one bucket, the precision of the histogram
_STEP = 0.025  # of the curve's points, in powers of ten of requests beyond


def quantile_curves(
    before: pl.DataFrame,
    after: pl.DataFrame,
    labels: tuple[str, str] = ("before", "after"),
    *,
    height: int = 320,
    width: Literal["full", "half"] = "half",
) -> Chart:
    """Return the quantile functions of two selections over each other.

    Durations are on a logarithmic axis; quantiles are spread by how rare what lies beyond them
    is, so that p99 and p99.9 have as much room as p90. A curve ends where fewer than ten requests
    lie beyond it.

    Args:
        before: rows as of ``latency/hours``, what is compared with.
        after: rows as of ``latency/hours``, what is in question.
        labels: what the two are called.
        height: of the drawing in pixels.
        width: ``full`` or ``half`` of a page.

    Raises:
        NoData: one of the two has no request with a duration.
    """
    sides = distributions(before, after, labels)
    fig = theme.figure(
        *(
            side.curve(colour, line_width)
            for side, colour, line_width in zip(
                sides, (theme.SLATE, theme.BLUE), (1.5, 2.5), strict=True
            )
        ),
        height=height,
    )
    fig.update_layout(showlegend=True, margin_t=30)
    ticks = [q for q in TICKS if q <= max(side.last for side in sides)]
    fig.update_xaxes(
        tickvals=[float(rarity(q)) for q in ticks],
        ticktext=[name(q) for q in ticks],
        tickangle=0,
        showgrid=True,
        unifiedhovertitle={"text": "%{customdata}"},
    )
    drawn = np.concatenate([trace.y for trace in fig.data])
    duration_axis(fig, float(drawn.min()) / 1100, float(drawn.max()) / 900)
    shared = shared_quantiles(sides)
    numbers = pl.DataFrame(
        {
            "quantile": [name(q) for q in shared],
            "before_s": [sides[0].at(q) for q in shared],
            "after_s": [sides[1].at(q) for q in shared],
        },
        schema={"quantile": pl.String, "before_s": pl.Float64, "after_s": pl.Float64},
    ).with_columns(ratio=pl.col("after_s") / pl.col("before_s"))
    return Chart(
        title=_curves_finding(numbers),
        says="The duration that each share of requests stayed under; further right is rarer.",
        figure=fig,
        numbers=numbers,
        made=made(sides, FORMULA),
        width=width,
        height=height,
        columns=sides_columns(labels),
    )


def mark_sides(fig: go.Figure, before: Period, after: Period) -> str:
    """Draw both sides as bars below a time axis, coloured as their curves; return a legend.

    Where both cover the same time (two versions), nothing is drawn and the legend is empty.
    """
    if before == after:
        return ""
    for period, colour in ((before, theme.SLATE), (after, theme.BLUE)):
        fig.add_shape(
            type="rect",
            xref="x",
            yref="y domain",
            x0=period.start.strftime("%Y-%m-%d %H:%M"),
            x1=period.end.strftime("%Y-%m-%d %H:%M"),
            y0=-0.022,
            y1=0,
            fillcolor=colour,
            line={"width": 0},
            name="side",
        )
    return "Bars below: what is compared, grey with blue."


def rarity(q: float | npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return where a quantile stands on the axis: p90 at 1, p99 at 2, p99.9 at 3."""
    return np.asarray(-np.log10(1 - np.asarray(q, dtype=np.float64)))


def name(q: float) -> str:
    """Return what a quantile is called: "p50", "p99.9"."""
    return f"p{round(q * 100, 4):g}"


class Distribution:
    """All durations of a selection, merged."""

    def __init__(self, frame: pl.DataFrame, label: str) -> None:
        whole = latency.merge(frame, [])
        self.label = label
        self.buckets: list[int] = whole["bucket"].to_list()
        self.counts: list[int] = whole["count"].to_list()
        self.duration_count = sum(self.counts)
        if not self.duration_count:
            raise NoData(f"{label}: no request with a duration was recorded")
        self.last = max(0.5, 1 - LEAST_BEYOND / self.duration_count)

    def at(self, q: float) -> float | None:
        """Return a quantile, in seconds."""
        return latency.quantile(self.buckets, self.counts, q)

    def curve(self, colour: str, line_width: float) -> go.Scatter:
        """Return the quantile function as a line that ends where few requests lie beyond."""
        places = np.arange(float(rarity(0.1)), float(rarity(self.last)) + _STEP / 2, _STEP)
        quantiles = 1 - 10**-places
        return go.Scatter(
            x=theme.floats(places),
            y=theme.floats([(self.at(float(q)) or 0.0) * 1000 for q in quantiles]),
            customdata=[name(float(f"{q:.4f}")) for q in quantiles],
            mode="lines",
            name=self.label,
            line={"color": colour, "width": line_width},
            hovertemplate="%{y:.4~g} ms",
        )


def distributions(
    before: pl.DataFrame, after: pl.DataFrame, labels: tuple[str, str]
) -> list[Distribution]:
    """Return the durations of both sides.

    Raises:
        NoData: one of the two has no request with a duration.
    """
    return [
        Distribution(frame, label) for frame, label in zip((before, after), labels, strict=True)
    ]


def shared_quantiles(sides: Sequence[Distribution]) -> list[float]:
    """Return the quantiles that both sides have enough requests for."""
    return [q for q in SHIFT_QUANTILES if q <= min(side.last for side in sides)]


def sides_columns(labels: tuple[str, str]) -> list[Col]:
    """Return the columns of a table of quantiles, before and after."""
    return [
        Col("quantile", "Quantile"),
        Col("before_s", words.capital(labels[0]), "number", format="latency"),
        Col("after_s", words.capital(labels[1]), "number", format="latency"),
        Col("ratio", "Factor", "number", format="ratio"),
    ]


def made(sides: Sequence[Distribution], formula: str) -> Made:
    """Return how numbers of both sides are made."""
    counts = {f"requests with a duration, {side.label}": side.duration_count for side in sides}
    return Made(formula=formula, counts=counts, queries=[QUERY])


def _moved(row: dict[str, float]) -> str:
    low, high = words.latency(row["before_s"]), words.latency(row["after_s"])
    pair = words.bounds(low, high).replace(" – ", " to ")
    return f"{row['quantile']} {'fell' if row['ratio'] < 1 else 'rose'} from {pair}"


def _curves_finding(numbers: pl.DataFrame) -> str:
    """Return where the two curves part, and by how much at the middle and the end."""
    if numbers.is_empty():
        return "Too few requests to compare the two"
    told = numbers.filter(pl.col("quantile").is_in(["p50", "p99"]))
    rows = (told if told.height > 1 else numbers).to_dicts()
    middle, tail = rows[0], rows[-1]
    middle_same, tail_same = (1 / SAME < row["ratio"] < SAME for row in (middle, tail))
    if middle_same and tail_same:
        return (
            f"The two are alike: {middle['quantile']} at {words.latency(middle['after_s'])}, "
            f"{tail['quantile']} at {words.latency(tail['after_s'])}"
        )
    if middle_same:
        return f"Only the tail moved: {_moved(tail)}, {middle['quantile']} stayed"
    if tail_same:
        return f"{_moved(middle)}, {tail['quantile']} stayed"
    if middle is tail:
        return _moved(middle)
    if (middle["ratio"] < 1) == (tail["ratio"] < 1):
        way = "Faster" if tail["ratio"] < 1 else "Slower"
        return f"{way} throughout: {_moved(middle)}, {_moved(tail)}"
    return f"{_moved(middle)}, but {_moved(tail)}"
