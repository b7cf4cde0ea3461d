"""Exclusions: minutes, such as agreed maintenance, that leave both counts of an objective.

What repeats follows the clock on the wall: 02:00 stays 02:00 in summer. How one is written:
``reliability.exclusion_documents``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from fleetslo.errors import ObjectiveError
from fleetslo.periods import Period
from fleetslo.reliability.openslo.conditions import Condition, parse_condition
from fleetslo.reliability.openslo.documents import Document, files_of, read_documents
from fleetslo.reliability.openslo.exclusion_documents import (
    API_VERSION,
    check_exclusion,
    day,
    elapsed,
    local_start,
)
from fleetslo.reliability.openslo.recurrence import Recurrence, moment, parse_recurrence

if TYPE_CHECKING:  # it reads openslo.py, which checks exclusions by this module
    from fleetslo.reliability.slo import Objective

__all__ = [
    "API_VERSION",
    "Exclusion",
    "applies",
    "check_exclusion",
    "excluded",
    "merged",
    "read_exclusions",
    "without",
]

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Exclusion:
    """Stretches of time that some objectives do not count.

    Attributes:
        name: the document's name.
        display_name: what a page calls it; None for the name.
        reason: why, for whoever reads the page.
        starts: local date and time, without a zone, at which it first happens.
        lasts: how long it takes, as elapsed time.
        recurrence: by which rule it happens again; None for once.
        skipped: local dates on which it would start and does not.
        zone: a zone of the IANA database.
        condition: which services it is for; None where ``services`` says so.
        services: patterns of service names; empty, and no condition, means all.
        objectives: patterns of objective names; empty means all.
        source: the file and document that it was read from.
    """

    name: str
    display_name: str | None
    reason: str
    starts: datetime
    lasts: timedelta
    recurrence: Recurrence | None
    skipped: frozenset[date]
    zone: str
    condition: Condition | None
    services: tuple[str, ...]
    objectives: tuple[str, ...]
    source: str

    @property
    def label(self) -> str:
        """What a page calls it."""
        return self.display_name or self.name

    def periods(self, period: Period) -> list[Period]:
        """Return the whole minutes of a period that it takes, as stretches that do not touch.

        A minute that is partly excluded is excluded.
        """
        return list(_periods(self, period))


@lru_cache(maxsize=4096)  # every objective of a fleet asks for the same few windows
def _periods(exclusion: Exclusion, period: Period) -> tuple[Period, ...]:
    zone = ZoneInfo(exclusion.zone)
    if exclusion.recurrence is None:
        starts = [moment(exclusion.starts, zone)]
    else:
        times = exclusion.recurrence.times(exclusion.starts, zone, period.end)
        starts = [at for local, at in times if local.date() not in exclusion.skipped]
    found = (_whole_minutes(start, start + exclusion.lasts) for start in starts)
    return tuple(_within(merged(found), period))


def _whole_minutes(start: datetime, end: datetime) -> Period:
    late = timedelta(seconds=end.second, microseconds=end.microsecond)
    return Period(start.replace(second=0, microsecond=0), end + (_MINUTE - late if late else late))


def _within(periods: Iterable[Period], period: Period) -> list[Period]:
    return [
        Period(max(one.start, period.start), min(one.end, period.end))
        for one in periods
        if one.start < period.end and one.end > period.start
    ]


def merged(periods: Iterable[Period]) -> list[Period]:
    """Return the same instants as stretches in order that neither overlap nor touch."""
    found: list[Period] = []
    for period in sorted(periods):
        if found and period.start <= found[-1].end:
            found[-1] = Period(found[-1].start, max(found[-1].end, period.end))
        else:
            found.append(period)
    return found


def applies(exclusion: Exclusion, objective: "Objective", service: Mapping[str, Any]) -> bool:
    """Return whether an exclusion is meant for an objective of a service.

    Args:
        exclusion: what is excluded.
        objective: the resolved objective; its own name or that of its document may match, so that
            what holds for a document holds for each objective, and each member, in it.
        service: the service's row of the table ``services``.
    """
    if exclusion.condition is not None and not exclusion.condition.holds(service):
        return False
    if exclusion.services and not _matches(exclusion.services, service["service"]):
        return False
    return not exclusion.objectives or _matches(
        exclusion.objectives, objective.name, objective.document
    )


def _matches(patterns: Iterable[str], *names: str) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in names)


def excluded(
    exclusions: Iterable[Exclusion],
    objective: "Objective",
    service: Mapping[str, Any],
    period: Period,
) -> list[Period]:
    """Return the whole minutes of a period that an objective does not count, as stretches.

    They are in order, cut to the period, and neither overlap nor touch.
    """
    return merged(
        stretch
        for exclusion in exclusions
        if applies(exclusion, objective, service)
        for stretch in exclusion.periods(period)
    )


def without(minutes: pl.DataFrame, periods: Sequence[Period]) -> pl.DataFrame:
    """Return the rows whose ``minute`` lies in none of these periods, in the order they had."""
    if not periods:
        return minutes
    stretches = merged(periods)
    starts, ends = (
        pl.Series([getattr(one, edge) for one in stretches], dtype=pl.Datetime("us", "UTC"))
        .to_physical()
        .to_numpy()
        for edge in ("start", "end")
    )
    stamps = minutes["minute"].dt.cast_time_unit("us").to_physical().to_numpy()
    place = np.searchsorted(starts, stamps, side="right") - 1
    inside = (place >= 0) & (stamps < ends[place])
    return minutes.filter(pl.Series(~inside))


def read_exclusions(path: str | Path | Iterable[str | Path]) -> list[Exclusion]:
    """Return the exclusions in a file, in a folder's files, or in several; in their order.

    Other documents there are left to ``objectives.read_objectives``, their faults as well.

    Raises:
        ObjectiveError: an exclusion is wrong; the message lists every fault, a line each, with
            file, line, document, field, value and rule.
    """
    documents = [
        doc
        for file in files_of(path)
        if _may_hold_some(file)
        for doc in read_documents(file)
        if isinstance(doc.value, dict) and doc.value.get("apiVersion") == API_VERSION
    ]
    sources: dict[str, str] = {}
    for doc in documents:
        check_exclusion(doc)
        if doc.name is not None and sources.setdefault(doc.name, doc.source) != doc.source:
            rule = f"an exclusion of this name stands in {sources[doc.name]} already"
            doc.fault(("metadata", "name"), rule)
    if faults := [fault for doc in documents for fault in doc.faults]:
        raise ObjectiveError("\n".join(faults))
    return [_read(doc) for doc in documents]


def _may_hold_some(file: Path) -> bool:
    """Return whether a file names our API: a thousand objectives are not parsed once more."""
    try:
        return API_VERSION.encode() in file.read_bytes()
    except OSError:
        return True  # read_documents says what is wrong with it


def _read(doc: Document) -> Exclusion:
    """Return the exclusion that a sound document states."""
    meta, spec = doc.value["metadata"], doc.value["spec"]
    return Exclusion(
        name=meta["name"],
        display_name=meta.get("displayName"),
        reason=spec["reason"],
        starts=local_start(spec),
        lasts=elapsed(spec),
        recurrence=parse_recurrence(spec["repeats"]) if "repeats" in spec else None,
        skipped=frozenset(day(item) for item in spec.get("except", ())),
        zone=spec.get("timeZone", "UTC"),
        condition=parse_condition(spec["for"]) if "for" in spec else None,
        services=tuple(spec.get("services", ())),
        objectives=tuple(spec.get("objectives", ())),
        source=doc.source,
    )
