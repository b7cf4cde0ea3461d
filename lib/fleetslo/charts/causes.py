"""What spent an objective's budget, by cause."""

from collections.abc import Mapping
from typing import Any, Literal

import plotly.graph_objects as go
import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made
from fleetslo.charts.timeline import plotly_text

_NOTABLE = 0.2  # a cause is named when it took this share of all that was bad …
_WORTH = 0.05  # … and this share of the budget
_MOST_BARS = 9
_BAR_PX, _AROUND_PX = 34, 60
_KINDS = {
    "incident": "Incident",
    "deployment": "Deployment",
    "upstream": "Dependency",
    "overlap": "Overlap",
    "background": "Background",
    "unattributed": "Unattributed",
}
_COLOURS = {"background": theme.GREY, "unattributed": theme.SLATE, "overlap": theme.BLUE_SOFT}
_QUERIES = {
    "availability": ["slo/minutes", "oncall/incidents", "delivery/deployments", "errors/hours"],
    "latency": ["slo/minutes", "oncall/incidents", "delivery/deployments", "calls/hours"],
}
_OF_SLICES = " Shared out by bad requests, though the budget is of slices."
_ONE = {"background": "the usual background", "unattributed": "bursts that nothing explains"}


def spent_by_cause(
    explanation: pl.DataFrame,
    judgement: Mapping[str, Any],
    incidents: pl.DataFrame,
    *,
    width: Literal["full", "half"] = "full",
) -> Chart:
    """Return what each cause spent of an objective's budget, as bars; they add up to all of it.

    Args:
        explanation: ``ServiceView.explanation`` of the objective.
        judgement: its row of ``Fleet.judgements``.
        incidents: ``oncall/incidents``, for their severities.
        width: of the chart.
    """
    severities = dict(incidents.select("incident_id", "severity").iter_rows())
    rows = [
        {
            "cause": _named(row),
            "kind": _KINDS[row["kind"]],
            "severity": _severity(row, severities),
            "title": row["title"],
            "spent": row["spent"],
            "share": row["share"],
            "bad_count": row["bad_count"],
            "first": row["first"] if row["kind"] not in _ONE else None,
            "last": row["last"] if row["kind"] not in _ONE else None,
        }
        for row in explanation.iter_rows(named=True)
    ]
    bars = _bars(explanation)
    measure = "spent" if explanation["spent"].null_count() == 0 else "share"
    of = "of the budget" if measure == "spent" else "of all bad"
    values = [bar[measure] or 0.0 for bar in bars]
    fig = theme.figure(
        go.Bar(
            y=[plotly_text(bar["name"]) for bar in bars],
            x=theme.floats(values),
            orientation="h",
            marker={"color": [_COLOURS.get(bar["kind"], theme.BLUE) for bar in bars]},
            text=[words.share(value) for value in values],
            textposition="outside",
            cliponaxis=False,
            customdata=[[bar["bad_count"], plotly_text(bar["title"] or "")] for bar in bars],
            hovertemplate="%{x:.1%} " + of + "<br>%{customdata[0]:,} bad<br>%{customdata[1]}"
            "<extra></extra>",
        ),
        height=_AROUND_PX + _BAR_PX * max(len(bars), 1),
    )
    fig.update_xaxes(tickformat=".0%", range=[0, max([*values, 0.01]) * 1.15], nticks=5)
    fig.update_yaxes(autorange="reversed", type="category")
    fig.update_layout(hovermode="closest")
    has_severity = any(row["severity"] for row in rows)
    return Chart(
        title=_title(explanation, judgement),
        says=f"{judgement['label']}: share {of} by cause; the bars add up to all that was spent. "
        "A cause owns what was bad beyond the usual in its minutes."
        + (_OF_SLICES if judgement.get("unit") == "slices" else ""),
        figure=fig,
        numbers=pl.DataFrame(rows, schema=_NUMBERS),
        made=_made(explanation, judgement),
        width=width,
        columns=[one for one in _COLUMNS if one.key != "severity" or has_severity],
    )


