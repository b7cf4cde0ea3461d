"""Minutes that are missing: of one service while others reported, and of the whole fleet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import duckdb
import numpy as np
import numpy.typing as npt
import polars as pl

from fleetslo.warehouse.contracts import Contract
from fleetslo.warehouse.engine import quoted, stored
from fleetslo.warehouse.layout import Layout

# A day counts as kept whole when it holds at least this share of the minutes that the median day
# of the last week holds: an outage leaves more, the hours kept around an old incident less.
_WHOLE_SHARE, _RECENT_DAYS = 0.5, 7

# Whole minutes since 1970, ascending.
Minutes = npt.NDArray[np.int64]

Steps = Callable[[datetime, datetime], dict[str, timedelta]]


@dataclass(frozen=True)
class Gap:
    """How many minutes are missing in all, in words, and the longest stretch of them."""

    name: str
    missing: int
    says: str
    example: str


def gaps(runs: pl.DataFrame, steps: Steps) -> list[Gap]:
    """Return the gaps of a table whose rows come every minute: at most one of each kind.

    A service's gap is a minute between its first and its last in which another service reported
    and it did not; a source with a coarser step covers the whole step with one row. A gap of the
    fleet is a minute in which nobody reported. Old days that are kept only in part, as around
    incidents, are not looked at.

    Args:
        runs: ``day, service, first_minute, after_minute``: minutes of a day without a gap, as
            whole minutes since 1970; the last one is exclusive.
        steps: returns the services whose rows cover more than a minute in ``[start, end)``.
    """
    kept = _whole_days(runs)
    if kept.is_empty():
        return []
    fleet = _minutes(kept)
    found = steps(_instant(fleet[0]), _instant(fleet[-1] + 1))
    lengths = {service: int(step / timedelta(minutes=1)) for service, step in found.items()}
    reported = kept.partition_by("service", as_dict=True)
    services = {str(service): part for (service,), part in reported.items()}
    finest = min(lengths.get(service, 1) for service in services)
    return [*_of_services(services, fleet, lengths), *_of_fleet(fleet, finest)]


def stored_runs(
    connection: duckdb.DuckDBPyConnection,
    layout: Layout,
    contract: Contract,
    dates: Sequence[date],
) -> pl.DataFrame:
    """Return the runs of minutes that the files of an embedded table hold, as ``gaps`` takes them.

    Day by day, so that memory does not grow with the fleet's age.
    """
    days = [_of_day(connection, layout, contract, day) for day in dates]
    return pl.concat(days)


def _of_day(
    connection: duckdb.DuckDBPyConnection, layout: Layout, contract: Contract, day: date
) -> pl.DataFrame:
    files = sorted(layout.partition(contract.table, day).glob("part-*.parquet"))
    minute = f"epoch_us({quoted(contract.partition or 'minute')}) // 60000000"
    runs: pl.DataFrame = connection.sql(
        f"SELECT DATE '{day}' AS day, service, min(minute) AS first_minute, "
        "max(minute) + 1 AS after_minute FROM (SELECT service, minute, "
        "minute - row_number() OVER (PARTITION BY service ORDER BY minute) AS run "
        f"FROM (SELECT DISTINCT service, {minute} AS minute FROM ({stored(contract, files)}))) "
        "GROUP BY service, run"
    ).pl()
    return runs


def _whole_days(runs: pl.DataFrame) -> pl.DataFrame:
    """Return the runs from the first day on that is kept whole."""
    sizes = (
        runs.group_by("day")
        .agg(size=(pl.col("after_minute") - pl.col("first_minute")).sum())
        .sort("day")
    )
    if sizes.is_empty():
        return runs
    whole = _WHOLE_SHARE * float(np.median(sizes["size"][-_RECENT_DAYS:].to_numpy()))
    first = sizes.filter(pl.col("size") >= whole)["day"][0]
    return runs.filter(pl.col("day") >= first)


def _minutes(runs: pl.DataFrame) -> Minutes:
    """Return every minute of some runs once."""
    distinct = runs.select("first_minute", "after_minute").unique()
    pieces = [np.arange(first, after) for first, after in distinct.iter_rows()]
    return np.unique(np.concatenate(pieces))


def _instant(minute: int) -> datetime:
    return datetime.fromtimestamp(int(minute) * 60, UTC)


def _of_services(
    reported: dict[str, pl.DataFrame], fleet: Minutes, steps: dict[str, int]
) -> list[Gap]:
    missing, services = 0, 0
    longest, example = 0, ""
    for service in sorted(reported):
        step = steps.get(service, 1)
        own = np.unique(_minutes(reported[service]) // step)
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
