"""Error budgets and the verdict on a window. Source: SRE Workbook, chapters 2 and 5.

Counts are compared as exact fractions, so that an objective met to the last request is met:
0.999 in floats leaves a budget a hair over 0.001.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import Literal

from fleetslo.errors import ParameterError

_THIN = "\u202f"  # between a number and its unit, as on every page

VerdictName = Literal["met", "at_risk", "missed", "unjudged"]


@lru_cache(maxsize=4096)
def budget_share(target: float) -> Fraction:
    """Return the share of requests that may be bad, exactly: 1/1000 for a target of 0.999.

    Raises:
        ParameterError: the target is not in [0, 1). A target of 1 leaves nothing to divide by.
    """
    if not 0 <= target < 1:
        raise ParameterError(
            f"a target of {target!r} cannot be budgeted; it is at least 0 and less than 1"
        )
    return 1 - Fraction(repr(float(target)))


def _refuse_counts(good_count: int, valid_count: int, uncertain_count: int = 0) -> None:
    if good_count < 0 or valid_count < 0 or uncertain_count < 0:
        raise ParameterError(
            f"{good_count} good, {uncertain_count} uncertain and {valid_count} valid requests "
            "cannot be; counts are 0 or more"
        )
    if good_count + uncertain_count > valid_count:
        uncertain = f" and {uncertain_count} uncertain" if uncertain_count else ""
        raise ParameterError(
            f"{good_count} good{uncertain} requests of {valid_count} valid ones cannot be; only "
            "valid requests can be good"
        )


def sli(good_count: int, valid_count: int) -> float | None:
    """Return the share of valid requests that were good; None when there were none.

    Raises:
        ParameterError: a count is negative, or more are good than valid.
    """
    _refuse_counts(good_count, valid_count)
    return good_count / valid_count if valid_count else None


def burn_rate(good_count: int, valid_count: int, target: float) -> float | None:
    """Return how fast the budget went over any stretch; None when there were no requests.

    1.0 spends exactly the budget over the objective's window, 14.4 all of 30 days' in 50 hours.

    Raises:
        ParameterError: counts or a target that cannot be.
    """
    _refuse_counts(good_count, valid_count)
    share = budget_share(target)
    return float(Fraction(valid_count - good_count, valid_count) / share) if valid_count else None


def budget_spent(good_count: int, valid_count: int, target: float) -> float | None:
    """Return the share of a whole window's budget that is gone; None when there were no requests.

    1.0 is all of it, more than 1 is overspent.

    Raises:
        ParameterError: counts or a target that cannot be.
    """
    return burn_rate(good_count, valid_count, target)


@dataclass(frozen=True)
class Judgement:
    """What a window's counts say about its objective.

    ``uncertain_count`` requests may be good or bad: ``sli`` and ``sli_low`` count them as bad,
    ``sli_high`` as good; ``bad_count``, ``budget_spent`` and ``budget_left`` count them as bad,
    ``bad_low`` and ``budget_spent_low`` as good. Ratios and what depends on them are None when
    there were no requests.

    Attributes:
        verdict: ``met``, ``at_risk``, ``missed`` or ``unjudged``.
        reason: a short clause that a page can print.
        budget_count: how many requests may be bad.
        budget_spent: 1.0 is all of it, more than 1 is overspent.
        budget_left: 1 − budget_spent; under 0 when overspent.
        outage_s: the budget as seconds of total outage at steady traffic.
        outage_left_s: what is left of it; under 0 when overspent.
        coverage: share of the window's minutes that are covered.
    """

    verdict: VerdictName
    reason: str
    sli: float | None
    sli_low: float | None
    sli_high: float | None
    good_count: int
    valid_count: int
    uncertain_count: int
    bad_count: int
    bad_low: int
    target: float
    budget_count: float
    budget_spent: float | None
    budget_spent_low: float | None
    budget_left: float | None
    outage_s: float
    outage_left_s: float | None
    coverage: float


def _percent(ratio: Fraction | float, decimals: int = 0) -> str:
    """Return a ratio as text, cut and not rounded: 0.8999 is 89 %, not 90 %."""
    exact = Fraction(repr(ratio)) if isinstance(ratio, float) else ratio
    scale = 10**decimals
    cut = math.floor(exact * 100 * scale)
    return f"{cut / scale:.{decimals}f}{_THIN}%"


def _between(low: Fraction, high: Fraction) -> str:
    """Return two shares, cut away from each other, with decimals enough to tell them apart."""
    width = high - low
    decimals = next((d for d in range(1, 8) if width * 100 * 10**d >= 3), 8)
    scale = 10**decimals
    under, over = math.floor(low * 100 * scale) / scale, math.ceil(high * 100 * scale) / scale
    return (
        f"between {under:.{decimals}f}{_THIN}% and {over:.{decimals}f}{_THIN}% were good: "
        "the target lies between"
    )


def _verdict(
    good: int,
    valid: int,
    uncertain: int,
    share: Fraction,
    coverage: float,
    page_firing: bool,
    coverage_minimum: float,
    at_risk_budget_left: float,
) -> tuple[VerdictName, str]:
    if valid == 0:
        return "unjudged", "no requests"
    if coverage < coverage_minimum:
        return (
            "unjudged",
            f"coverage is {_percent(coverage)}, under {_percent(coverage_minimum)}",
        )
    budget = share * valid
    if budget < 1:
        shown = math.floor(budget * 100) / 100
        return "unjudged", f"the budget is {shown:g} requests" if shown else (
            "the budget is under 0.01 requests"
        )
    low, high, target = Fraction(good, valid), Fraction(good + uncertain, valid), 1 - share
    if low < target <= high:
        return "unjudged", _between(low, high)
    if high < target:
        spent = (valid - good - uncertain) / budget
        return "missed", f"{_percent(spent, 0 if spent >= 2 else 1)} of the budget is spent"
    left = 1 - (valid - good) / budget
    reason = f"{_percent(left)} of the budget is left"
    if page_firing:
        return "at_risk", f"a page alert is firing; {reason}"
    if left <= Fraction(repr(at_risk_budget_left)):
        return "at_risk", f"only {reason}"
    return "met", reason


def judge(
    good_count: int,
    valid_count: int,
    uncertain_count: int = 0,
    *,
    target: float,
    window: timedelta,
    coverage: float,
    page_firing: bool = False,
    coverage_minimum: float = 0.9,
    at_risk_budget_left: float = 0.25,
) -> Judgement:
    """Return the verdict on a window that has ended, with the numbers it rests on.

    A window is a census, not a sample: the verdict follows the counts. It is ``unjudged`` only
    without requests, under the least coverage, with a budget of less than one request, or when the
    uncertain requests decide. ``at_risk`` is met, with little budget left or a page alert firing.

    Args:
        good_count: requests that were certainly good.
        valid_count: all requests that count.
        uncertain_count: those that may have been good or bad.
        target: the share that must be good, in [0, 1).
        window: the objective's whole window.
        coverage: share of the window's minutes that are covered, 0–1.
        page_firing: whether an alert of severity page fires at the window's end.
        coverage_minimum: the coverage under which nothing is judged.
        at_risk_budget_left: the share of budget left at which met becomes at risk.

    Raises:
        ParameterError: counts, a target, coverage or window that cannot be.
    """
    _refuse_counts(good_count, valid_count, uncertain_count)
    share = budget_share(target)
    if not 0 <= coverage <= 1:
        raise ParameterError(f"a coverage of {coverage!r} cannot be; it is between 0 and 1")
    if window <= timedelta(0):
        raise ParameterError(f"a window of {window} holds no time")
    verdict, reason = _verdict(
        good_count,
        valid_count,
        uncertain_count,
        share,
        coverage,
        page_firing,
        coverage_minimum,
        at_risk_budget_left,
    )
    outage_s = float(share * Fraction(window / timedelta(seconds=1)))
    spent = budget_spent(good_count, valid_count, target)
    left = None if spent is None else 1 - spent
    return Judgement(
        verdict=verdict,
        reason=reason,
        sli=sli(good_count, valid_count),
        sli_low=sli(good_count, valid_count),
        sli_high=sli(good_count + uncertain_count, valid_count),
        good_count=good_count,
        valid_count=valid_count,
        uncertain_count=uncertain_count,
        bad_count=valid_count - good_count,
        bad_low=valid_count - good_count - uncertain_count,
        target=target,
        budget_count=float(share * valid_count),
        budget_spent=spent,
        budget_spent_low=budget_spent(good_count + uncertain_count, valid_count, target),
        budget_left=left,
        outage_s=outage_s,
        outage_left_s=None if left is None else outage_s * left,
        coverage=coverage,
    )
