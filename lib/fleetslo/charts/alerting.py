"""What alerts would have done: each with the incident it found, each incident with its page."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.reliability.replaying.detection import Detection

_FORMULA = (
    "an alert fires while both its windows burn faster than its factor (SRE Workbook, table 5-8), "
    "replayed minute by minute; only requests that were certainly bad count"
)
_SEVERITIES = {"page": "Page", "ticket": "Ticket"}


def alert_table(found: Detection | None, judgement: Mapping[str, Any]) -> Table:
    """Return the alerts that an objective's policy gives over the period, the newest first.

    Args:
        found: ``ServiceView.detection`` of the objective; None where nothing can be replayed.
        judgement: its row of ``Fleet.judgements``.
    """
    alerts = found.alerts.sort("fired_at", descending=True).to_dicts() if found else []
    rows = [_alert(row) for row in alerts]
    pages = [row for row in rows if row["severity"] == "page"]
    needless = sum(row["is_needless"] for row in pages)
    if not judgement["objective"]:
        title = "No objective names this service, so nothing alerts"
    elif found is None:
        title = f"{judgement['label']} is made of others, so its alerts are not replayed"
    elif not rows:
        title = "No alert would have fired"
    else:
        tickets = len(rows) - len(pages)
        title = words.capital(words.plural(len(pages), "page", spelled=True))
        title += f" and {words.plural(tickets, 'ticket', spelled=True)} would have been sent"
        if pages:
            outside = "none" if not needless else words.numeral(needless)
            title += f"; {outside} of the pages outside incidents"
    return Table(
        title=title,
        says=f"{judgement['label']}: every alert of its policy over the period, replayed.",
        columns=[
            Col("severity", "Alert", "badge", words=_SEVERITIES, head=True),
            Col("fired_at", "Fired (UTC)", "time"),
            Col("lasted_s", "Lasted", "number", format="duration", priority=2),
            Col("windows", "Windows", priority=3),
            Col("budget_spent_at", "Budget gone by then", "percent", format="share", priority=3),
            Col("budget_spent", "When it cleared", "percent", format="share", priority=3),
            Col("found", "Found"),
        ],
        rows=rows,
        made=Made(
            f"{_FORMULA}; budget gone is of the whole window's budget at the usual traffic",
            {"Alerts": len(rows), "Pages": len(pages), "Pages outside incidents": needless},
            ["slo/minutes", "oncall/incidents"],
        ),
        empty="What fires now is told with the verdict."
        if found is None and judgement["objective"]
        else "No condition of its policy was met in this period.",
        most=8,
    )


def _alert(row: Mapping[str, Any]) -> dict[str, Any]:
    cleared = row["cleared_at"]
    long, short = (
        words.window(timedelta(minutes=row[key])) for key in ("long_minutes", "short_minutes")
    )
    factor = words.number(row["factor"])
    return {
        **row,
        "lasted_s": (cleared - row["fired_at"]).total_seconds() if cleared else None,
        "windows": f"{long} and {short} over {factor}{words.THIN}×",
        "found": ", ".join(row["incident_ids"]) if row["incident_ids"] else "no incident",
    }


def detection_table(found: Detection | None, judgement: Mapping[str, Any]) -> Table:
    """Return how soon the first page of a policy would have come in each incident.

    Args:
        found: ``ServiceView.detection`` of the objective; None where nothing can be replayed.
        judgement: its row of ``Fleet.judgements``.
    """
    incidents = found.incidents.sort("started_at", descending=True).to_dicts() if found else []
    rows = [
        {
            **row,
            "what": f"{row['incident_id']}: {row['title']}",
            "after": "not found" if row["is_missed"] else words.duration(row["time_to_detect_s"]),
        }
        for row in incidents
    ]
    missed = sum(row["is_missed"] for row in rows)
    if found is None:
        title = "Its members' alerts are what pages"
    elif not rows:
        title = "There was no incident to find"
    elif missed:
        title = f"{words.capital(words.numeral(missed))} of "
        title += f"{words.plural(len(rows), 'incident')} would not have paged on this objective"
    else:
        slowest = max(row["time_to_detect_s"] for row in rows)
        title = f"Every incident would have paged within {words.duration(slowest)}"
    return Table(
        title=title,
        says=f"{judgement['label']}: from the start of each incident to its first page.",
        columns=[
            Col("what", "Incident", head=True),
            Col("started_at", "Started (UTC)", "time", priority=3),
            Col("after", "Paged after", align="right"),
        ],
        rows=rows,
        made=Made(
            f"time to detect = first page − start of the incident; {_FORMULA}",
            {"Incidents": len(rows), "Without a page": missed},
            ["slo/minutes", "oncall/incidents"],
        ),
        empty="No incident was recorded in this period.",
        width="half",
        most=8,
    )
