"""Which objectives of a squad or of the whole fleet are too loose or too tight for their past."""

from datetime import timedelta
from typing import TYPE_CHECKING

import polars as pl

from fleetslo.charts.blocks import Table
from fleetslo.charts.tuning.fits import fit_table
from fleetslo.errors import ParameterError, nearest
from fleetslo.explore.tuning_history import ServicePast, fits, reach_back, tunable
from fleetslo.periods import Period
from fleetslo.reliability.exclusions import excluded
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.tuning import past, whole_windows
from fleetslo.reliability.windows import RollingWindow

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet

_DAY = timedelta(days=1)


def fleet_fits(fleet: "Fleet", period: Period, *, squad: str = "") -> pl.DataFrame:
    """Return one row per objective: whether its target fits the windows of its past.

    Columns as of ``tuning_history.fits``.

    Args:
        fleet: where the data is.
        period: windows are taken from all history before its end.
        squad: whose objectives; empty is all.

    Raises:
        ParameterError: there is no such squad.
    """
    known = fleet.services(period)
    if squad:
        squads = known["squad"].drop_nulls().unique().sort().to_list()
        if squad not in squads:
            raise ParameterError(f"there is no squad {squad!r}.{nearest(squad, squads)}")
        known = known.filter(pl.col("squad") == squad)
    rows = {row["service"]: row for row in known.iter_rows(named=True)}
    objectives = tunable(fleet.objectives_at(period, list(rows))) if rows else []
    history = reach_back(period)
    days = fleet.slo_days(history, list(rows) if squad else ()).rename({"day": "at"})
    by_key = days.partition_by("service", "objective", "definition", as_dict=True)
    services: dict[str, ServicePast] = {}

    def windows(one: Objective) -> pl.DataFrame:
        row = rows[one.service]
        if _needs_minutes(one) or excluded(fleet.exclusions, one, row, history):
            if one.service not in services:
                services[one.service] = ServicePast(fleet, row, period, history, [one])
            return services[one.service].windows(one)
        counted = by_key.get((one.service, one.name, one.selector.definition), days.clear())
        return past(
            counted,
            whole_windows(one.window, history),
            coverage_minimum=fleet.settings.coverage_minimum,
        )

    return fits((one, windows(one)) for one in objectives)


def target_fits(fleet: "Fleet", period: Period, *, squad: str = "") -> Table:
    """Return ``fleet_fits`` as a table, those that do not fit first."""
    return fit_table(fleet_fits(fleet, period, squad=squad), services=True)


def _needs_minutes(objective: Objective) -> bool:
    """Return whether whole UTC days cannot tell an objective's windows."""
    window = objective.window
    whole_days = isinstance(window, RollingWindow) and not window.length % _DAY
    return objective.method != "Occurrences" or not whole_days
