"""Puts what the demo's services sent into the files of a warehouse."""

import os
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
import polars as pl

from fleetslo.warehouse.contracts import Contract, contract
from fleetslo.warehouse.demo.calls import add_calls
from fleetslo.warehouse.demo.catalogue import Service, service_sli
from fleetslo.warehouse.demo.clock import DAY, END, LENGTH, Ints, day_of, moment, times
from fleetslo.warehouse.demo.events import Incident
from fleetslo.warehouse.demo.pages import Page
from fleetslo.warehouse.demo.plan import Plan
from fleetslo.warehouse.demo.rollouts import Rollout
from fleetslo.warehouse.demo.rows import Rows, Words
from fleetslo.warehouse.demo.runtimes import add_runtimes, sli_rows
from fleetslo.warehouse.demo.series import Planted
from fleetslo.warehouse.demo.service import ServiceMaker
from fleetslo.warehouse.demo.slo import Tallies
from fleetslo.warehouse.layout import ROW_GROUP_ROWS, Layout

if TYPE_CHECKING:
    from fleetslo.warehouse.rollups import Measure

# Everything is as old as the fleet, so that the same seed gives the same folder.
STAMP_NS = int(END.timestamp()) * 1_000_000_000


def write_part(
    layout: Layout, of: Contract, day: date | None, part: int, frame: pl.DataFrame
) -> int:
    """Write one part of a partition, whose rows are sorted, and return how many there are.

    Parts hold different services, so that each is written once and none is read again.
    """
    rows = of.cast(frame)
    folder = layout.partition(of.table, day)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"part-{part}.parquet"
    rows.write_parquet(path, compression="zstd", row_group_size=ROW_GROUP_ROWS, statistics=True)
    os.utime(path, ns=(STAMP_NS, STAMP_NS))
    return rows.height


def write_services(
    folder: Path,
    plan: Plan,
    services: Sequence[Service],
    measures: "Sequence[Measure]",
    part: int,
    tell: Callable[[str], None],
) -> int:
    """Make some services, write their rows and what was planted, and return how many rows.

    Args:
        folder: of the warehouse.
        plan: the fleet's.
        services: those of this part.
        measures: what objectives count.
        part: the number of this part, for the names of its files.
        tell: called with the name of each service that is made.
    """
    layout, words = Layout(folder), Words()
    tables: dict[str, list[Rows]] = {}
    planted: list[Planted] = []
    tallied: list[tuple[str, Tallies]] = []
    for service in services:
        maker = ServiceMaker(service, plan, measures, words)
        maker.make()
        add_calls(maker)
        add_runtimes(maker)
        if (sli := service_sli(service)) is not None:
            maker.made.add("sli_events", sli_rows(maker, *sli))
        for table, rows in maker.made.rows.items():
            tables.setdefault(table, []).append(Rows.joined(rows))
        tallied.append((service.name, maker.tallies))
        planted.extend(maker.made.planted)
        tell(service.name)
    texts = pl.Series("text", words.texts, dtype=pl.String)
    written = 0
    for table in sorted(tables):
        joined = Rows.joined(tables.pop(table))
        written += _write_days(layout, contract(table), joined, texts, part)
    written += _write_tallies(layout, tallied, part)
    write_planted(folder, part, planted)
    return written


def write_planted(folder: Path, part: int, planted: list[Planted]) -> None:
    """Write how many bad requests each cause added to each service and minute."""
    rows = np.repeat(np.arange(len(planted)), [len(one.minutes) for one in planted])
    none = np.zeros(0, np.int64)
    frame = pl.DataFrame(
        {
            "cause": _texts([one.effect.cause for one in planted])[rows],
            "service": _texts([one.effect.service for one in planted])[rows],
            "minute": times(np.concatenate([none, *(one.minutes for one in planted)])),
            "extra_error_count": np.concatenate([none, *(one.faults for one in planted)]),
            "extra_slow_count": np.concatenate([none / 1.0, *(one.slow for one in planted)]),
        }
    )
    path = folder / f"truth-minutes-{part}.parquet"
    keys = ["cause", "service", "minute"]
    summed = frame.group_by(keys).agg(pl.col("extra_error_count", "extra_slow_count").sum())
    # Rounded, since floats that are added in another order differ in their last digits.
    rounded = summed.sort(keys).with_columns(pl.col("extra_slow_count").round(3))
    rounded.write_parquet(path, compression="zstd")
    os.utime(path, ns=(STAMP_NS, STAMP_NS))


