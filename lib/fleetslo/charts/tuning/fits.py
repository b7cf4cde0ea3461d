"""Whether objectives fit: too loose, too tight; and whether their SLIs saw the incidents."""

from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.tuning.choice import Choice, target_words
from fleetslo.reliability.agreement import NOTHING_SPENT, Agreement
from fleetslo.reliability.tuning import LOOSE_SPENT

FITS = {
    "too_tight": "Too tight",
    "too_loose": "Too loose",
    "fits": "Fits",
    "unknown": "Cannot tell yet",
}
"""What a fit is called; in the order in which they need somebody."""

_BEYOND = (
    "beyond the usual = bad − valid × the usual share of bad, which is that of the median hour "
    "outside incidents; of the budget of a whole window at the period's traffic"
)


def fit_table(fits: pl.DataFrame, *, services: bool = False) -> Table:
    """Return each objective with whether its target fits the past, those that do not first.

    Args:
        fits: ``service, objective, label, target, fit, window_count, met_count, missed_count,
            worst_spent, worst, always_met``.
        services: whether they are of several services, which are then named.
    """
    order = {name: place for place, name in enumerate(FITS)}
    rows = sorted(
        fits.iter_rows(named=True),
        key=lambda row: (order[row["fit"]], row["service"], row["objective"]),
    )
    shown = [{**row, "met": _met(row)} for row in rows]
    return Table(
        title=_fit_title(fits),
        says="Each objective held against every whole window of the past that the data covers.",
        columns=[
            *([Col("service", "Service", head=True)] if services else []),
            Col("label", "Objective", head=not services),
            Col("fit", "Target", "badge", words=FITS),
            Col("target", "Present", "percent", words=target_words(fits["target"])),
            Col(
                "always_met",
                "Tightest always met",
                "percent",
                words=target_words(fits["always_met"].drop_nulls()),
            ),
            Col("met", "Windows met", align="right", priority=2),
            Col("worst_spent", "Worst window spent", "percent", format="share", priority=3),
        ],
        rows=shown,
        filters=["fit"] if services else [],
        search=services,
        made=Made(
            "too tight: missed in every window; too loose: never missed, and no window spent more "
            f"than {words.share(LOOSE_SPENT)} of its budget, so that a target four times as strict "
            "was always met; cannot tell: no covered window, or a budget of less than one request",
            {says: fits.filter(pl.col("fit") == fit).height for fit, says in FITS.items()},
            ["slo/minutes" if not services else "slo/days"],
        ),
        empty="There is no objective that fleetslo can measure.",
        most=12,
    )


def _met(row: dict[str, Any]) -> str:
    return f"{row['met_count']} of {row['window_count']}" if row["window_count"] else words.NOTHING


def _fit_title(fits: pl.DataFrame) -> str:
    counted = {fit: fits.filter(pl.col("fit") == fit).height for fit in FITS}
    parts = [
        f"{words.numeral(counted[fit])} {FITS[fit].lower()}"
        for fit in ("too_tight", "too_loose")
        if counted[fit]
    ]
    known = fits.height - counted["unknown"]
    if not known:
        return "No objective has a whole window of data yet"
    if not parts:
        return "Every objective fits its past" if known > 1 else "The objective fits its past"
    return words.capital(f"{' and '.join(parts)} of {words.plural(known, 'objective')}")


def incident_spending(found: Agreement, choice: Choice) -> Table:
    """Return what each incident spent of the budget; those that the SLI did not see first."""
    rows = [
        {**row, "what": f"{row['incident_id']}: {row['title']}"}
        for row in found.incidents.sort("spent", nulls_last=True).iter_rows(named=True)
    ]
    unseen = sum(row["is_unseen"] is True for row in rows)
    if not rows:
        title = "No incident was recorded to hold the SLI against"
    elif len(rows) == 1:
        title = (
            "This SLI did not see the incident"
            if unseen
            else "The incident spent some of this budget"
        )
    elif unseen:
        verb = "was" if unseen == 1 else "were"
        title = words.capital(f"{words.numeral(unseen)} of {words.plural(len(rows), 'incident')}")
        title += f" {verb} not seen by this SLI"
    else:
        title = "Every incident spent some of this budget"
    return Table(
        title=title,
        says=f"{choice.label} at {choice.says}: what each incident spent beyond the usual. One "
        f"under {words.share(NOTHING_SPENT)} is not seen: the SLI may measure something else.",
        columns=[
            Col("what", "Incident", head=True),
            Col("severity", "Severity", "badge", priority=3),
            Col("started_at", "Started (UTC)", "time", priority=2),
            Col("spent", "Of the budget", "percent", format="share"),
            Col("excess_count", f"{words.capital(choice.unit)} beyond the usual", "number"),
        ],
        rows=[{**row, "excess_count": float(round(row["excess_count"]))} for row in rows],
        made=Made(
            _BEYOND,
            {"Incidents": len(rows), "Budget of a window": found.budget_count},
            [choice.query, "oncall/incidents"],
        ),
        empty="No incident of the service was recorded in this period.",
        width="half",
        most=8,
    )


def unexplained_spending(found: Agreement, choice: Choice) -> Table:
    """Return the stretches outside incidents that were far over the usual."""
    rows = [
        {
            **row,
            "when": words.span(row["start"], row["end"]),
            "excess_count": float(round(row["excess_count"])),
        }
        for row in found.stretches.iter_rows(named=True)
    ]
    spent = float(found.stretches["spent"].sum())
    if rows:
        title = f"{words.share(spent)} of a budget went in "
        title += f"{words.plural(len(rows), 'stretch', 'stretches')} without an incident"
    else:
        title = "Nothing much was spent outside incidents"
    return Table(
        title=title,
        says=f"{choice.label} at {choice.says}: hours far over the usual with no incident near. "
        "Either an incident was not recorded, or the SLI counts what hurts nobody.",
        columns=[
            Col("when", "When (UTC)", head=True),
            Col("spent", "Of the budget", "percent", format="share"),
            Col("excess_count", f"{words.capital(choice.unit)} beyond the usual", "number"),
        ],
        rows=rows,
        made=Made(_BEYOND, {"Budget of a window": found.budget_count}, [choice.query]),
        empty="No stretch of hours outside incidents stands out.",
        width="half",
        most=8,
    )
