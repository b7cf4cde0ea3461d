"""What each alert policy would have done with a target: how often it calls, and what it finds."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import polars as pl

from fleetslo.charts import theme, words
from fleetslo.charts.blocks import Chart, Col, Made, Table
from fleetslo.charts.tuning.choice import Choice
from fleetslo.periods import Period

POLICIES = {"own": "Its own", "workbook": "Workbook", "proportional": "Proportional"}
"""Alert policies that are compared, and what a reader calls each."""

_FORMULA = (
    "an alert fires while both its windows burn faster than its factor (SRE Workbook, table 5-8), "
    "replayed minute by minute; only requests that were certainly bad count"
)
_SHORTEST = 0.004  # of the axis: an alert of ten minutes in 28 days must be seen


def policy_table(rows: Sequence[Mapping[str, Any]], choice: Choice, working: str) -> Table:
    """Return one row per policy: how often it calls in a month, and what it finds.

    Args:
        rows: ``policy`` (a key of ``POLICIES``), ``is_chosen``, ``page_month, ticket_month,
            outside_month`` (pages out of hours), ``incident_count, missed_count``, ``detect_s``
            (the median; null without any) and ``needless_count`` (pages).
        choice: what is tried.
        working: the working hours, as a clause.
    """
    rates = ("page_month", "outside_month", "ticket_month")
    shown = [
        {**row, "found": _found(row), **{key: words.number(row[key], 2) for key in rates}}
        for row in rows
    ]
    chosen = next((row for row in rows if row["is_chosen"]), None)
    return Table(
        title=policy_title(chosen, choice) if chosen else f"{choice.label} has nothing to alert on",
        says=f"{choice.label} at {choice.says}: each policy replayed over the period. Out of hours "
        f"is outside {working}.",
        columns=[
            Col("policy", "Policy", words=POLICIES, head=True),
            Col("page_month", "Pages a month", align="right"),
            Col("outside_month", "of them out of hours", align="right"),
            Col("ticket_month", "Tickets a month", align="right", priority=2),
            Col("found", "Incidents paged", align="right"),
            Col("detect_s", "Half within", "number", format="duration", priority=2),
            Col("needless_count", "Pages outside incidents", "number", priority=3),
        ],
        rows=shown,
        made=Made(
            f"{_FORMULA}; a month is 30 days; time to detect = first page − start of the incident",
            {"Incidents": chosen["incident_count"] if chosen else 0},
            [choice.query, "oncall/incidents"],
        ),
    )


def _found(row: Mapping[str, Any]) -> str:
    if not row["incident_count"]:
        return words.NOTHING
    return f"{row['incident_count'] - row['missed_count']} of {row['incident_count']}"


def policy_title(row: Mapping[str, Any], choice: Choice) -> str:
    """Return what the chosen policy would have done, as a sentence."""
    pages = words.number(row["page_month"], 2)
    often = {"0": "never page", "1": "page once a month"}.get(pages, f"page {pages} times a month")
    name = POLICIES[row["policy"]].lower()
    whose = name if row["policy"] == "own" else f"the {name}"
    title = f"At {choice.says} {whose} policy would {often}"
    missed, total = row["missed_count"], row["incident_count"]
    if not total:
        return title
    if total == 1:
        return f"{title} and {'miss' if missed else 'find'} the only incident"
    return f"{title} and miss {words.numeral(missed)} of {total} incidents"


def alert_timeline(
    alerts: Mapping[str, pl.DataFrame], incidents: pl.DataFrame, period: Period, choice: Choice
) -> Chart:
    """Return when each policy would have called, with the incidents as bands.

    Args:
        alerts: ``Detection.alerts`` by policy, a key of ``POLICIES``.
        incidents: as ``oncall/incidents``.
        period: the time axis.
        choice: what is tried.
    """
    rows = [(policy, severity) for policy in alerts for severity in ("page", "ticket")]
    names = [f"{POLICIES[policy]} · {severity}" for policy, severity in rows]
    fig = theme.figure(height=150 + 26 * len(rows))
    least = period.length * _SHORTEST
    for (policy, severity), name in zip(rows, names, strict=True):
        xs: list[datetime | None] = []
        texts: list[str | None] = []
        for row in alerts[policy].filter(pl.col("severity") == severity).iter_rows(named=True):
            until = min(row["cleared_at"] or period.end, period.end)
            drawn = max(until, row["fired_at"] + least)
            xs += [_naive(row["fired_at"]), _naive(drawn), None]
            texts += [f"{words.span(row['fired_at'], row['cleared_at'])}"] * 2 + [None]
        fig.add_scatter(
            x=xs or [None],
            y=[name if x else None for x in xs] or [name],
            mode="lines",
            line={"width": 11, "color": theme.BLUE if severity == "page" else theme.BLUE_SOFT},
            text=texts,
            hovertemplate="%{text}<extra>" + name + "</extra>",
        )
    fig.update_layout(hovermode="closest")
    fig.update_yaxes(
        type="category", categoryorder="array", categoryarray=names[::-1], showgrid=True,
        range=[-0.6, len(names) - 0.4],
    )  # fmt: skip
    theme.mark_time(fig, None, incidents, start=period.start, end=period.end)
    counted = [
        {
            "policy": POLICIES[policy],
            "severity": severity,
            "alert_count": found.height,
            "firing_s": _firing(found, period),
        }
        for policy, severity in rows
        for found in [alerts[policy].filter(pl.col("severity") == severity)]
    ]
    return Chart(
        title=_timeline_title(counted),
        says=f"{choice.label} at {choice.says}: when each policy would have been firing; bands "
        "are incidents.",
        figure=fig,
        numbers=pl.DataFrame(counted),
        made=Made(_FORMULA, {}, [choice.query, "oncall/incidents"]),
        columns=[
            Col("policy", "Policy", head=True),
            Col("severity", "Alert", "badge"),
            Col("alert_count", "Fired", "number"),
            Col("firing_s", "Firing for", "number", format="duration"),
        ],
    )


def _firing(alerts: pl.DataFrame, period: Period) -> float:
    until = pl.col("cleared_at").fill_null(period.end)
    return float(alerts.select((until - pl.col("fired_at")).dt.total_seconds().sum()).item())


def _timeline_title(counted: Sequence[Mapping[str, Any]]) -> str:
    pages = {row["policy"]: row["alert_count"] for row in counted if row["severity"] == "page"}
    if not any(pages.values()):
        tickets = sum(row["alert_count"] for row in counted)
        return "No policy would have paged" + ("" if tickets else ", nor sent a ticket")
    if len(set(pages.values())) == 1:
        count = next(iter(pages.values()))
        return f"Every policy would have paged {_times(count)}"
    least, most = min(pages, key=pages.__getitem__), max(pages, key=pages.__getitem__)
    return f"{most} would have paged {_times(pages[most])}, {least.lower()} {_times(pages[least])}"


def _times(count: int) -> str:
    return {0: "never", 1: "once", 2: "twice"}.get(count, f"{count} times")


def _naive(at: datetime) -> datetime:
    """Return an instant as Plotly reads it: UTC, without the zone, which it would shift by."""
    return at.astimezone(UTC).replace(tzinfo=None)
