"""Burn-rate alerts over two windows. Source: SRE Workbook, chapter 5, table 5-8.

What fires at an instant is here; ``replay`` does the same for every minute that was recorded.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from fleetslo.errors import ParameterError, nearest
from fleetslo.reliability.budgets import budget_share

if TYPE_CHECKING:
    from fleetslo.reliability.replaying.replay import replay as replay

Severity = Literal["page", "ticket"]
Op = Literal["gt", "gte", "lt", "lte"]

_MINUTE = timedelta(minutes=1)
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class AlertWindow:
    """One condition: it fires while both windows burn faster than the factor.

    Attributes:
        severity: ``page`` wakes somebody, ``ticket`` waits for the morning.
        budget_share: the share of the budget that is gone when a steady burn first fires it.
        long: the window that says it matters.
        short: the window that says it still goes on.
        factor: the burn rate that both must exceed.
        op: how the burn rate is compared with the factor; strictly greater unless a document
            says otherwise.
        after: how long both must hold before it fires; OpenSLO's ``alertAfter``.
        without_data: whether it also fires while the long window holds no data at all;
            OpenSLO's ``alertWhenNoData``.
        name: of the alert policy it belongs to; empty where nobody named it. Conditions of one
            policy and severity are one alert.
    """

    severity: Severity
    budget_share: float
    long: timedelta
    short: timedelta
    factor: float
    op: Op = "gt"
    after: timedelta = timedelta(0)
    without_data: bool = False
    on_burn: bool = True
    name: str = ""

    @property
    def long_minutes(self) -> int:
        """The long window in minutes."""
        return self.long // _MINUTE

    @property
    def short_minutes(self) -> int:
        """The short window in minutes."""
        return self.short // _MINUTE


@dataclass(frozen=True)
class AlertRule:
    """A condition as a person writes it: a share of the budget, or a factor, and two windows.

    Attributes:
        severity: ``page`` or ``ticket``.
        long: the window that says it matters.
        short: the window that says it still goes on; None for the long one alone.
        budget_share: the share of the budget that is gone when a steady burn first fires it.
        factor: the burn rate that both windows must exceed. Exactly one of the two is given.
        after: how long both must hold before it fires.
    """

    severity: Severity
    long: timedelta
    short: timedelta | None = None
    budget_share: float | None = None
    factor: float | None = None
    after: timedelta = timedelta(0)


Policy = str | Sequence[AlertWindow | AlertRule]
"""``workbook``, ``proportional``, or conditions of one's own."""


# SRE Workbook, table 5-8; the row of one day is from its Prometheus example.
_WORKBOOK: tuple[tuple[Severity, str, timedelta, timedelta], ...] = (
    ("page", "0.02", _HOUR, 5 * _MINUTE),  # gone in two days at this pace
    ("page", "0.05", 6 * _HOUR, 30 * _MINUTE),  # gone in five days
    ("ticket", "0.10", _DAY, 2 * _HOUR),  # gone in ten days
    ("ticket", "0.10", 3 * _DAY, 6 * _HOUR),  # gone just as the window ends
)

# What pyrra does for an objective of 28 days; there the windows scale and the factors stay.
_PROPORTIONAL_LENGTH = 28 * _DAY
_PROPORTIONAL: tuple[tuple[Severity, int, timedelta, timedelta], ...] = (
    ("page", 14, _HOUR, 5 * _MINUTE),  # gone in two days
    ("page", 7, 6 * _HOUR, 30 * _MINUTE),  # gone in four days
    ("ticket", 2, _DAY, 2 * _HOUR),  # gone in two weeks
    ("ticket", 1, 4 * _DAY, 6 * _HOUR),  # gone just as the window ends
)

POLICIES = ("workbook", "proportional")

ABOVE = ("gt", "gte")
"""The comparisons of conditions that fire at a burn above their factor."""


