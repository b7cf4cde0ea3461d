"""Time slices: minutes in, good and bad slices out, for many objectives at once.

Source: OpenSLO v1, ``budgetingMethod`` Timeslices and RatioTimeslices. What it leaves open: slices
are cut from the start of the stretch; the last one may be cut short by its end; one that is not
finished yet is left out; a slice without a valid request has no SLI and is left out; it lowers the
coverage by the minutes that nothing reported, and not by a quiet hour; what a wholly silent one
counts as, ``no_data`` may say, from the first data of the stretch on; one that is wholly excluded
is no slice at all.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Any

import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.budgets import Number
from fleetslo.reliability.counts import Counted, Stretch
from fleetslo.reliability.slo import Objective

_MINUTE = timedelta(minutes=1)
_KEY = ("service", "objective")
_COUNTS = ("good_count", "valid_count", "uncertain_count")

_NEAR = 1e-9
"""A mean of SLIs this near to the target is compared exactly; floats err by 1e-12 at most."""

Key = tuple[str, str]


def slice_minutes(objective: Objective) -> int:
    """Return the length of an objective's slices, or of its members' where it names none itself.

    Raises:
        ParameterError: it has no slices.
    """
    for one in (objective, *objective.members):
        if one.slice_length is not None:
            return one.slice_length // _MINUTE
    raise ParameterError(f"{objective.name} is counted by {objective.method}, not in slices")


def finished_slices(stretch: Stretch, length_minutes: int) -> pl.DataFrame:
    """Return one row per finished slice: ``slice`` (from 0) and ``minutes`` to be covered in it.

    A slice that is wholly excluded is no row.
    """
    return _grid(stretch, length_minutes, stretch.until)


def whole_slices(stretch: Stretch, length_minutes: int) -> int:
    """Return how many slices the whole stretch has, those wholly excluded left out."""
    return _grid(stretch, length_minutes, stretch.end).height


def _grid(stretch: Stretch, length_minutes: int, until: datetime) -> pl.DataFrame:
    length = length_minutes * _MINUTE
    count = (until - stretch.start) // length
    minutes = [length_minutes] * count
    rest = (until - stretch.start - count * length) // _MINUTE
    if until == stretch.end and rest:  # the stretch's own end cuts the last slice short
        minutes.append(rest)
    for one in stretch.excluded:
        first = max(0, (one.start - stretch.start) // length)
        for place in range(first, len(minutes)):
            begins = stretch.start + place * length
            if begins >= one.end:
                break
            inside = min(one.end, begins + length, until) - max(one.start, begins)
            minutes[place] -= max(inside // _MINUTE, 0)
    kept = [(place, left) for place, left in enumerate(minutes) if left > 0]
    return pl.DataFrame(kept, schema={"slice": pl.Int64, "minutes": pl.Int64}, orient="row")


def cut(minutes: pl.DataFrame, start: datetime, length_minutes: int) -> pl.DataFrame:
    """Return minutes added up by slice: what the query ``slo/slices`` answers.

    Args:
        minutes: rows of ``service, objective, definition, minute`` and the three counts, none
            before ``start``.
        start: where the first slice begins.
        length_minutes: of a slice.

    Columns: ``service, objective, definition, slice``, the counts and ``covered_minutes``.
    """
    offset = (pl.col("minute") - start).dt.total_minutes() // length_minutes
    return minutes.group_by(*_KEY, "definition", slice=offset.cast(pl.Int64)).agg(
        pl.col(*_COUNTS).sum(), covered_minutes=pl.len().cast(pl.Int64)
    )


def judged_slices(
    rows: pl.DataFrame, grid: pl.DataFrame, objectives: Sequence[Objective]
) -> pl.DataFrame:
    """Return one row per objective and finished slice: whether, or how far, it was good.

    Args:
        rows: of ``cut``; those of another definition than the objective's, or outside the grid,
            are left out.
        grid: of ``finished_slices``.
        objectives: measured ones of the methods Timeslices or RatioTimeslices, and composites of
            Timeslices: a slice of theirs is bad if any member's is, and good if all members' with
            data are. It has no data where none of them has any.

    Columns: ``service, objective, slice``; ``valid`` (1 with data, else 0), ``good`` and
    ``uncertain`` (0 or 1 for Timeslices, shares for RatioTimeslices), ``covered_minutes`` that
    count (all of a slice that ``no_data`` speaks for; the least of the members'), and the counts of
    measured ones.
    """
    composites = [one for one in objectives if one.members]
    parts = [part for one in composites for part in one.members]
    alone = {(one.service, one.name): one for one in objectives if not one.members}
    measured = alone | {(part.service, part.name): part for part in parts}
    slices = _measured_slices(rows, grid, list(measured.values()))
    if not composites:
        return slices
    names = pl.DataFrame(
        list(alone), schema={"service": pl.String, "objective": pl.String}, orient="row"
    )
    own = slices.join(names, on=_KEY, how="semi")
    return pl.concat([own, _any_bad(slices, composites)], how="diagonal")


def _measured_slices(
    rows: pl.DataFrame, grid: pl.DataFrame, objectives: Sequence[Objective]
) -> pl.DataFrame:
    """Return the slices of measured objectives; see ``judged_slices``."""
    wanted = pl.DataFrame(
        [_wanted(one) for one in objectives],
        schema={
            "service": pl.String,
            "objective": pl.String,
            "definition": pl.String,
            "is_ratio": pl.Boolean,
            "good_share": pl.Int128,
            "of": pl.Int128,
            "empty": pl.Float64,
        },
        orient="row",
    )
    # Before the first data nobody knows of an outage, only that nothing was counted yet.
    known = rows.group_by(*_KEY, "definition").agg(known_from=pl.col("slice").min())
    wanted = wanted.join(known, on=[*_KEY, "definition"], how="left")
    good, valid, maybe = (pl.col(name).fill_null(0) for name in _COUNTS)
    has_data = valid > 0

    def reaches(count: pl.Expr) -> pl.Expr:
        whole = pl.col("good_share") * valid.cast(pl.Int128)
        return (count.cast(pl.Int128) * pl.col("of") >= whole).cast(pl.Float64)

    low = pl.when("is_ratio").then(good / valid).otherwise(reaches(good))
    high = pl.when("is_ratio").then((good + maybe) / valid).otherwise(reaches(good + maybe))
    # What reported that nobody asked has data: there was no traffic.
    silent = pl.col("covered_minutes").fill_null(0) == 0
    empty = pl.when((pl.col("slice") >= pl.col("known_from")) & silent).then("empty")
    decreed = empty.is_not_null()
    return (
        wanted.join(grid, how="cross")
        .join(rows, on=[*_KEY, "definition", "slice"], how="left")
        .select(
            *_KEY,
            "slice",
            valid=pl.when(has_data | decreed).then(1.0).otherwise(0.0),
            good=pl.when(has_data).then(low).otherwise(empty.fill_null(0.0)),
            uncertain=pl.when(has_data).then(high - low).otherwise(0.0),
            covered_minutes=pl.when(has_data)
            .then(pl.min_horizontal("covered_minutes", "minutes"))
            .when(decreed)
            .then("minutes")
            .otherwise(pl.min_horizontal(pl.col("covered_minutes").fill_null(0), "minutes")),
            good_count=good,
            valid_count=valid,
            uncertain_count=maybe,
        )
    )


def _wanted(objective: Objective) -> tuple[Any, ...]:
    share = Fraction(repr(objective.slice_target or 0.0))
    empty = {"good": 1.0, "bad": 0.0, None: None}[objective.no_data]
    return (
        objective.service,
        objective.name,
        objective.selector.definition,
        objective.method == "RatioTimeslices",
        share.numerator,
        share.denominator,
        empty,
    )


def _any_bad(slices: pl.DataFrame, composites: Iterable[Objective]) -> pl.DataFrame:
    """Return the slices of composites from those of their members, cut alike."""
    of = pl.DataFrame(
        [(one.service, part.name, one.name) for one in composites for part in one.members],
        schema={"service": pl.String, "objective": pl.String, "composite": pl.String},
        orient="row",
    )
    data = pl.col("valid") > 0
    return (
        slices.join(of, on=[*_KEY])
        .group_by("service", pl.col("composite").alias("objective"), "slice")
        .agg(
            valid=pl.col("valid").max(),
            good=pl.col("good").filter(data).min().fill_null(0.0),
            best=(pl.col("good") + pl.col("uncertain")).filter(data).min().fill_null(0.0),
            covered_minutes=pl.col("covered_minutes").min(),
        )
        .with_columns(uncertain=pl.col("best") - pl.col("good"))
        .drop("best")
        .sort(*_KEY, "slice")
    )


def slice_counts(
    slices: pl.DataFrame,
    objectives: Iterable[Objective],
    minutes: int,
    whole: int,
) -> dict[Key, Counted]:
    """Return what slices add up to, for each objective.

    Args:
        slices: of ``judged_slices``.
        objectives: those that are wanted.
        minutes: to be covered in the finished slices.
        whole: how many slices the whole window has.
    """
    summed = slices.group_by(*_KEY).agg(
        pl.col("valid", "good", "uncertain", "covered_minutes").sum()
    )
    totals = {(row["service"], row["objective"]): row for row in summed.iter_rows(named=True)}
    ratios = [one for one in objectives if one.method == "RatioTimeslices"]
    exact = _means(slices, ratios) if ratios else {}
    found = {}
    for one in objectives:
        key = (one.service, one.name)
        row = totals.get(key)
        if row is None:
            found[key] = Counted(0, 0, 0, 0, minutes, whole)
            continue
        good, uncertain = exact.get(key, (round(row["good"]), round(row["uncertain"])))
        valid = round(row["valid"])
        found[key] = Counted(good, valid, uncertain, row["covered_minutes"], minutes, whole)
    return found


def _means(slices: pl.DataFrame, ratios: Sequence[Objective]) -> dict[Key, tuple[Number, Number]]:
    """Return the sum of the slices' SLIs, and how much of it is uncertain."""
    targets = {(one.service, one.name): one.target for one in ratios}
    names = pl.DataFrame(
        list(targets), schema={"service": pl.String, "objective": pl.String}, orient="row"
    )
    parts = slices.filter(pl.col("valid") > 0).join(names, on=_KEY, how="semi")
    found: dict[Key, tuple[Number, Number]] = {}
    for (service, name), part in parts.group_by(*_KEY):
        key = (str(service), str(name))
        low = _sum(part, ["good"], targets[key])
        high = _sum(part, ["good", "uncertain"], targets[key])
        found[key] = (low, max(high - low, Fraction(0)))
    return found


def _sum(part: pl.DataFrame, shares: list[str], target: float) -> Fraction:
    """Return the sum of SLIs: exactly rounded, and exact where it nearly equals the target."""
    total = math.fsum(part.select(pl.sum_horizontal(shares)).to_series())
    if abs(total - target * part.height) > _NEAR * part.height:
        return min(Fraction(total), Fraction(part.height))
    counts = [f"{name}_count" for name in shares]
    # Slices of equally many requests share a denominator, so that few fractions remain.
    same = part.group_by("valid_count").agg(
        pl.sum_horizontal(counts).sum().alias("count"), pl.col("good").sum()
    )
    terms = [
        (count, valid) if valid else (round(decreed), 1) for valid, count, decreed in same.rows()
    ]
    # Added in pairs and not reduced: that keeps sums of thousands of fractions fast.
    while len(terms) > 1:
        odd = [terms.pop()] if len(terms) % 2 else []
        pairs = zip(terms[::2], terms[1::2], strict=True)
        terms = [(a * d + c * b, b * d) for (a, b), (c, d) in pairs] + odd
    return Fraction(*terms[0])
