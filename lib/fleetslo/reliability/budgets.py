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

Unit = Literal["requests", "events", "slices", "burn"]
"""What is counted: ``burn`` is the budget itself, for composites whose members' burn adds up."""

Number = int | Fraction


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


def _refuse_counts(
    good_count: Number, valid_count: Number, uncertain_count: Number = 0, unit: Unit = "requests"
) -> None:
    if good_count < 0 or valid_count < 0 or uncertain_count < 0:
        raise ParameterError(
            f"{good_count} good, {uncertain_count} uncertain and {valid_count} valid {unit} "
            "cannot be; counts are 0 or more"
        )
    if good_count + uncertain_count > valid_count:
        uncertain = f" and {uncertain_count} uncertain" if uncertain_count else ""
        raise ParameterError(
            f"{good_count} good{uncertain} {unit} of {valid_count} valid ones cannot be; only "
            f"valid {unit} can be good"
        )


def sli(good_count: Number, valid_count: Number) -> float | None:
    """Return the share of valid requests that were good; None when there were none.

    Raises:
        ParameterError: a count is negative, or more are good than valid.
    """
    _refuse_counts(good_count, valid_count)
    return _ratio(good_count, valid_count)


def _ratio(count: Number, of: Number) -> float | None:
    return float(count / of) if of else None


def burn_rate(good_count: Number, valid_count: Number, target: float) -> float | None:
    """Return how fast the budget went over any stretch; None when there were no requests.

    1.0 spends exactly the budget over the objective's window, 14.4 all of 30 days' in 50 hours.

    Raises:
        ParameterError: counts or a target that cannot be.
    """
    _refuse_counts(good_count, valid_count)
    share = budget_share(target)
    bad = Fraction(valid_count - good_count)
    return float(bad / valid_count / share) if valid_count else None


def budget_spent(good_count: Number, valid_count: Number, target: float) -> float | None:
    """Return the share of a whole window's budget that is gone; None when there were no requests.

    1.0 is all of it, more than 1 is overspent.

    Raises:
        ParameterError: counts or a target that cannot be.
    """
    return burn_rate(good_count, valid_count, target)


@dataclass(frozen=True)
class Judgement:
    """What a window's counts say about its objective.

    Counts are in the objective's unit: requests, events, slices, or ``burn`` (shares of the whole
    budget). ``uncertain_count`` of them may be good or bad: ``sli`` and ``sli_low`` count them as
    bad, ``sli_high`` as good; ``bad_count``, ``budget_spent`` and ``budget_left`` count them as
    bad, ``bad_low`` and ``budget_spent_low`` as good. Ratios and what depends on them are None
    when nothing was counted.

    Attributes:
        verdict: ``met``, ``at_risk``, ``missed`` or ``unjudged``.
        reason: a short clause that a page can print.
        budget_count: how many may be bad over the whole window.
        budget_spent: 1.0 is all of it, more than 1 is overspent.
        budget_left: 1 − budget_spent; under 0 when overspent.
        outage_s: the budget as seconds of total outage at steady traffic.
        outage_left_s: what is left of it; under 0 when overspent.
        coverage: share of the window's minutes so far that are covered.
    """

    verdict: VerdictName
    reason: str
    sli: float | None
    sli_low: float | None
    sli_high: float | None
    good_count: float | None
    valid_count: float | None
    uncertain_count: float | None
    bad_count: float
    bad_low: float
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


def _between(low: Fraction, high: Fraction, are: str, open_: str) -> str:
    """Return two shares, cut away from each other, with decimals enough to tell them apart."""
    width = high - low
    decimals = next((d for d in range(1, 8) if width * 100 * 10**d >= 3), 8)
    scale = 10**decimals
    under, over = math.floor(low * 100 * scale) / scale, math.ceil(high * 100 * scale) / scale
    return f"between {under:.{decimals}f}{_THIN}% and {over:.{decimals}f}{_THIN}% {are}: {open_}"


@dataclass(frozen=True)
class Rules:
    """What a verdict depends on beside the counts.

    Attributes:
        page_firing: whether an alert of severity page fires at the window's end.
        coverage_minimum: the coverage under which nothing is judged.
        at_risk_budget_left: the share of budget left at which met becomes at risk.
    """

    page_firing: bool = False
    coverage_minimum: float = 0.9
    at_risk_budget_left: float = 0.25


def verdict_of(
    spent_low: Fraction,
    spent: Fraction,
    coverage: float,
    rules: Rules,
    *,
    good: tuple[Fraction, Fraction] | None = None,
) -> tuple[VerdictName, str]:
    """Return the verdict on a budget of which between ``spent_low`` and ``spent`` is gone.

    ``good`` are the least and the most share that was good; the reason speaks of them where they
    straddle the target, and of the budget where they do not say it.
    """
    if coverage < rules.coverage_minimum:
        least = _percent(rules.coverage_minimum)
        return "unjudged", f"coverage is {_percent(coverage)}, under {least}"
    if spent_low > 1:
        decimals = 0 if spent_low >= 2 else 1
        return "missed", f"{_percent(spent_low, decimals)} of the budget is spent"
    if spent > 1:
        if good is None:
            clause = _between(spent_low, spent, "of the budget is spent", "it may be overspent")
        else:
            clause = _between(*good, "were good", "the target lies between")
        return "unjudged", clause
    left = 1 - spent
    reason = f"{_percent(left)} of the budget is left"
    if rules.page_firing:
        return "at_risk", f"a page alert is firing; {reason}"
    if left <= Fraction(repr(rules.at_risk_budget_left)):
        return "at_risk", f"only {reason}"
    return "met", reason