_NUMBERS = pl.Schema(
    {
        "cause": pl.String(), "kind": pl.String(), "severity": pl.String(), "title": pl.String(),
        "spent": pl.Float64(), "share": pl.Float64(), "bad_count": pl.Int64(),
        "first": pl.Datetime("us", "UTC"), "last": pl.Datetime("us", "UTC"),
    }
)  # fmt: skip
_COLUMNS = (
    Col("cause", "Cause"),
    Col("kind", "Kind", "badge", priority=3),
    Col("severity", "Severity", "badge", priority=3),
    Col("title", "What happened", priority=2),
    Col("spent", "Of the budget", "percent", format="share"),
    Col("share", "Of all bad", "percent", format="share", priority=2),
    Col("bad_count", "Bad", "number", priority=2),
    Col("first", "First minute", "time", priority=3),
    Col("last", "Last minute", "time", priority=3),
)


def _named(row: Mapping[str, Any]) -> str:
    """Return a cause as a reader sees it; a service keeps its name as it is written."""
    if row["kind"] == "upstream":
        return row["cause"] if "(" in row["cause"] else f"{row['cause']}, no incident"
    return words.capital(row["cause"]) if row["kind"] != "overlap" else str(row["cause"])


def _severity(row: Mapping[str, Any], severities: Mapping[str, str | None]) -> str | None:
    if row["kind"] not in ("incident", "upstream"):
        return None
    named = [severity for name, severity in severities.items() if name in row["cause"]]
    return next((severity for severity in named if severity), None)


def _bars(explanation: pl.DataFrame) -> list[dict[str, Any]]:
    """Return what is drawn: the causes that spent something, the least of many taken together."""
    rows = [{**row, "name": _named(row)} for row in explanation.to_dicts()]
    causes = [row for row in rows if row["kind"] not in _ONE and row["bad_count"]]
    rest = [row for row in rows if row["kind"] in _ONE]
    if len(causes) > _MOST_BARS:
        few, many = causes[: _MOST_BARS - 1], causes[_MOST_BARS - 1 :]
        together = {
            "name": f"{len(many)} other causes",
            "kind": "other",
            "title": None,
            "bad_count": sum(row["bad_count"] for row in many),
            "share": sum(row["share"] or 0.0 for row in many),
            "spent": sum(row["spent"] or 0.0 for row in many),
        }
        causes = [*few, together]
    return causes + rest


def _title(explanation: pl.DataFrame, judgement: Mapping[str, Any]) -> str:
    label = judgement["label"].lower()
    if not judgement["objective"]:
        return "No objective names this service, so nothing counts as spent"
    if explanation.is_empty():
        return f"No requests were counted, so nothing is known of the {label} budget"
    if not explanation["bad_count"].sum():
        return f"Nothing of the {label} budget was spent"
    rows = explanation.to_dicts()
    first = rows[0]
    measured = first["spent"] is not None
    if first["kind"] not in _ONE and (first["share"] or 0.0) >= _NOTABLE:
        if measured and first["spent"] >= _WORTH:
            return f"{_who(first)} spent {words.share(first['spent'])} of the {label} budget"
        if not measured:
            return f"{_who(first)} made {words.share(first['share'])} of what was bad"
    rest = max((row for row in rows if row["kind"] in _ONE), key=lambda row: row["bad_count"])
    part = (
        f"spent {words.share(rest['spent'])} of the {label} budget"
        if measured
        else f"made {words.share(rest['share'])} of what was bad"
    )
    return f"No single cause stands out: {_ONE[rest['kind']]} {part}"


def _who(row: Mapping[str, Any]) -> str:
    if row["kind"] == "deployment" or (row["kind"] == "incident" and "(rollout " in row["cause"]):
        return "One deployment"
    if row["kind"] == "incident":
        return "One incident"
    if row["kind"] == "upstream":
        return f"Trouble of {row['cause'].partition(' (')[0]}"
    return f"{row['cause']} together"


def _made(explanation: pl.DataFrame, judgement: Mapping[str, Any]) -> Made:
    sums = dict(explanation.group_by("kind").agg(pl.col("bad_count").sum()).iter_rows())
    kind = judgement.get("kind")
    return Made(
        "a cause's part = bad in its minutes − the usual there (the bad share of clean minutes, by "
        "hour of the day and drift, × valid); bursts that touch a cause are its own",
        {
            "Bad requests": int(explanation["bad_count"].sum()),
            "Of causes": sum(count for key, count in sums.items() if key not in _ONE),
            "The usual background": sums.get("background", 0),
            "Unattributed": sums.get("unattributed", 0),
        },
        _QUERIES.get(kind or "", ["slo/minutes", "oncall/incidents", "delivery/deployments"]),
    )
