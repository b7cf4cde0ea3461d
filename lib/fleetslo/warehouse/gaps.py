"""Minutes that are missing: of one service while others reported, and of the whole fleet."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import numpy.typing as npt

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.engine import quoted, stored
from fleetslo.warehouse.layout import Layout

# A day counts as kept whole when it holds at least this share of the minutes that the median day
# of the last week holds: an outage leaves more, the hours kept around an old incident less.
_WHOLE_SHARE, _RECENT_DAYS = 0.5, 7

# Whole minutes since 1970, ascending.
Minutes = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Gap:
    """How many minutes are missing in all, in words, and the longest stretch of them."""

    name: str
    missing: int
    says: str
    example: str


def gaps(connection: duckdb.DuckDBPyConnection, layout: Layout, contract: Contract) -> list[Gap]:
    """Return the gaps of a table whose rows come every minute: at most one of each kind.

    A service's gap is a minute between its first and its last in which another service reported
    and it did not; a source with a coarser step covers the whole step with one row. A gap of the
    fleet is a minute in which nobody reported. Old days that are kept only in part, as around
    incidents, are not looked at.

    Args:
        connection: reads the files.
        layout: the files, and the steps of the services.
        contract: a table with ``minute`` and ``service`` in its grain.
    """
    reported = _reported(connection, layout, contract)
    fleet = np.unique(np.concatenate(list(reported.values())))
    first, after = _instant(fleet[0]), _instant(fleet[-1] + 1)
    steps = {
        service: int(step / timedelta(minutes=1))
        for service, step in layout.steps(contract.table, first, after).items()
    }
    finest = min(steps.get(service, 1) for service in reported)
    return [*_of_services(reported, fleet, steps), *_of_fleet(fleet, finest)]


def _reported(
    connection: duckdb.DuckDBPyConnection, layout: Layout, contract: Contract
) -> dict[str, Minutes]:
    """Return the minutes that each service has a row for, from the first whole day on."""
    days = [_of_day(connection, layout, contract, day) for day in layout.days(contract.table)]
    sizes = [sum(len(minutes) for minutes in day.values()) for day in days]
    whole = _WHOLE_SHARE * float(np.median(sizes[-_RECENT_DAYS:]))
    first = next(place for place, size in enumerate(sizes) if size >= whole)
    parts: dict[str, list[Minutes]] = {}
    for day in days[first:]:
        for service, minutes in day.items():
            parts.setdefault(service, []).append(minutes)
    return {service: np.concatenate(found) for service, found in parts.items()}


def _of_day(
    connection: duckdb.DuckDBPyConnection, layout: Layout, contract: Contract, day: date
) -> dict[str, Minutes]:
    files = sorted(layout.partition(contract.table, day).glob("part-*.parquet"))
    minute = f"epoch_us({quoted(contract.partition or 'minute')}) // 60000000"
    found = connection.sql(
        f"SELECT service, minute FROM (SELECT DISTINCT service, {minute} AS minute "
        f"FROM ({stored(contract, files)})) ORDER BY service, minute"
    ).pl()
    parts = found.partition_by("service", maintain_order=True)
    return {part["service"][0]: part["minute"].to_numpy().astype(np.int64) for part in parts}


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(int(minute) * 60, UTC)


def _of_services(reported: dict[str, Minutes], fleet: Minutes, steps: dict[str, int]) -> list[Gap]:
    missing, services = 0, 0
    longest, example = 0, ""
    for service, minutes in sorted(reported.items()):
        step = steps.get(service, 1)
        own = np.unique(minutes // step)
        wanted = np.unique(fleet // step)
        wanted = wanted[(wanted >= own[0]) & (wanted <= own[-1])]
        if len(wanted) == len(own):
            continue
        absent = np.setdiff1d(wanted, own, assume_unique=True)
        missing += len(absent) * step
        services += 1
        start, end = _longest_run(absent)
        if end - start > longest:
            longest = end - start
            example = _stretch(service, start * step, end * step)
    if not services:
        return []
    says = f"{services:,} services miss minutes in which others reported"
    return [Gap("no gaps in a service", missing, says, example)]


def _of_fleet(fleet: Minutes, step: int) -> list[Gap]:
    own = np.unique(fleet // step)
    absent = np.setdiff1d(np.arange(own[0], own[-1] + 1), own, assume_unique=True)
    if not len(absent):
        return []
    start, end = _longest_run(absent)
    says = "no service reported"
    example = _stretch("nobody", start * step, end * step)
    return [Gap("no gaps in the fleet", len(absent) * step, says, example)]


def _longest_run(absent: Minutes) -> tuple[int, int]:
    """Return the longest run of consecutive numbers, its end exclusive."""
    runs = np.split(absent, np.flatnonzero(np.diff(absent) != 1) + 1)
    run = max(runs, key=len)
    return int(run[0]), int(run[-1]) + 1


def _stretch(who: str, start: int, end: int) -> str:
    return f"{who} from {_instant(start):%Y-%m-%dT%H:%MZ} to {_instant(end):%Y-%m-%dT%H:%MZ}"
