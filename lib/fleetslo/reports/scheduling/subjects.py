"""For whom a report is made: the services, squads, systems, regions or values of its period."""

from collections.abc import Iterable
from typing import Any

from fleetslo.errors import SettingsError, nearest
from fleetslo.fleet import Fleet
from fleetslo.periods import Period
from fleetslo.reports.scheduling.entries import Asked, Entry

_REGIONS = Asked(query="fleet/regions", column="region")


class Subjects:
    """Answers for whom each report of a schedule is made, as the fleet was in its period."""

    def __init__(self, fleet: Fleet, as_of: str) -> None:
        self._fleet = fleet
        self._as_of = as_of

    def __call__(self, entry: Entry) -> list[str]:
        """Return the names that a report is made for, sorted; one page each.

        A service counts when the catalogue has it in the period or the data does; a squad or a
        system when it owns at least one of them.

        Raises:
            PeriodError, NoData: the period is not one of the data.
            UnknownQuery, SettingsError: the question that the entry names is not there, or has
                no such column.
        """
        period = self._fleet.period(entry.period, self._as_of)
        match entry.for_each:
            case None:
                return []
            case "region":
                return self._values(_REGIONS, period)
            case Asked() as asked:
                return self._values(asked, period)
            case column:
                names = self._fleet.services(period)[column].drop_nulls().unique().sort()
                return list(names.to_list())

    def _values(self, asked: Asked, period: Period) -> list[str]:
        frame = self._fleet.query(asked.query, period=period)
        if asked.column not in frame.columns:
            raise SettingsError(
                f"{asked.query} has no column {asked.column!r}."
                f"{nearest(asked.column, frame.columns)} It has: {', '.join(frame.columns)}"
            )
        values = frame[asked.column].drop_nulls().unique().sort().to_list()
        return [str(value) for value in values]

    def catalogue(self, entries: Iterable[Entry]) -> dict[str, dict[str, Any]]:
        """Return squad and tier of every service of the entries' periods."""
        found: dict[str, dict[str, Any]] = {}
        for text in sorted({entry.period for entry in entries}):
            services = self._fleet.services(self._fleet.period(text, self._as_of))
            for row in services.iter_rows(named=True):
                found[row["service"]] = {"squad": row["squad"], "tier": row["tier"]}
        return found
