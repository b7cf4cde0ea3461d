"""What alert policies would have done over a service's past, with a target that is tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from fleetslo.explore.tuning_history import Replayable, ServicePast
from fleetslo.periods import Period
from fleetslo.reliability.agreement import Agreement, agreement
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.replaying.detection import Detection, detect
from fleetslo.reliability.replaying.replay import replay


@dataclass(frozen=True)
class Tried:
    """Alert policies, each replayed over the same minutes.

    Attributes:
        period: what alerts are counted in.
        since: where that had to be cut short at its start; None where it is whole.
        detections: what each policy found, by its key in ``charts.tuning_alerts.POLICIES``.
    """

    period: Period
    since: datetime | None
    detections: dict[str, Detection]

    @property
    def alerts(self) -> dict[str, pl.DataFrame]:
        """The alerts of each policy."""
        return {policy: found.alerts for policy, found in self.detections.items()}

    def rows(self, chosen: str) -> list[dict[str, Any]]:
        """Return one row per policy, as ``charts.tuning_alerts.policy_table`` shows them."""
        return [
            {
                "policy": policy,
                "is_chosen": policy == chosen,
                "page_month": found.per_month("page"),
                "ticket_month": found.per_month("ticket"),
                "outside_month": found.out_of_hours_per_month("page"),
                "incident_count": found.incidents.height,
                "missed_count": int(found.incidents["is_missed"].sum()),
                "detect_s": found.time_to_detect_s,
                "needless_count": found.alerts.filter(
                    pl.col("severity") == "page", "is_needless"
                ).height,
            }
            for policy, found in self.detections.items()
        ]


def try_policies(
    past: ServicePast,
    found: Replayable,
    objective: Objective,
    policies: Sequence[str],
    working_hours: tuple[int, int],
) -> Tried:
    """Return what each policy would have done.

    Args:
        past: of the service; its incidents and the zone of its on-call.
        found: the minutes to replay.
        objective: with the target that is tried.
        policies: ``own`` or the name of a built-in one.
        working_hours: first and last (exclusive) hour of the working day.
    """
    detections = {}
    for policy in policies:
        alerts = replay(
            found.minutes,
            objective,
            None if policy == "own" else policy,
            least_bad=past.fleet.settings.alert_least_bad,
            until=found.period.end,
        )
        detections[policy] = detect(
            alerts.drop("service", "objective", strict=False),
            past.incidents,
            found.period,
            others=past.felt(objective.name),
            zone=past.zone,
            working_hours=working_hours,
        )
    return Tried(found.period, found.since, detections)


def held_against_incidents(
    past: ServicePast, found: Replayable, objective: Objective, target: float
) -> Agreement:
    """Return what each incident spent with a target that is tried, and what went without one."""
    return agreement(
        past.tried_counts(objective, found),
        past.incidents,
        found.period,
        target=target,
        window=objective.window.nominal,
        least_bad=past.fleet.settings.alert_least_bad,
    )
