"""What an error budget asks of its squad: go on, slow down, or freeze.

Source: SRE Workbook, appendix B, Example Error Budget Policy
(https://sre.google/workbook/error-budget-policy): changes halt when the budget is exceeded, until
the service is back within its SLO, and an incident that takes more than 20 % of the budget gets a
postmortem. Slowing down before that is ours; it begins where an objective is at risk.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fleetslo.errors import ParameterError
from fleetslo.reliability.budgets import VerdictName

State = Literal["normal", "slow_down", "freeze"]

_THIN = "\u202f"  # between a number and its unit, as on every page

_SAYS: dict[State | None, str] = {
    "normal": "Releases proceed as usual.",
    "slow_down": "Release less and smaller: what is left of the budget is kept for mishaps.",
    "freeze": (
        "Halt all changes and releases but P0 issues and security fixes, until the service is "
        "back within its budget."
    ),
    None: "The objective cannot be judged, so the policy asks for nothing.",
}


@dataclass(frozen=True)
class PolicyState:
    """What the error-budget policy asks for, for one objective.

    Attributes:
        state: ``normal``, ``slow_down`` or ``freeze``; None where the objective is not judged.
        says: what that asks of the squad, as a sentence.
        reason: why, as a clause.
        postmortem: whether a single incident took so much that it needs one.
    """

    state: State | None
    says: str
    reason: str
    postmortem: bool


def policy_state(
    budget_left: float | None,
    verdict: VerdictName,
    *,
    largest_incident_spent: float | None = None,
    slow_down_at: float = 0.25,
    postmortem_at: float = 0.2,
) -> PolicyState:
    """Return what the policy asks for at the end of an objective's window.

    Args:
        budget_left: share of the budget that is left, under 0 when overspent; None for no data.
        verdict: of the same window.
        largest_incident_spent: the share of the budget that the worst single incident took; None
            where there was none.
        slow_down_at: the share left at which releases slow down.
        postmortem_at: an incident that took more than this share needs a postmortem.

    Raises:
        ParameterError: a share of a setting that is not between 0 and 1.
    """
    for share in (slow_down_at, postmortem_at):
        if not 0 <= share <= 1:
            raise ParameterError(f"a share of {share!r} cannot be; it is between 0 and 1")
    state, reason = _state(budget_left, verdict, slow_down_at)
    postmortem = largest_incident_spent is not None and largest_incident_spent > postmortem_at
    return PolicyState(state, _SAYS[state], reason, postmortem)


def _state(
    budget_left: float | None, verdict: VerdictName, slow_down_at: float
) -> tuple[State | None, str]:
    if verdict == "unjudged" or budget_left is None:
        return None, "it cannot be judged"
    if verdict == "missed" or budget_left < 0:
        return "freeze", "the budget is overspent"
    edge = f"{100 * slow_down_at:g}{_THIN}% of the budget"
    if budget_left <= slow_down_at:
        return "slow_down", f"{edge} or less is left"
    if verdict == "at_risk":
        return "slow_down", "the objective is at risk"
    return "normal", f"more than {edge} is left"


def overspent_periods(budgets_left: Iterable[float | None]) -> int:
    """Return for how many periods in a row the budget was overspent, counted from the newest.

    ``budgets_left`` is the share left in each period, newest first. A period without data ends the
    row: nothing says that it was overspent.
    """
    count = 0
    for left in budgets_left:
        if left is None or left >= 0:
            break
        count += 1
    return count