def _nothing_counted(unit: Unit, coverage: float, coverage_minimum: float) -> str:
    """Return why a window without a valid one cannot be judged: silence is no lack of traffic."""
    if not coverage:
        return "no telemetry"
    if coverage < coverage_minimum:
        return f"coverage is {_percent(coverage)}, under {_percent(coverage_minimum)}"
    return "no slice has data" if unit == "slices" else f"no {unit}"


def too_small(budget: Fraction, unit: Unit) -> str | None:
    """Return why a budget cannot be judged: it is less than one request. None where it can.

    A slice is made of many requests, so that a budget of less than one slice is judged.
    """
    if unit not in ("requests", "events") or budget >= 1:
        return None
    shown = math.floor(budget * 100) / 100
    return f"the budget is {shown:g} {unit}" if shown else f"the budget is under 0.01 {unit}"


def refuse_stretch(coverage: float, window: timedelta) -> None:
    """Refuse a coverage or a window that cannot be, with ``ParameterError``."""
    if not 0 <= coverage <= 1:
        raise ParameterError(f"a coverage of {coverage!r} cannot be; it is between 0 and 1")
    if window < timedelta(0) or not window:
        raise ParameterError(f"a window of {window} holds no time")


def judge(
    good_count: Number,
    valid_count: Number,
    uncertain_count: Number = 0,
    *,
    target: float,
    window: timedelta,
    coverage: float,
    whole_count: Number | None = None,
    unit: Unit = "requests",
    page_firing: bool = False,
    coverage_minimum: float = 0.9,
    at_risk_budget_left: float = 0.25,
) -> Judgement:
    """Return the verdict on a window, with the numbers it rests on.

    A window is a census, not a sample: the verdict follows the counts. It is ``unjudged`` only
    when nothing was counted, under the least coverage, with a budget of less than one request, or
    when the uncertain ones decide. ``at_risk`` is met, with little budget left or a page alert
    firing. While a window runs its budget is that of the whole window, so that a bad hour on its
    third day is not the whole of it.

    Args:
        good_count: what was certainly good: requests, events or slices.
        valid_count: all that count.
        uncertain_count: those that may have been good or bad.
        target: the share that must be good, in [0, 1).
        window: the objective's whole window.
        coverage: share of the window's minutes so far that are covered, 0–1.
        whole_count: what the whole window holds, of which the budget is a share: the valid count
            that is expected of a window that runs, or all slices. None is ``valid_count``.
        unit: of the counts.
        page_firing: whether an alert of severity page fires at the window's end.
        coverage_minimum: the coverage under which nothing is judged.
        at_risk_budget_left: the share of budget left at which met becomes at risk.

    Raises:
        ParameterError: counts, a target, coverage or window that cannot be.
    """
    _refuse_counts(good_count, valid_count, uncertain_count, unit)
    refuse_stretch(coverage, window)
    share = budget_share(target)
    whole = valid_count if whole_count is None else whole_count
    if whole < valid_count:
        raise ParameterError(f"{valid_count} valid {unit} of {whole} in the whole window cannot be")
    budget = Fraction(share * whole)
    bad = valid_count - good_count
    bad_low = bad - uncertain_count
    verdict: VerdictName = "unjudged"
    reason = _nothing_counted(unit, coverage, coverage_minimum)
    spent = spent_low = None
    if valid_count:
        spent, spent_low = bad / budget, bad_low / budget
        rules = Rules(page_firing, coverage_minimum, at_risk_budget_left)
        straddled = None
        if spent_low <= 1 < spent:
            low, high = (
                Fraction(count) / valid_count
                for count in (good_count, good_count + uncertain_count)
            )
            straddled = (low, high) if low < 1 - share <= high else None
        verdict, reason = verdict_of(spent_low, spent, coverage, rules, good=straddled)
        small = too_small(budget, unit)
        if small is not None and coverage >= coverage_minimum:
            verdict, reason = "unjudged", small
    outage_s = float(share * Fraction(window / timedelta(seconds=1)))
    left = None if spent is None else 1 - float(spent)
    return Judgement(
        verdict=verdict,
        reason=reason,
        sli=_ratio(good_count, valid_count),
        sli_low=_ratio(good_count, valid_count),
        sli_high=_ratio(good_count + uncertain_count, valid_count),
        good_count=plain(good_count),
        valid_count=plain(valid_count),
        uncertain_count=plain(uncertain_count),
        bad_count=plain(bad),
        bad_low=plain(bad_low),
        target=target,
        budget_count=float(budget),
        budget_spent=None if spent is None else float(spent),
        budget_spent_low=None if spent_low is None else float(spent_low),
        budget_left=left,
        outage_s=outage_s,
        outage_left_s=None if left is None else outage_s * left,
        coverage=coverage,
    )


def plain(count: Number) -> float:
    """Return a count as a frame holds it: a whole number stays one."""
    return count if isinstance(count, int) else float(count)
