"""What alerts would have done over recorded minutes.

A condition is looked at when a minute ends, over the minutes that end there: an alert whose last
look-back includes 12:04 fired at 12:05, when anybody could know. Source: SRE Workbook, chapter 5.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.alerts import ABOVE, AlertWindow, Op, Policy, alert_windows, burn_limit
from fleetslo.reliability.budgets import budget_share
from fleetslo.reliability.recorded import Minutes, recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleetslo.reliability.slo import Objective

    Whole = NDArray[np.int64]
    Flags = NDArray[np.bool_]

_MINUTE = timedelta(minutes=1)
_UNNAMED = "custom"

# The greatest product that 64 bits hold; beyond it counts are compared otherwise.
_LARGEST = 2**63 - 1
# Floats tell counts from a limit but for this share of them: far above their rounding (1e-16),
# far below what leaves many minutes to compare one by one.
_BLUR = 1e-9

_COMPARE: dict[Op, Callable[..., Any]] = {
    "gt": np.greater,
    "gte": np.greater_equal,
    "lt": np.less,
    "lte": np.less_equal,
}

_SCHEMA: dict[str, Any] = {
    "severity": pl.String,
    "policy": pl.String,
    "long_minutes": pl.Int64,
    "short_minutes": pl.Int64,
    "factor": pl.Float64,
    "fired_at": pl.Datetime("us", "UTC"),
    "cleared_at": pl.Datetime("us", "UTC"),
    "bad_count": pl.Int64,
    "budget_spent_at": pl.Float64,
    "budget_spent": pl.Float64,
}


def replay(
    minutes: pl.DataFrame,
    objective: "Objective | Mapping[tuple[str, str], Objective]",
    windows: Policy | None = None,
    *,
    least_bad: int = 5,
    until: datetime | None = None,
) -> pl.DataFrame:
    """Return one row per alert that would have fired, by service, objective and time.

    The conditions of one policy and severity are one alert, as in the Workbook's rules: it fires
    with the first of them, and clears when none holds. Only requests that were certainly bad
    count, and requests are counted whatever the budgeting method: a slice is too coarse to alert
    on. A minute without a row is no data: it adds nothing to a window.

    Args:
        minutes: one row per covered minute: ``minute, good_count, valid_count``, and if need be
            ``uncertain_count, service, objective``, in any order. Rows before the stretch of
            interest are looked back on.
        objective: the one that all rows are of, or each by ``(service, objective)``; rows of
            others are left out.
        windows: a policy or its conditions, see ``alert_windows``; None for the objective's own.
        least_bad: bad requests that the long window needs before a burn above a factor fires.
        until: the end of what is looked at; None for the end of the newest minute. A service
            silent until then has no data there.

    Columns: ``service`` and ``objective`` where the input has them; ``severity, policy``;
    ``long_minutes, short_minutes, factor`` of the condition that fired first; ``fired_at`` and
    ``cleared_at`` (null while firing), each the end of a minute; ``bad_count``, the certainly bad
    requests between them; ``budget_spent_at``, the share of the budget that was gone when it fired
    (in the long window, and in ``after``), and ``budget_spent``, that and what went until it
    cleared. The budget is the whole window's: (1 − target) × the mean requests of a covered minute
    × the window's minutes. Shares of it are null where nothing was requested.

    Raises:
        ParameterError: minutes that cannot be, conditions that cannot be, or an objective that has
            no minutes of its own.
        PeriodError: ``until`` has no zone.
    """
    frames: dict[str, list[Any]] = {name: [] for name in _SCHEMA}
    keys = [key for key in ("service", "objective") if key in minutes.columns]
    named: dict[str, list[str]] = {key: [] for key in keys}
    for name, found in recorded(minutes, keys, until):
        which = _chosen(objective, name)
        if which is None:
            continue
        before = len(frames["severity"])
        for row in _alerts(found, which, windows, least_bad):
            for column, value in zip(_SCHEMA, row, strict=True):
                frames[column].append(value)
        added = len(frames["severity"]) - before
        for key in keys:
            named[key] += [name[key]] * added
    return pl.DataFrame(
        {**named, **frames}, schema={**dict.fromkeys(keys, pl.String), **_SCHEMA}
    ).sort(*keys, "fired_at", maintain_order=True)


def _chosen(
    objective: "Objective | Mapping[tuple[str, str], Objective]", name: Mapping[str, str]
) -> "Objective | None":
    """Return the objective that these minutes are of."""
    if isinstance(objective, Mapping):
        if len(name) < 2:
            raise ParameterError(
                "objectives by service and name need minutes with columns service and objective"
            )
        found = objective.get((name["service"], name["objective"]))
    else:
        found = objective
    if found is not None and found.members:
        raise ParameterError(
            f"{found.name} is made of others and has no minutes of its own; replay its members"
        )
    return found


def _alerts(
    minutes: Minutes, objective: "Objective", policy: Policy | None, least_bad: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the alerts of one objective, policy by policy."""
    length = objective.window.nominal
    conditions = objective.alerts if policy is None else alert_windows(length, policy)
    budget = (
        budget_share(objective.target)
        * Fraction(int(minutes.valid_sums[-1]), minutes.covered_count)
        * (length // _MINUTE)
    )
    alerts: dict[tuple[str, str], list[AlertWindow]] = {}
    for condition in conditions:
        alerts.setdefault((condition.severity, condition.name or _UNNAMED), []).append(condition)
    for (severity, name), members in alerts.items():
        held = [_fires(minutes, window, objective.target, least_bad) for window in members]
        for first, last in _stretches(np.logical_or.reduce(held)):
            place = next(i for i, flags in enumerate(held) if flags[first])
            window = members[place]
            back = window.long_minutes + _wait(window)
            before = minutes.bad_in(max(0, first + 1 - back), first + 1)
            after = minutes.bad_in(first + 1, min(last + 1, minutes.count))
            yield (
                severity,
                name,
                window.long_minutes,
                window.short_minutes,
                window.factor,
                minutes.end_of(first),
                minutes.end_of(last) if last < minutes.count else None,
                after,
                float(before / budget) if budget else None,
                float((before + after) / budget) if budget else None,
            )


def _fires(minutes: Minutes, window: AlertWindow, target: float, least_bad: int) -> "Flags":
    """Return, for the end of every minute, whether a condition fires."""
    limit = burn_limit(window, target)
    long, short = window.long_minutes, window.short_minutes
    bad = minutes.bad_over(long)
    holds = _compared(window.op, bad, minutes.valid_over(long), limit)
    if window.op in ABOVE:
        holds &= bad >= least_bad
    if short != long and holds.any():
        holds &= _compared(window.op, minutes.bad_over(short), minutes.valid_over(short), limit)
    if window.without_data:
        holds |= minutes.covered_over(window.long_minutes) == 0
    return _lasting(holds, _wait(window))


def _wait(window: AlertWindow) -> int:
    """Return for how many minutes it must have held when it fires; part of one is one more."""
    return -(-window.after // _MINUTE)


def _compared(op: Op, bad: "Whole", valid: "Whole", limit: Fraction) -> "Flags":
    """Return where the burn of these counts compares so with a limit, exactly."""
    over, under = limit.numerator, limit.denominator
    busy = valid > 0
    if int(valid.max(initial=1)) * max(over, under) <= _LARGEST:
        gap = bad * under - valid * over
    else:
        rough = bad - valid * float(limit)
        gap = np.sign(rough).astype(np.int64)
        for place in np.flatnonzero(busy & (np.abs(rough) <= valid * _BLUR)):
            exact = int(bad[place]) * under - int(valid[place]) * over
            gap[place] = (exact > 0) - (exact < 0)
    compared: Flags = _COMPARE[op](gap, 0)
    return compared & busy


def _stretches(flags: "Flags") -> list[tuple[int, int]]:
    """Return the first place of every stretch that holds, and the first after it."""
    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _lasting(flags: "Flags", minutes: int) -> "Flags":
    """Return where it has held, without a break, for so many minutes before."""
    if minutes == 0:
        return flags
    kept = np.zeros_like(flags)
    for first, last in _stretches(flags):
        kept[first + minutes : last] = True
    return kept
