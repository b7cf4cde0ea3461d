"""Each endpoint with its traffic, faults and latency."""

from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.reliability.latency import quantile_frame

# Requests of a source that does not say to which endpoint they went.
_UNNAMED = "(all requests)"


def worst_endpoints(endpoints: pl.DataFrame, *, within_s: float | None = None) -> Table:
    """Return one row per endpoint: traffic, faults and latency, the worst first.

    ``endpoints`` are rows of ``latency/endpoints``: ``endpoint, request_count, error_count,
    latency`` (merged over the period). ``within_s`` is a latency threshold to say how many kept it.
    """
    quantiles = quantile_frame(endpoints, ["endpoint"], [0.5, 0.95, 0.99])
    faults = int(endpoints["error_count"].sum())
    table = (
        endpoints.join(quantiles, on="endpoint", how="left")
        .with_columns(
            fault_ratio=pl.when(pl.col("request_count") > 0).then(
                pl.col("error_count") / pl.col("request_count")
            ),
            share=pl.col("error_count") / faults if faults else pl.lit(None, pl.Float64),
            endpoint=pl.col("endpoint").replace({"": _UNNAMED}),
        )
        .sort("error_count", "request_count", descending=True)
        .drop("latency")
    )
    rows = table.to_dicts()
    return Table(
        title=_endpoint_title(rows, faults, within_s),
        says="Each endpoint with its share of the faults, and its latency over the period.",
        columns=[
            Col("endpoint", "Endpoint", "code"),
            Col("share", "Share of faults", "bar", priority=2),
            Col("fault_ratio", "Faults", "percent"),
            Col("request_count", "Requests", "number", priority=3),
            Col("p50_s", "p50", "number", unit="ms", format="ms", priority=3),
            Col("p95_s", "p95", "number", unit="ms", format="ms", priority=2),
            Col("p99_s", "p99", "number", unit="ms", format="ms"),
        ],
        rows=rows,
        made=Made(
            "faults ÷ requests; quantiles from the merged histogram, known to 4.43 %",
            {"Requests": int(endpoints["request_count"].sum()), "Faults": faults},
            ["latency/endpoints"],
        ),
        empty="No requests were recorded in this period.",
        most=12,
    )


def _endpoint_title(rows: list[dict[str, Any]], faults: int, within_s: float | None) -> str:
    if not rows:
        return "No endpoint was called"
    if [row["endpoint"] for row in rows] == [_UNNAMED]:
        return "The source tells no endpoints apart"
    slow = max(rows, key=lambda row: row["p99_s"] or 0)
    if faults and len(rows) > 1 and (rows[0]["share"] or 0) > 1.5 / len(rows):
        return f"{rows[0]['endpoint']} had {words.share(rows[0]['share'])} of the faults"
    if within_s is not None and (slow["p99_s"] or 0) > within_s:
        return f"{slow['endpoint']} is the slowest: p99 {words.latency(slow['p99_s'])}"
    return "No endpoint stands out"
