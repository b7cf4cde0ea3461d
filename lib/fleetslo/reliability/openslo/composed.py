"""Composite objectives: what the targets of their members come to.

Source: OpenSLO's notes on composite objectives. Under RatioTimeslices the members' weighted
shortfalls add, so that 95 % and 95 % make 90 %; under Timeslices a slice is bad when any member's
is, and the strictest target holds. For Occurrences the weighted burn rates add, which has no target
of its own: the strictest one is shown. A weighted mean of the members is ours.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from fleetslo.reliability.openslo.documents import Document
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.slo import Objective


def composite(doc: Document, base: Objective, members: Sequence[Objective]) -> Objective | None:
    """Return the one objective that these members make, or None after noting a fault.

    ``base`` has what the document says of the whole.
    """
    target = _target(base, members)
    if not 0 <= target < 1:
        rule = (
            f"together they ask for {float(target):.10g}, and must ask for at least 0 and less "
            "than 1; lower the weights, or raise the targets"
        )
        doc.fault(("spec", "objectives"), rule)
        return None
    lengths = {member.slice_length for member in members}
    return replace(
        base,
        selector=Selector(),
        target=float(target),
        members=tuple(members),
        slice_length=members[0].slice_length if len(lengths) == 1 else None,
        unmeasured=_unmeasured(members, len(lengths)),
    )


def _target(base: Objective, members: Sequence[Objective]) -> Fraction:
    targets = [_exact(member.target) for member in members]
    weights = [_exact(member.weight) for member in members]
    weighted = list(zip(weights, targets, strict=True))
    if base.weighted_mean:
        return sum((w * t for w, t in weighted), Fraction(0)) / sum(weights)
    if base.method == "RatioTimeslices":
        return 1 - sum((w * (1 - t) for w, t in weighted), Fraction(0))
    return max(targets)


def _exact(number: float) -> Fraction:
    # The decimal that was written: 1 - (0.05 + 0.05) is 0.9, and not a little less.
    return Fraction(repr(number))


def _unmeasured(members: Sequence[Objective], lengths: int) -> str | None:
    for member in members:
        if member.unmeasured is not None:
            return f"of its member {member.label}, {member.unmeasured}"
    if lengths > 1:
        return "its members cut the window into slices of different lengths"
    return None
