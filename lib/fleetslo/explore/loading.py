"""What a service did, as explore_latency needs it: fetched once, kept while it is looked at."""

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.errors import ObjectiveError
from fleetslo.explore.comparison import Selection, reach
from fleetslo.periods import Period

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet
    from fleetslo.reliability.objectives import Objective


@dataclass(frozen=True)
class Loaded:
    """What one service did over a period and the one before it.

    Attributes:
        service: its name.
        hours: as ``latency/hours``.
        deployments: as ``delivery/deployments``.
        incidents: as ``oncall/incidents``.
        objectives: those that apply to it.
    """

    service: str
    hours: pl.DataFrame
    deployments: pl.DataFrame
    incidents: pl.DataFrame
    objectives: list["Objective"]

    def threshold(self, selection: Selection) -> tuple[float | None, float | None]:
        """Return threshold (s) and target of the strictest latency objective for a selection.

        An objective for some endpoints counts only where one of those is selected. Both are None
        where there is none.
        """
        found = [
            (one.target, one.selector.within_s)
            for one in self.objectives
            if one.selector.within_s is not None
            and _covers(one.selector.endpoints, selection.endpoint)
            and _covers(one.selector.regions, selection.region)
            and _covers(one.selector.versions, selection.version)
        ]
        if not found:
            return None, None
        target, within_s = max(found, key=lambda pair: (pair[0], -pair[1]))
        return within_s, target


def load(fleet: "Fleet", service: str, period: Period) -> Loaded:
    """Return what a service did over a period and the one before it."""
    whole, chosen = reach(period), [service]
    known = fleet.services(period).filter(pl.col("service") == service)
    try:
        objectives = fleet.objectives_of(known)
    except ObjectiveError:  # its own command explains it; latency can be seen without
        objectives = []
    return Loaded(
        service,
        fleet.query("latency/hours", period=whole, services=chosen),
        fleet.query("delivery/deployments", period=whole, services=chosen),
        fleet.query("oncall/incidents", period=whole, services=chosen),
        objectives,
    )


def _covers(patterns: tuple[str, ...], value: str | None) -> bool:
    if not patterns:
        return True
    return value is not None and any(fnmatchcase(value, pattern) for pattern in patterns)
