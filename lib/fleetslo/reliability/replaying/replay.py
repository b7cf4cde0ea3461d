"""What alerts would have done over recorded minutes.

A condition is looked at when a minute ends, over the minutes that end there: an alert whose last
look-back includes 12:04 fired at 12:05, when anybody could know. Source: SRE Workbook, chapter 5.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.reliability.alerts import ABOVE, AlertWindow, Policy, alert_windows, burn_limit
from fleetslo.reliability.replaying.burned import Burned, burned, compared
from fleetslo.reliability.replaying.recorded import Minutes, recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fleetslo.reliability.slo import Objective

    Flags = NDArray[np.bool_]

_MINUTE = timedelta(minutes=1)
_UNNAMED = "custom"

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
    with the first of them, and clears when none holds. Only what was certainly bad counts:
    requests, or slices where the objective is counted in them, see ``burned``. A minute without a
    row is no data: it adds nothing to a window.

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
    × the window's minutes, or (1 − target) × its slices. Shares of it are null where nothing was
    requested.

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
    conditions = (
        objective.alerts if policy is None else alert_windows(objective.window.nominal, policy)
    )
    burn = burned(minutes, objective)
    budget = burn.budget
    alerts: dict[tuple[str, str], list[AlertWindow]] = {}
    for condition in conditions:
        alerts.setdefault((condition.severity, condition.name or _UNNAMED), []).append(condition)
    for (severity, name), members in alerts.items():
        held = [_fires(minutes, burn, window, objective.target, least_bad) for window in members]
        for first, last in _stretches(np.logical_or.reduce(held)):
            place = next(i for i, flags in enumerate(held) if flags[first])
            window = members[place]
            stop = min(last + 1, minutes.count)
            before = burn.gone(first + 1 - window.long_minutes - _wait(window), first + 1)
            spent = before + burn.gone(first + 1, stop)
            yield (
                severity,
                name,
                window.long_minutes,
                window.short_minutes,
                window.factor,
                minutes.end_of(first),
                minutes.end_of(last) if last < minutes.count else None,
                minutes.bad_in(first + 1, stop),
                before / budget if budget else None,
                spent / budget if budget else None,
            )


def _fires(
    minutes: Minutes, burn: Burned, window: AlertWindow, target: float, least_bad: int
) -> "Flags":
    """Return, for the end of every minute, whether a condition fires."""
    limit = burn_limit(window, target)
    long, short = window.long_minutes, window.short_minutes
    holds = compared(window.op, *burn.over(long), limit)
    if window.op in ABOVE:
        holds &= minutes.bad_over(long) >= least_bad
    if short != long and holds.any():
        holds &= compared(window.op, *burn.over(short), limit)
    holds &= window.on_burn
    if window.without_data:
        holds |= minutes.covered_over(window.long_minutes) == 0
    return _lasting(holds, _wait(window))


def _wait(window: AlertWindow) -> int:
    """Return for how many minutes it must have held when it fires; part of one is one more."""
    return -(-window.after // _MINUTE)


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
