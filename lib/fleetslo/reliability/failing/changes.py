"""Which errors are new, rose or fell between two stretches of time, per request, and since when.

Errors come in clumps, so counts vary more than chance alone lets them. How much more is measured
where the service was calmer: a burst in one stretch is then held against how the other behaved,
and is not excused by itself. Sources: McCullagh and Nelder, Generalized Linear Models, 2nd ed.,
section 4.5 (over-dispersion from Pearson's statistic); Farrington et al., J. R. Stat. Soc. A 159
(1996) 547-563 (judging outbreaks against the baseline's over-dispersion); Clopper and Pearson,
Biometrika 26 (1934) 404-413 (the interval of a share).
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.special import betaincinv, ndtri, stdtrit

from fleetslo.errors import ParameterError
from fleetslo.reliability.failing.clumping import Stretch, clumping, with_requests

DIMENSIONS = ("error", "endpoint", "upstream", "version", "region")
"""What errors can be told apart by."""
LEAST_ERRORS = 5  # on both sides together; fewer say nothing at any confidence
_KNOWN_WELL = 20  # errors on each side from which on their clumping is used for the others
# Clumping that differs by more is not the same thing measured twice: one side had a burst.
_ALIKE = 8


def error_changes(
    before: Stretch, after: Stretch, by: Sequence[str], *, confidence: float = 0.95
) -> pl.DataFrame:
    """Return one row per combination of ``by`` and ``is_fault``: its rate before and after.

    Args:
        before: what is compared with.
        after: what is in question.
        by: some of ``error, endpoint, upstream, version, region``; the last three and
            ``endpoint`` choose whose requests a rate is of.
        confidence: that all intervals together hold (Bonferroni).

    Returns:
        ``is_fault``, those of ``by``; ``before_count, after_count`` (errors);
        ``before_request_count, after_request_count``; ``before_rate, after_rate`` (errors per
        request; null without a request); ``ratio`` (null without a rate before), ``low, high`` of
        it (high is null where none was seen before, since it then has no end); ``excess_count``
        (errors more than the rate before would bring); ``change``: ``new`` (none before, and now
        more than chance would bring), ``rose``, ``fell``, ``unclear``, or null where one side had
        no request to fail.
        What grew most, in errors, comes first.

    Raises:
        ParameterError: there is no such dimension, or the confidence is none.
    """
    _refuse(by, confidence)
    keys = ["is_fault", *by]
    rows = (
        _counted(before, keys, "before")
        .join(_counted(after, keys, "after"), on=keys, how="full", coalesce=True, nulls_equal=True)
        .with_columns(pl.col("before_count", "after_count").fill_null(0))
    )
    for side, stretch in (("before", before), ("after", after)):
        rows = with_requests(rows, stretch, keys, f"{side}_request_count")
    rows = rows.with_columns(
        before_rate=_per(pl.col("before_count"), pl.col("before_request_count")),
        after_rate=_per(pl.col("after_count"), pl.col("after_request_count")),
    ).with_columns(
        ratio=_per(pl.col("after_rate"), pl.col("before_rate")),
        excess_count=pl.col("after_count") - pl.col("before_rate") * pl.col("after_request_count"),
    )
    return (
        _with_bounds(rows, confidence)
        .with_columns(change=_change())
        .drop(f"{side}_{name}" for side in ("before", "after") for name in ("clumping", "freedom"))
        .sort(
            "excess_count",
            "after_count",
            *keys,
            descending=[True, True, *([False] * len(keys))],
            nulls_last=True,
        )
    )


def _refuse(by: Sequence[str], confidence: float) -> None:
    unknown = [one for one in by if one not in DIMENSIONS]
    if unknown or not by:
        raise ParameterError(
            f"errors are not told apart by {unknown or 'nothing'}; by {', '.join(DIMENSIONS)}"
        )
    if not 0 < confidence < 1:
        raise ParameterError(f"a confidence of {confidence!r} cannot be; it is between 0 and 1")


def _per(count: pl.Expr, of: pl.Expr) -> pl.Expr:
    return pl.when(of > 0).then(count / of)


def _counted(stretch: Stretch, keys: Sequence[str], side: str) -> pl.DataFrame:
    """Return errors of each combination, and how clumped they came, of one side."""
    counts = stretch.errors.group_by(keys).agg(pl.col("error_count").sum().alias(f"{side}_count"))
    clumps = clumping(stretch, keys).rename(lambda name: name if name in keys else f"{side}_{name}")
    return counts.filter(pl.col(f"{side}_count") > 0).join(
        clumps, on=keys, how="left", nulls_equal=True
    )


def _shared_clumping(rows: pl.DataFrame, beyond: float) -> NDArray[np.float64]:
    """Return what counts are divided by: how clumped such errors come, at least 1.

    It is the mean of both sides, or that of the calmer one where the other had a burst; at least
    the median of all kinds that are known well, which stands for those not seen on both sides.
    What rests on few blocks is known roughly, so it grows by the square of Student's quantile
    over the normal one.
    """
    sides = "before_clumping", "after_clumping"
    calmer, other = pl.min_horizontal(*sides), pl.max_horizontal(*sides)
    burst = other > _ALIKE * calmer
    first = pl.col("before_clumping") <= pl.col("after_clumping")
    freedom = (
        pl.when(~burst)
        .then(pl.col("before_freedom") + pl.col("after_freedom"))
        .when(first)
        .then(pl.col("before_freedom"))
        .otherwise(pl.col("after_freedom"))
    )
    found = rows.select(
        shared=pl.when(burst).then(calmer).otherwise((calmer + other) / 2),
        freedom=freedom,
        known=pl.min_horizontal("before_count", "after_count") >= _KNOWN_WELL,
        both=pl.col("before_clumping").is_not_null() & pl.col("after_clumping").is_not_null(),
    )
    well = found.filter(pl.col("both") & pl.col("known"))
    usual = max(1.0, float(well["shared"].median() or 1.0))  # type: ignore[arg-type]
    both = found["both"].to_numpy()
    student = stdtrit(np.where(both, found["freedom"].fill_null(1).to_numpy(), 1.0), 1 - beyond)
    own = found["shared"].fill_null(1).to_numpy() * (student / ndtri(1 - beyond)) ** 2
    return np.maximum(np.where(both, own, usual), usual)


def _with_bounds(rows: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Return the rows with ``low`` and ``high`` of the ratio, all of them true at once."""
    enough = (
        (pl.col("before_count") + pl.col("after_count") >= LEAST_ERRORS)
        & (pl.col("before_request_count") > 0)
        & (pl.col("after_request_count") > 0)
    )
    beyond = (1 - confidence) / max(1, rows.filter(enough).height) / 2
    shared = _shared_clumping(rows, beyond)
    first, second = (rows[f"{side}_count"].to_numpy() / shared for side in ("before", "after"))
    low = _share_bound(second, first + 1, beyond)
    high = _share_bound(second + 1, first, 1 - beyond)
    odds = rows["before_request_count"] / rows["after_request_count"]
    bounds = pl.DataFrame(
        {"low": pl.Series(low / (1 - low)) * odds, "high": pl.Series(_odds(high)) * odds}
    )
    return rows.hstack(bounds).with_columns(
        pl.when(enough).then(pl.col("low")),
        pl.when(enough & pl.col("high").is_finite()).then(pl.col("high")),
    )


def _share_bound(a: NDArray[np.float64], b: NDArray[np.float64], at: float) -> NDArray[np.float64]:
    """Return a bound of the share of errors that fall into the later stretch, of Clopper-Pearson.

    Without errors on one side the bound is 0 or 1, where the beta distribution has none.
    """
    inside = (a > 0) & (b > 0)
    found = betaincinv(np.where(inside, a, 1.0), np.where(inside, b, 1.0), at)
    return np.where(inside, found, np.where(a > 0, 1.0, 0.0))


def _odds(share: NDArray[np.float64]) -> NDArray[np.float64]:
    with np.errstate(divide="ignore"):
        return np.asarray(share / (1 - share), dtype=np.float64)


def _change() -> pl.Expr:
    served = (pl.col("before_request_count") > 0) & (pl.col("after_request_count") > 0)
    grew, shrank = pl.col("low") > 1, pl.col("high") < 1
    return (
        pl.when(served & grew.fill_null(value=False) & (pl.col("before_count") == 0))
        .then(pl.lit("new"))
        .when(served & grew.fill_null(value=False))
        .then(pl.lit("rose"))
        .when(served & shrank.fill_null(value=False))
        .then(pl.lit("fell"))
        .when(served)
        .then(pl.lit("unclear"))
    )
