"""Burn-rate alerts over two windows. Source: SRE Workbook, chapter 5, table 5-8."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from typing import Literal

from fleetslo.errors import ParameterError, nearest
from fleetslo.reliability.budgets import budget_share

Severity = Literal["page", "ticket"]

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
        name: of the alert policy it was read from; empty for the built-in ones.
    """

    severity: Severity
    budget_share: float
    long: timedelta
    short: timedelta
    factor: float
    op: Literal["gt", "gte", "lt", "lte"] = "gt"
    after: timedelta = timedelta(0)
    without_data: bool = False
    name: str = ""

    @property
    def long_minutes(self) -> int:
        """The long window in minutes."""
        return self.long // _MINUTE

    @property
    def short_minutes(self) -> int:
        """The short window in minutes."""
        return self.short // _MINUTE


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


def _workbook(window: timedelta) -> tuple[AlertWindow, ...]:
    return tuple(
        AlertWindow(
            severity,
            float(share),
            long,
            short,
            float(Fraction(share) * (window // _MINUTE) / (long // _MINUTE)),
        )
        for severity, share, long, short in _WORKBOOK
    )


def _proportional(window: timedelta) -> tuple[AlertWindow, ...]:
    scale = Fraction(window // _MINUTE, _PROPORTIONAL_LENGTH // _MINUTE)

    def scaled(length: timedelta) -> timedelta:
        return math.ceil(length // _MINUTE * scale) * _MINUTE

    return tuple(
        AlertWindow(severity, factor * (scaled(long) / window), scaled(long), scaled(short), factor)
        for severity, factor, long, short in _PROPORTIONAL
    )


def alert_windows(window: timedelta, policy: str = "workbook") -> tuple[AlertWindow, ...]:
    """Return the conditions of a policy for an objective's window, the most urgent first.

    ``workbook`` keeps the windows and scales the factor: share of the budget × SLO window ÷ long
    window. ``proportional`` scales the windows (whole minutes, rounded up) and keeps the factors.

    Raises:
        ParameterError: no such policy, or a window of less than a minute.
    """
    if window < _MINUTE:
        raise ParameterError(f"a window of {window} is too short for alerts; give a minute or more")
    if policy == "workbook":
        return _workbook(window)
    if policy == "proportional":
        return _proportional(window)
    raise ParameterError(
        f"there is no alert policy {policy!r}.{nearest(policy, list(POLICIES))} "
        f"There are {' and '.join(POLICIES)}"
    )


def _factor(window: AlertWindow) -> Fraction:
    # 0.9333… was 14/15 before it became a float, and is compared as such.
    return Fraction(window.factor).limit_denominator(1_000_000)


def firing(
    totals: Mapping[int, tuple[int, int]],
    target: float,
    windows: Sequence[AlertWindow],
    least_bad: int = 5,
) -> tuple[AlertWindow, ...]:
    """Return the conditions that fire at the end of these windows, in the order given.

    Args:
        totals: window in minutes to ``(bad_count, valid_count)`` over it, for the long and the
            short window of every condition.
        target: the objective's target, in [0, 1).
        windows: the conditions.
        least_bad: bad requests that the long window needs before anything fires.

    Raises:
        ParameterError: totals of a window are missing or cannot be, or the target cannot.
    """
    share = budget_share(target)

    def burns(minutes: int, factor: Fraction) -> bool:
        if minutes not in totals:
            raise ParameterError(
                f"there are no totals of the last {minutes} minutes; there are "
                f"{', '.join(map(str, sorted(totals))) or 'none'}"
            )
        bad_count, valid_count = totals[minutes]
        if not 0 <= bad_count <= valid_count:
            raise ParameterError(
                f"{bad_count} bad requests of {valid_count} in {minutes} minutes cannot be"
            )
        return bad_count > factor * share * valid_count

    return tuple(
        window
        for window in windows
        if burns(window.long_minutes, _factor(window))
        and burns(window.short_minutes, _factor(window))
        and totals[window.long_minutes][0] >= least_bad
    )


def unreachable(windows: Sequence[AlertWindow], target: float) -> tuple[AlertWindow, ...]:
    """Return the conditions that not even a total outage would fire, in the order given.

    A total outage burns at ``1 / (1 − target)``: 10 at 90 %, so that 14.4 is never exceeded.

    Raises:
        ParameterError: the target is not in [0, 1).
    """
    outage = 1 / budget_share(target)
    return tuple(window for window in windows if _factor(window) >= outage)


def needless(windows: Sequence[AlertWindow]) -> tuple[AlertWindow, ...]:
    """Return the conditions with a factor under 1: they fire for objectives that will be met."""
    return tuple(window for window in windows if _factor(window) < 1)