def _write_days(layout: Layout, of: Contract, rows: Rows, texts: pl.Series, part: int) -> int:
    time = of.partition or "minute"
    order = rows.order(tuple("time" if name == time else name for name in of.order), texts)
    days = rows.columns["time"][order] // DAY
    bounds = np.searchsorted(days, np.arange(LENGTH // DAY + 1))
    written = 0
    for day in range(LENGTH // DAY):
        chosen = order[bounds[day] : bounds[day + 1]]
        if len(chosen):
            frame = rows.take(chosen).frame(texts, time)
            written += write_part(layout, of, day_of(day * DAY), part, frame)
    return written


def _write_tallies(layout: Layout, tallied: list[tuple[str, Tallies]], part: int) -> int:
    """Write ``slo_minutes`` day by day, for they are the most rows by far."""
    of, written = contract("slo_minutes"), 0
    ordered = [
        (service, tallies, tally)
        for service, tallies in sorted(tallied, key=lambda pair: pair[0])
        for tally in sorted(tallies.tallies, key=lambda it: it.measure.objective)
    ]
    for begin in range(0, LENGTH, DAY):
        found = [_covered(tallies, begin) for _, tallies, _ in ordered]
        rows = np.repeat(np.arange(len(found)), [len(places) for places in found])
        if not len(rows):
            continue
        counts = {
            name: np.concatenate(
                [getattr(it[2], name)[places] for it, places in zip(ordered, found, strict=True)]
            ).astype(np.int64)
            for name in ("good", "valid", "uncertain")
        }
        minutes = [it[1].minutes[places] for it, places in zip(ordered, found, strict=True)]
        frame = pl.DataFrame(
            {
                "minute": times(np.concatenate(minutes)),
                "service": _texts([service for service, _, _ in ordered])[rows],
                "objective": _texts([it.measure.objective for _, _, it in ordered])[rows],
                "definition": _texts([it.measure.definition for _, _, it in ordered])[rows],
                **{f"{name}_count": values for name, values in counts.items()},
            }
        )
        written += write_part(layout, of, day_of(begin), part, frame)
    return written


def _covered(tallies: Tallies, begin: int) -> Ints:
    first, last = np.searchsorted(tallies.minutes, [begin, begin + DAY])
    places: Ints = first + np.flatnonzero(tallies.covered[first:last])
    return places


def _texts(texts: list[str]) -> pl.Series:
    return pl.Series("text", texts, dtype=pl.String)


def write_events(layout: Layout, plan: Plan) -> int:
    """Write the catalogue, deployments, incidents and pages, and return their rows."""
    first = LENGTH - plan.size.days * DAY
    rollouts = [rollout for it in plan.releases.values() for rollout in it.rollouts]
    listed = {
        "deployments": [
            row for rollout in rollouts if rollout.start >= first for row in _deployments(rollout)
        ],
        "incidents": [_incident(it) for it in plan.incidents if it.started >= first],
        "pages": [_page(it) for it in plan.pages if it.opened >= first],
    }
    written = write_part(
        layout, contract("services"), None, 0, plan.catalogue.sort("service", "valid_from")
    )
    for table, rows in listed.items():
        if not rows:
            continue
        of = contract(table)
        frame = pl.DataFrame(rows, schema=of.schema, orient="row").sort(of.order)
        day = pl.col(of.partition or "").dt.date()
        for (when,), some in frame.group_by(day, maintain_order=True):
            assert isinstance(when, date)  # noqa: S101 - narrows the type of a group key
            written += write_part(layout, of, when, 0, some)
    return written


def _second(minute: int | None, what: str) -> datetime | None:
    """Return an instant within a minute, always the same for the same thing; None stays None."""
    return None if minute is None else moment(minute + crc32(what.encode()) % 60 / 60)


def _deployments(rollout: Rollout) -> list[dict[str, object]]:
    return [
        {
            "deployment_id": f"{rollout.rollout_id}-{nth}",
            "rollout_id": rollout.rollout_id,
            "service": rollout.service,
            "version": rollout.version,
            "previous_version": rollout.previous,
            "region": step.region,
            "strategy": rollout.strategy,
            "traffic_share": step.share,
            "committed_at": _second(rollout.committed, rollout.rollout_id),
            "started_at": _second(step.start, f"{rollout.rollout_id}-{nth}"),
            "finished_at": _second(step.finish, f"{rollout.rollout_id}-{nth}"),
            "outcome": rollout.outcome,
            "rollback_of": rollout.rollback_of,
            "remediates": rollout.remediates,
        }
        for nth, step in enumerate(rollout.steps, 1)
    ]


def _incident(incident: Incident) -> dict[str, object]:
    return {
        "incident_id": incident.incident_id,
        "service": incident.service,
        "severity": incident.severity,
        "title": incident.title,
        "started_at": moment(incident.started),
        "detected_at": _second(incident.detected, incident.incident_id),
        "mitigated_at": _second(incident.mitigated, incident.incident_id),
        "resolved_at": _second(incident.resolved, incident.incident_id),
        "cause": incident.cause,
        "caused_by": incident.caused_by,
    }


def _page(page: Page) -> dict[str, object]:
    return {
        "page_id": page.page_id,
        "squad": page.squad,
        "service": page.service,
        "alert": page.alert,
        "urgency": page.urgency,
        "opened_at": moment(page.opened),
        "acknowledged_at": None if page.acknowledged is None else moment(page.acknowledged),
        "resolved_at": None if page.resolved is None else moment(page.resolved),
        "incident_id": page.incident_id,
        "actionable": page.actionable,
    }
