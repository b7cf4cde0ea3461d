"""Tables of errors: what is new, and what each group of errors did and cost."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.blocks import Col, Made, Table
from fleetslo.charts.errors.over_time import QUERIES, called

CHANGES = {"new": "New", "rose": "Rose", "fell": "Fell", "unclear": "Unclear"}
COUNTS_AS = {
    "fault": "Spends budget",
    "mistake": "Costs nothing: the caller's",
    "outside": "Costs nothing: not counted",
    "unbudgeted": "No budget",
}
RATES = (
    "rate = errors ÷ requests that could have failed so (of the same endpoint, region and version "
    "where these are told apart); factor = rate now ÷ rate before. New: none before. New, rose and "
    "fell are said when the interval leaves out 1; all intervals of a table hold at once with 95 % "
    "(Clopper-Pearson, Bonferroni), on counts divided by how clumped such errors come from hour to "
    "hour and day to day (Pearson's statistic ÷ degrees of freedom, of the calmer stretch where "
    "one had a burst)."
)
SPENT = (
    "budget spent = faults that the objective counts, in its window ÷ its budget; an hour that is "
    "excluded, such as maintenance, is left out, and one excluded in part counts whole."
)
_MOST = 12
_BOUNDLESS = 1000  # a factor beyond this says no more than that there is no bound


def news_table(rows: pl.DataFrame, labels: tuple[str, str], noun: str = "errors") -> Table:
    """Return the combinations of error, endpoint and upstream, what is new first.

    Args:
        rows: as ``error_findings.news`` returns them.
        labels: what the two stretches are called, before and after.
        noun: what the errors are called, in the plural.
    """
    told = [_told(row) for row in rows.to_dicts()]
    return Table(
        title=_news_title(rows, noun),
        says=f"Each error, endpoint and upstream: {labels[1]} against {labels[0]}, per request.",
        columns=[
            Col("change", "Change", "badge", words=CHANGES),
            Col("name", "Error", "code", head=True),
            Col("place", "Endpoint", "code"),
            Col("cause", "Upstream", priority=2),
            Col("after_count", "Now", "number"),
            Col("before_count", "Before", "number"),
            Col("factor", "Factor", align="right", priority=2, width="10em"),
            Col("mostly", "Mostly (UTC)", priority=2, width="18em"),
            Col("cost", "Budget spent", align="right"),
        ],
        rows=told,
        made=Made(f"{RATES} {SPENT}", _counts(rows), QUERIES),
        empty=f"There are no {noun} in either stretch.",
        most=_MOST,
    )


def groups_table(
    rows: pl.DataFrame,
    by: str,
    labels: tuple[str, str],
    *,
    noun: str = "errors",
    budget: str | None = None,
) -> Table:
    """Return a row per value of a dimension: its errors, its change, and what it cost.

    Args:
        rows: as ``error_findings.groups`` returns them for ``[by]``.
        by: the dimension.
        labels: what the two stretches are called, before and after.
        noun: what the errors are called, in the plural.
        budget: what the objective is called whose budget is spent; None when there is none.
    """
    ordered = rows.sort("after_count", "before_count", by, descending=[True, True, False])
    told = [
        {
            **row,
            "name": called(row[by], by),
            "factor": _factor(row),
            "spent": row["spent"] if row["counts_as"] == "fault" else None,
        }
        for row in ordered.to_dicts()
    ]
    plain = bool((rows["counts_as"] == "fault").all())
    return Table(
        title=_groups_title(ordered, by, noun, budget),
        says=f"Each {by}: {labels[1]} against {labels[0]}, per request.",
        columns=[
            Col("name", words.capital(by), "code", head=True),
            Col("after_count", "Now", "number"),
            Col("share", "Share", "bar", priority=2),
            Col("after_rate", "Of requests", "percent"),
            Col("before_rate", "Before", "percent"),
            Col("change", "Change", "badge", words=CHANGES),
            Col("factor", "Factor", align="right", priority=3),
            Col("spent", "Budget spent", "percent", format="share"),
            *([] if plain else [Col("counts_as", "Cost", priority=2, words=COUNTS_AS)]),
        ],
        rows=told,
        made=Made(f"{RATES} {SPENT}", _counts(rows), QUERIES),
        empty=f"There are no {noun} in either stretch.",
        most=_MOST,
    )


def _counts(rows: pl.DataFrame) -> dict[str, int | float | None]:
    return {
        "errors now": int(rows["after_count"].sum()),
        "errors before": int(rows["before_count"].sum()),
        "faults that spend the budget": None
        if rows["spent_count"].is_null().all()
        else int(rows["spent_count"].sum()),
    }


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **row,
        "name": called(row["error"], "error"),
        "place": called(row["endpoint"], "endpoint"),
        "cause": row["upstream"] or words.NOTHING,
        "factor": _factor(row),
        "mostly": _mostly(row),
        "cost": _cost(row),
    }


def _cost(row: Mapping[str, Any]) -> str:
    if row["counts_as"] == "fault":
        return words.share(row["spent"])
    return "no budget" if row["counts_as"] == "unbudgeted" else "nothing"


def _factor(row: Mapping[str, Any]) -> str:
    """Return the factor with its interval: "13.7 × (7.6 – 28)", "over 13 ×" for what is new."""
    ratio, low, high = row["ratio"], row["low"], row["high"]
    if low is None:
        return words.NOTHING if ratio is None else f"{_roughly(ratio)}{words.THIN}×"
    if ratio is None or high is None or high >= _BOUNDLESS:
        interval = f"over {_roughly(low)}" if low > 1 / _BOUNDLESS else ""
    elif low <= 1 / _BOUNDLESS:
        interval = f"under {_roughly(high)}"
    else:
        interval = f"{_roughly(low)} – {_roughly(high)}"
    if ratio is None:
        return f"{interval}{words.THIN}×" if interval else words.NOTHING
    return f"{_roughly(ratio)}{words.THIN}×" + (f" ({interval})" if interval else "")


def _roughly(value: float) -> str:
    """Return a factor with two digits, and with a third where it is near to 1."""
    digits = 3 if 0.5 < value < 2 else 2
    return words.number(float(f"{value:.{digits}g}"), digits)


def _mostly(row: Mapping[str, Any]) -> str:
    """Return when most of what is new or more came, and in which version or region."""
    if row["since"] is None:
        return words.NOTHING
    parts = [words.span(row["since"], row["until"])]
    parts += [
        f"{place} {row[place] or '(none)'} ({words.share(row[f'{place}_share'])} of them, "
        f"{words.share(row[f'{place}_request_share'])} of requests)"
        for place in ("version", "region")
        if row[place] is not None
    ]
    return "; ".join(parts)


def _news_title(rows: pl.DataFrame, noun: str) -> str:
    """Return the finding: the error that grew most, with all endpoints where it did."""
    grew = rows.filter(pl.col("change").is_in(["new", "rose"]))
    if grew.is_empty():
        fell = rows.filter(pl.col("change") == "fell")
        if fell.is_empty():
            return f"Nothing is new: no {noun} changed beyond their usual ups and downs"
        row = fell.sort("excess_count").row(0, named=True)
        pair = f"from {words.count(row['before_count'])} to {words.count(row['after_count'])}"
        return f"Nothing is new, and {_name(row)} fell {pair}"
    kinds = ["error", "upstream", "is_fault", "change"]
    summed = grew.group_by(kinds).agg(
        pl.col("excess_count", "before_count", "after_count", "spent").sum(),
        pl.col("endpoint"),
        pl.col("since").min(),
    )
    row = summed.sort("excess_count", "error", descending=[True, False]).row(0, named=True)
    places = row["endpoint"]
    at = called(places[0], "endpoint") if len(places) == 1 else f"{len(places)} endpoints"
    since = f" since {words.moment(row['since'])}" if row["since"] else ""
    if row["change"] == "new":
        what = f"{_name(row)} is new at {at}: {words.count(row['after_count'])}{since}"
    else:
        pair = f"from {words.count(row['before_count'])} to {words.count(row['after_count'])}"
        what = f"{_name(row)} rose at {at} {pair}{since}"
    if row["is_fault"] and row["spent"]:
        what += f", {words.share(row['spent'])} of the budget"
    more = summed.height - 1
    return what + (
        f"; {words.numeral(more)} more {'is' if more == 1 else 'are'} new or rose" if more else ""
    )


def _name(row: Mapping[str, Any]) -> str:
    return called(row["error"], "error") + (f" from {row['upstream']}" if row["upstream"] else "")


def _groups_title(rows: pl.DataFrame, by: str, noun: str, budget: str | None) -> str:
    if not rows["after_count"].sum():
        return f"No {noun} in this stretch"
    if not rows["is_fault"].any():
        return "Mistakes of callers cost no budget"
    if budget is None:
        return f"No objective counts these {noun}, so no budget is spent"
    spent = rows.filter(pl.col("spent_count") > 0)
    if spent.is_empty():
        return f"None of these {noun} spent the budget of {budget}"
    top = spent.sort("spent_count", by, descending=[True, False]).row(0, named=True)
    whole = words.share(float(spent["spent"].sum()))
    if spent.height == 1:
        return f"{called(top[by], by)} spent {whole} of the budget of {budget}"
    return (
        f"{called(top[by], by)} spent {words.share(top['spent'])} of the budget of {budget}, "
        f"all {noun} {whole}"
    )
