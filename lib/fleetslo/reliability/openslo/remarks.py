"""What is allowed in an objective and yet worth knowing."""

from collections.abc import Iterator
from datetime import timedelta

from fleetslo.reliability.alerts import ABOVE, needless, unreachable
from fleetslo.reliability.buckets import nearest_bounds
from fleetslo.reliability.slo import Objective

# Nobody keeps a budget of minutes, and OpenSLO's own example writes 1m for what it says is a month.
_SHORT_WINDOW = timedelta(hours=1)


def remarks(objective: Objective) -> tuple[str, ...]:
    """Return what is allowed in an objective and yet worth knowing, a sentence each.

    A latency threshold inside a bucket leaves its requests uncertain; an alert that a total outage
    cannot reach never fires; a factor under 1 fires for objectives that will be met. What cannot
    be measured here does not alert here.
    """
    found = [*objective.notes]
    if objective.window.nominal < _SHORT_WINDOW:
        found.append(
            f"its window is {objective.window.nominal // timedelta(minutes=1)} min; "
            "1m is a minute, 1M a month"
        )
    for one in objective.measured:
        about = f"{one.label}: " if objective.members else ""
        found += [f"{about}{remark}" for remark in _on_threshold(one)]
    return (*found, *(() if objective.unmeasured else _on_alerts(objective)))


def _on_threshold(objective: Objective) -> Iterator[str]:
    within, op = objective.selector.within_s, objective.selector.op
    if within is None:
        return
    below, above = nearest_bounds(within)
    if below != above:
        yield (
            f"{within:g} s lies inside a bucket, whose requests stay uncertain; "
            f"{below:.10g} s and {above:.10g} s are bounds"
        )
    elif op in ("lt", "gte"):
        yield (
            f"{within:g} s is the upper bound of a bucket that holds it, whose requests stay "
            f"uncertain; {'lte' if op == 'lt' else 'gt'} would count them exactly"
        )


def _on_alerts(objective: Objective) -> Iterator[str]:
    outage = 1 / (1 - objective.target)
    for window in unreachable(objective.alerts, objective.target):
        yield (
            f"the {window.severity} at {window.factor:.4g} × never fires: "
            f"a total outage burns at {outage:.4g} ×"
        )
    for window in needless(objective.alerts):
        burn = f"{window.factor:.4g} ×"
        yield f"the {window.severity} at {burn} fires at a burn that meets the objective"
    for window in objective.alerts:
        if window.op not in ABOVE:
            yield (
                f"the {window.severity} of {window.name} fires while the burn rate is under "
                f"{window.factor:.4g}, so while all is well; gt was probably meant"
            )
