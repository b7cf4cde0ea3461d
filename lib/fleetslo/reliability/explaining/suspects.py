"""What may have spent a budget: incidents, rollouts, failing dependencies, each with its stretch.

A suspect is not yet a cause: ``reliability.causes`` asks what was bad in its stretch.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

import polars as pl

SuspectKind = Literal["incident", "deployment", "upstream"]


@dataclass(frozen=True)
class Suspect:
    """Something that may have made requests bad.

    Attributes:
        kind: what it is.
        cause: its name, as it stands in an explanation.
        title: what is said of it; None where nothing is.
        start: the first instant of its stretch.
        end: the last one, exclusive.
        aftermath: bursts that begin before this instant may still be its own.
        is_recorded: whether somebody wrote down that it did harm: an incident, or a rollout that
            another one undid. One that is not recorded has to prove itself.
        upstream: the dependency that failed; None for what the service did itself.
    """

    kind: SuspectKind
    cause: str
    title: str | None
    start: datetime
    end: datetime
    aftermath: datetime
    is_recorded: bool = True
    upstream: str | None = None

    def covering(self, start: datetime, end: datetime) -> "Suspect":
        """Return the same suspect with a stretch that holds this one too."""
        return replace(
            self,
            start=min(self.start, start),
            end=max(self.end, end),
            aftermath=max(self.aftermath, end),
        )


@dataclass(frozen=True)
class Rollout:
    """One change to production and how long it served.

    Attributes:
        rollout_id: its name.
        version: what it brought.
        previous: what it replaced; None where unknown.
        start: when its first step began.
        end: when what undid or replaced it was done; the window's end while it serves.
        is_undone: whether it was rolled back, or another rollout rolled it back or mended it.
        undoes: whether it is itself a rollback.
    """

    rollout_id: str
    version: str
    previous: str | None
    start: datetime
    end: datetime
    is_undone: bool
    undoes: bool


def rollouts(deployments: pl.DataFrame, until: datetime) -> list[Rollout]:
    """Return the rollouts that served requests, in the order in which they began.

    ``deployments`` has a row per deployment and region; those of one rollout are one. A rollout
    whose pipeline failed before it got any traffic served nothing.
    """
    served = deployments.filter(
        ~((pl.col("outcome") == "failed") & (pl.col("traffic_share").fill_null(1.0) <= 0))
    )
    whole = (
        served.sort("started_at")
        .group_by("rollout_id", maintain_order=True)
        .agg(
            pl.col("version", "previous_version").first(),
            pl.col("started_at").min(),
            pl.when(pl.col("finished_at").null_count() == 0).then(pl.col("finished_at").max()),
            pl.col("rollback_of", "remediates").drop_nulls().first(),
            is_rolled_back=(pl.col("outcome") == "rolled_back").any(),
        )
    )
    rows = whole.to_dicts()
    return [_rollout(row, rows[place + 1 :], until) for place, row in enumerate(rows)]


def _rollout(row: dict[str, Any], later: list[dict[str, Any]], until: datetime) -> Rollout:
    name = row["rollout_id"]
    undoing = [one for one in later if name in (one["rollback_of"], one["remediates"])]
    after = undoing[0] if undoing else None
    if after is None and not row["is_rolled_back"]:
        after = later[0] if later else {"finished_at": until}
    end = (after or row)["finished_at"] or until
    return Rollout(
        rollout_id=name,
        version=row["version"],
        previous=row["previous_version"],
        start=row["started_at"],
        end=max(min(end, until), row["started_at"]),
        is_undone=bool(undoing) or row["is_rolled_back"],
        undoes=row["rollback_of"] is not None,
    )


def of_incidents(incidents: pl.DataFrame, shipped: list[Rollout], until: datetime) -> list[Suspect]:
    """Return a suspect per incident; those that one rollout caused are one, with its stretch."""
    by_rollout = {rollout.rollout_id: rollout for rollout in shipped}
    found: dict[str, Suspect] = {}
    for row in incidents.sort("started_at", "incident_id").iter_rows(named=True):
        key = row["caused_by"] or row["incident_id"]
        start, end, closed = _stretch(row, until)
        if key in found:
            names = f"{found[key].cause.partition(' (')[0]}, {row['incident_id']}"
            whole = found[key].covering(start, end)
            aftermath = max(whole.aftermath, closed)
            found[key] = replace(whole, cause=f"{names} (rollout {key})", aftermath=aftermath)
            continue
        cause = row["incident_id"] + (f" (rollout {key})" if row["caused_by"] else "")
        one = Suspect("incident", cause, row["title"], start, end, closed)
        if key in by_rollout:
            one = one.covering(by_rollout[key].start, by_rollout[key].end)
        found[key] = one
    return list(found.values())


def _stretch(row: dict[str, Any], until: datetime) -> tuple[datetime, datetime, datetime]:
    """Return when an incident began, when it did no more harm, and when it was closed."""
    closed = row["resolved_at"] or until
    eased = row["mitigated_at"] or closed
    return row["started_at"], min(eased, until), min(max(closed, eased), until)


def of_rollouts(shipped: list[Rollout], incidents: pl.DataFrame) -> list[Suspect]:
    """Return a suspect per rollout that no incident names; rollbacks are none."""
    told = set(incidents["caused_by"].drop_nulls())
    return [
        Suspect(
            "deployment",
            f"rollout {rollout.rollout_id}",
            f"Version {rollout.version}" + (", undone" if rollout.is_undone else ""),
            rollout.start,
            rollout.end,
            rollout.end,
            is_recorded=rollout.is_undone,
        )
        for rollout in shipped
        if rollout.rollout_id not in told and not rollout.undoes
    ]


def of_dependencies(incidents: pl.DataFrame, until: datetime) -> list[Suspect]:
    """Return a suspect per incident of a dependency, as its callers may have seen it."""
    found = []
    for row in incidents.sort("started_at", "incident_id").iter_rows(named=True):
        start, end, closed = _stretch(row, until)
        cause = f"{row['service']} ({row['incident_id']})"
        found.append(
            Suspect("upstream", cause, row["title"], start, end, closed, upstream=row["service"])
        )
    return found