def _workbook(window: timedelta) -> Iterator[AlertRule]:
    for severity, share, long, short in _WORKBOOK:
        if long <= window:  # no budget of a day is judged by what was three days ago
            yield AlertRule(severity, long, short, budget_share=float(share))


def _proportional(window: timedelta) -> Iterator[AlertRule]:
    scale = Fraction(window // _MINUTE, _PROPORTIONAL_LENGTH // _MINUTE)

    def scaled(length: timedelta) -> timedelta:
        return math.ceil(length // _MINUTE * scale) * _MINUTE

    for severity, factor, long, short in _PROPORTIONAL:
        yield AlertRule(severity, scaled(long), scaled(short), factor=factor)


_BUILT_IN = {"workbook": _workbook, "proportional": _proportional}


def alert_windows(window: timedelta, policy: Policy = "workbook") -> tuple[AlertWindow, ...]:
    """Return the conditions of a policy for an objective's window, the most urgent first.

    ``workbook`` keeps the windows and scales the factor: share of the budget × SLO window ÷ long
    window; a condition that looks back further than the SLO window is left out. ``proportional``
    scales the windows (whole minutes, rounded up) and keeps the factors. A policy of one's own
    comes back in the order given; a condition that was made for another SLO window keeps its
    factor, and its share of the budget becomes factor × long window ÷ SLO window.

    Raises:
        ParameterError: no such policy, a window of less than a minute, or conditions that cannot
            be; every fault is named.
    """
    if window < _MINUTE:
        raise ParameterError(f"a window of {window} is too short for alerts; give a minute or more")
    if isinstance(policy, str):
        if policy not in _BUILT_IN:
            raise ParameterError(
                f"there is no alert policy {policy!r}.{nearest(policy, list(POLICIES))} "
                f"There are {' and '.join(POLICIES)}"
            )
        return _built_in(window, policy)
    faults = [
        f"condition {place}: {fault}"
        for place, rule in enumerate(policy, 1)
        for fault in _faults(rule, window)
    ]
    if faults or not policy:
        raise ParameterError("; ".join(faults) or "an alert policy needs at least one condition")
    return tuple(_condition(rule, window) for rule in policy)


@lru_cache  # a fleet asks for the same few windows, once per objective
def _built_in(window: timedelta, policy: str) -> tuple[AlertWindow, ...]:
    return tuple(_condition(rule, window, policy) for rule in _BUILT_IN[policy](window))


def _condition(rule: AlertWindow | AlertRule, window: timedelta, name: str = "") -> AlertWindow:
    """Return a rule as the condition that it is for this SLO window."""
    lookbacks = Fraction(window // _MINUTE, rule.long // _MINUTE)
    if rule.factor is None:
        share = Fraction(repr(float(rule.budget_share or 0)))
        factor = share * lookbacks
    else:
        factor = _sharp(rule.factor)
        share = factor / lookbacks
    if isinstance(rule, AlertWindow):
        return replace(rule, budget_share=float(share))
    return AlertWindow(
        rule.severity,
        float(share),
        rule.long,
        rule.long if rule.short is None else rule.short,
        float(factor),
        after=rule.after,
        name=name,
    )


def _faults(rule: AlertWindow | AlertRule, window: timedelta) -> Iterator[str]:
    """Yield what cannot be in a condition for this SLO window."""
    short = rule.long if rule.short is None else rule.short
    for name, length in (("long", rule.long), ("short", short)):
        if length < _MINUTE or length % _MINUTE:
            yield f"a {name} window of {length} is not a number of whole minutes"
    if short > rule.long:
        yield f"the short window, {short}, is longer than the long one, {rule.long}"
    if rule.long > window:
        yield f"the long window, {rule.long}, is longer than the objective's, {window}"
    if rule.after < timedelta(0):
        yield f"it cannot hold for {rule.after} before it fires"
    if isinstance(rule, AlertRule) and (rule.budget_share is None) == (rule.factor is None):
        yield "give either budget_share or factor"
        return
    if rule.factor is not None:
        if not 0 < rule.factor < math.inf:
            yield f"a factor of {rule.factor!r} is not a burn rate above 0"
    elif rule.budget_share is None or not 0 < rule.budget_share <= 1:
        yield f"a budget share of {rule.budget_share!r} is not above 0 and at most 1"


@lru_cache
def _sharp(factor: float) -> Fraction:
    # 0.9333… was 14/15 before it became a float, and is compared as such.
    return Fraction(factor).limit_denominator(1_000_000)


@lru_cache(maxsize=4096)
def burn_limit(window: AlertWindow, target: float) -> Fraction:
    """Return the bad share of requests that burns at exactly the condition's factor.

    Raises:
        ParameterError: the target is not in [0, 1).
    """
    return _sharp(window.factor) * budget_share(target)


def _holds(op: Op, bad_count: int, valid_count: int, limit: Fraction) -> bool:
    """Return whether the burn of these counts compares so; without requests nothing does."""
    if valid_count == 0:
        return False
    burnt, allowed = bad_count, limit * valid_count
    return {
        "gt": burnt > allowed,
        "gte": burnt >= allowed,
        "lt": burnt < allowed,
        "lte": burnt <= allowed,
    }[op]


def firing(
    totals: Mapping[int, tuple[int, int] | None],
    target: float,
    windows: Sequence[AlertWindow],
    least_bad: int = 5,
) -> tuple[AlertWindow, ...]:
    """Return the conditions that hold at the end of these windows, in the order given.

    How long they have held is not known at an instant: ``after`` is left to ``replay``.

    Args:
        totals: window in minutes to ``(bad_count, valid_count)`` over it, for the long and the
            short window of every condition; None where no minute of it is covered.
        target: the objective's target, in [0, 1).
        windows: the conditions.
        least_bad: bad requests that the long window needs before a burn above a factor fires.

    Raises:
        ParameterError: totals of a window are missing or cannot be, or the target cannot.
    """

    def counts(minutes: int) -> tuple[int, int] | None:
        if minutes not in totals:
            raise ParameterError(
                f"there are no totals of the last {minutes} minutes; there are "
                f"{', '.join(map(str, sorted(totals))) or 'none'}"
            )
        found = totals[minutes]
        if found is not None and not 0 <= found[0] <= found[1]:
            raise ParameterError(
                f"{found[0]} bad requests of {found[1]} in {minutes} minutes cannot be"
            )
        return found

    def fires(window: AlertWindow) -> bool:
        long, short = counts(window.long_minutes), counts(window.short_minutes)
        if long is None:
            return window.without_data
        limit = burn_limit(window, target)
        return (
            window.on_burn
            and short is not None
            and _holds(window.op, *long, limit)
            and _holds(window.op, *short, limit)
            and (long[0] >= least_bad or window.op not in ABOVE)
        )

    return tuple(window for window in windows if fires(window))


def unreachable(windows: Sequence[AlertWindow], target: float) -> tuple[AlertWindow, ...]:
    """Return the conditions that not even a total outage would fire, in the order given.

    A total outage burns at ``1 / (1 − target)``: 10 at 90 %, so that 14.4 is never exceeded.
    A condition on a burn below its factor is none of them.

    Raises:
        ParameterError: the target is not in [0, 1).
    """
    outage = 1 / budget_share(target)
    return tuple(
        window
        for window in windows
        if window.on_burn
        and (
            (window.op == "gt" and _sharp(window.factor) >= outage)
            or (window.op == "gte" and _sharp(window.factor) > outage)
        )
    )


def needless(windows: Sequence[AlertWindow]) -> tuple[AlertWindow, ...]:
    """Return the conditions with a factor under 1: they fire for objectives that will be met.

    A condition on a burn below its factor is none of them.
    """
    return tuple(w for w in windows if w.on_burn and w.op in ABOVE and _sharp(w.factor) < 1)


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import ``replay`` when it is first used: objectives are read without Polars."""
        if name != "replay":
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from fleetslo.reliability.replaying import replay as module

        return module.replay
