"""Composite objectives whose members add up: shortfalls, burn rates, or a weighted mean.

As the notes of OpenSLO v1 have it and SLO.md reads them:

- **Occurrences**: the weighted burn rates add; the budget that is spent is the sum of weight × the
  share that each member has spent of its own. Requests of several kinds have no common SLI: none.
- **RatioTimeslices**: the weighted shortfalls add (95 % and 95 % make 90 %).
- **weighted mean**, ours: the mean of the members' SLIs; members without data are left out and the
  weights of the others count for all.

All three are counted in ``burn``: shares of the composite's own budget. Its budget is 1, what is
bad is what is spent of it, and the valid count is the budget that the members' traffic brings, over
(1 − target), so that bad ÷ valid ÷ (1 − target) is the burn rate here as everywhere. A composite
of Timeslices is made of slices instead; see ``slices.any_bad``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction

from fleetslo.reliability.budgets import (
    Judgement,
    Rules,
    VerdictName,
    budget_share,
    refuse_stretch,
    too_small,
    verdict_of,
)
from fleetslo.reliability.counts import Counted, unit_of
from fleetslo.reliability.slo import Objective


@dataclass(frozen=True)
class Part:
    """What one member adds to its composite.

    Attributes:
        spends: the share of the composite's budget that one bad one of the member spends.
        brings: the share of the composite's volume that one valid one of the member is.
    """

    spends: Fraction
    brings: Fraction


def parts(composite: Objective, counts: Sequence[Counted]) -> list[Part]:
    """Return what each member adds per count; nothing where the member has no data.

    Args:
        composite: an added one; see ``counts.is_added``.
        counts: of its members, in their order.
    """
    weights = [Fraction(repr(float(one.weight))) for one in composite.members]
    known = [
        weight if found.valid else Fraction(0)
        for weight, found in zip(weights, counts, strict=True)
    ]
    total = sum(known, Fraction(0))
    if not total:
        return [Part(Fraction(0), Fraction(0)) for _ in weights]
    share = budget_share(composite.target)
    found = []
    for member, weight, count in zip(composite.members, known, counts, strict=True):
        if not weight:
            found.append(Part(Fraction(0), Fraction(0)))
            continue
        if composite.weighted_mean:
            spends = weight / total / share
        elif composite.method == "Occurrences":
            spends = weight / budget_share(member.target)
        else:
            spends = weight / share
        found.append(Part(spends / count.whole, weight / total / share / count.whole))
    return found


def added(composite: Objective, counts: Sequence[Counted]) -> Counted:
    """Return a composite's counts in ``burn``; good may be under 0 where it is overspent by far.

    Its coverage is that of its least covered member; of a weighted mean, of those with data.
    """
    each = list(zip(parts(composite, counts), counts, strict=True))
    bad = sum((part.spends * count.bad for part, count in each), Fraction(0))
    uncertain = sum((part.spends * count.uncertain for part, count in each), Fraction(0))
    valid = sum((part.brings * count.valid for part, count in each), Fraction(0))
    known = [count for count in counts if count.valid or not composite.weighted_mean]
    least = min(known or counts, key=lambda count: count.coverage)
    return Counted(
        good=valid - bad,
        valid=valid,
        uncertain=uncertain,
        covered_minutes=least.covered_minutes,
        minutes=least.minutes,
        whole=1 / budget_share(composite.target),
        is_estimated=any(count.is_estimated for count in counts),
    )


def composed_sli(
    composite: Objective, counts: Sequence[Counted], *, best: bool = False
) -> float | None:
    """Return a composite's SLI: 1 less the shortfalls, or the mean; None for Occurrences.

    Shortfalls that add up to more than all leave 0. ``best`` counts the uncertain ones as good.
    None where no member has data.
    """
    if composite.method == "Occurrences" and not composite.weighted_mean:
        return None
    known = [
        (Fraction(repr(float(one.weight))), (count.bad_low if best else count.bad) / count.valid)
        for one, count in zip(composite.members, counts, strict=True)
        if count.valid
    ]
    if not known:
        return None
    shortfall = sum((weight * share for weight, share in known), Fraction(0))
    if composite.weighted_mean:
        shortfall /= sum(weight for weight, _ in known)
    return float(max(Fraction(0), 1 - shortfall))


def judge_added(
    composite: Objective, counts: Sequence[Counted], *, window: timedelta, rules: Rules
) -> Judgement:
    """Return the verdict on a composite whose members add up, from their counts.

    ``good_count`` is None: what is left of a budget is no count of good ones.

    Raises:
        ParameterError: a target or window that cannot be.
    """
    whole = added(composite, counts)
    refuse_stretch(whole.coverage, window)
    share = budget_share(composite.target)
    spent, spent_low = whole.bad, whole.bad_low
    verdict: VerdictName = "unjudged"
    reason = "no member has data"
    has_data = any(count.valid for count in counts)
    if has_data:
        verdict, reason = verdict_of(spent_low, spent, whole.coverage, rules)
        small = _small(composite, counts)
        if small is not None and whole.coverage >= rules.coverage_minimum:
            verdict, reason = "unjudged", small
    outage_s = float(share * Fraction(window / timedelta(seconds=1)))
    left = 1 - float(spent) if has_data else None
    worst = composed_sli(composite, counts)
    return Judgement(
        verdict=verdict,
        reason=reason,
        sli=worst,
        sli_low=worst,
        sli_high=composed_sli(composite, counts, best=True),
        good_count=None,
        valid_count=float(whole.valid),
        uncertain_count=float(whole.uncertain),
        bad_count=float(spent),
        bad_low=float(spent_low),
        target=composite.target,
        budget_count=1.0,
        budget_spent=float(spent) if has_data else None,
        budget_spent_low=float(spent_low) if has_data else None,
        budget_left=left,
        outage_s=outage_s,
        outage_left_s=None if left is None else outage_s * left,
        coverage=whole.coverage,
    )


def _small(composite: Objective, counts: Sequence[Counted]) -> str | None:
    """Return why a member's budget cannot be judged; None where each can."""
    for member, count in zip(composite.members, counts, strict=True):
        small = too_small(budget_share(member.target) * count.whole, unit_of(member))
        if small is not None and count.valid:
            return f"{member.label}: {small}"
    return None
