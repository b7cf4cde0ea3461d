"""What is another verdict or number than it was, as a sentence says it."""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from fleetslo.charts import words
from fleetslo.charts.objectives import ordered
from fleetslo.periods import Period


def restatement(row: Mapping[str, Any]) -> str:
    """Return a window that was published with other numbers, as a sentence says it.

    ``row`` is one of ``reliability.restatements.restatements``.
    """
    was, now = both_slis(row)
    span = Period(row["window_start"], row["window_end"]).label
    return (
        f"`{row['service']}` {row['label'].lower()} of {span}: published {was}, now {now}: "
        f"{row['why']}"
    )


def both_slis(restated: Mapping[str, Any]) -> tuple[str, str]:
    """Return the published and the present SLI, with as many digits as tell them apart."""
    was, now = restated["published_sli"], restated["now_sli"]
    digits = max(
        len(one.partition(words.THIN)[0].partition(".")[2])
        for one in (words.percent(was, against=now), words.percent(now, against=was))
    )
    return words.percent(was, digits), words.percent(now, digits)


def moves(now: pl.DataFrame, before: pl.DataFrame) -> list[str]:
    """Return a clause per objective whose verdict is another one, the worst first."""
    earlier = {(row["service"], row["objective"]): row["verdict"] for row in before.to_dicts()}
    parts = []
    for row in ordered(now):
        was = earlier.get((row["service"], row["objective"]))
        if was is None or was == row["verdict"] or "unjudged" in (was, row["verdict"]):
            continue
        old, new = words.verdict_mark(was).word.lower(), words.verdict_mark(row["verdict"])
        parts.append(
            f"`{row['service']}` {row['label'].lower()} went from {old} to **{new.word.lower()}**"
        )
    return parts


def restated_line(restated: Sequence[Mapping[str, Any]], most: int = 1) -> str:
    """Return the sentence about what was published with other numbers, or nothing."""
    if not restated:
        return ""
    told = "; ".join(restatement(row) for row in restated[:most])
    more = len(restated) - most
    return f" **Restated:** {told}" + (
        f"; and {words.plural(more, 'window')} more." if more > 0 else "."
    )


def most_spent(now: pl.DataFrame, spent: pl.DataFrame) -> str | None:
    """Return a clause about the objective that spent most of its budget over a stretch.

    None where nothing was bad. What a composite spent is left out: its members tell it.

    Args:
        now: ``Fleet.judgements``.
        spent: rows of ``service, objective, bad_count`` over the stretch, as of ``Fleet.spending``.
    """
    judged = now.filter(
        (pl.col("verdict") != "unjudged")
        & (pl.col("unit") != "burn")
        & (pl.col("budget_count") > 0)
    ).select("service", "objective", "label", "budget_count")
    found = (
        judged.join(spent.select("service", "objective", "bad_count"), on=["service", "objective"])
        .filter(pl.col("bad_count") > 0)
        .with_columns(spent=pl.col("bad_count") / pl.col("budget_count"))
        .sort("spent", "service", "objective", descending=[True, False, False])
    )
    if found.is_empty():
        return None
    row = found.row(0, named=True)
    return (
        f"`{row['service']}` {row['label'].lower()} spent most in between, "
        f"{words.share(row['spent'])} of its budget"
    )


def ranks(judgements: pl.DataFrame) -> dict[str, int]:
    """Return each judged service's place by budget spent; 1 has the least left of any objective.

    Equals share a place.
    """
    lefts = (
        judgements.filter(pl.col("verdict") != "unjudged")
        .group_by("service")
        .agg(pl.col("budget_left").min())
        .with_columns(place=pl.col("budget_left").rank("min"))
    )
    return {name: int(place) for name, place in lefts.select("service", "place").iter_rows()}


def rank_moved(now: pl.DataFrame, before: pl.DataFrame) -> str | None:
    """Return a clause about the service that came furthest up by budget spent; None if none did.

    Compared are the services that were judged both times, among themselves.
    """
    both = set(ranks(now)) & set(ranks(before))
    new, old = (ranks(one.filter(pl.col("service").is_in(both))) for one in (now, before))
    climbed = sorted((new[name] - old[name], new[name], name) for name in both)
    if not climbed or climbed[0][0] >= 0:
        return None
    _, place, name = climbed[0]
    return (
        f"`{name}` came from {words.ordinal(old[name])} to {words.ordinal(place)} of "
        f"{words.plural(len(both), 'service')} by budget spent"
    )


def worst_endpoint(now: pl.DataFrame, before: pl.DataFrame, *, named: bool = False) -> str | None:
    """Return a clause about the endpoint with most faults if it is another one than before.

    None too where nothing failed now, or endpoints are not told apart.

    Args:
        now: rows of ``requests/endpoints``, or of a question that says more of each.
        before: the same of the report before; without rows nothing can be compared.
        named: whether to name the service, too.
    """
    new, old = _worst(now), _worst(before)
    if new is None or before.is_empty() or (old is not None and _same(new, old)):
        return None
    share = words.share(new["error_count"] / now["error_count"].sum())
    was = f"before it was {_endpoint(old, named)}" if old else "before nothing failed"
    return f"the worst endpoint is now {_endpoint(new, named)}, with {share} of the faults; {was}"


def _worst(endpoints: pl.DataFrame) -> dict[str, Any] | None:
    known = endpoints.filter((pl.col("error_count") > 0) & (pl.col("endpoint") != ""))
    order = ["error_count", "request_count", "service", "endpoint"]
    ranked = known.sort(order, descending=[True, True, False, False])
    return ranked.row(0, named=True) if ranked.height else None


def _same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return (one["service"], one["endpoint"]) == (other["service"], other["endpoint"])


def _endpoint(row: Mapping[str, Any], named: bool) -> str:
    return f"`{row['endpoint']}`" + (f" of `{row['service']}`" if named else "")
