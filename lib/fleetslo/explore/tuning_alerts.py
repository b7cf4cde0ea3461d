"""What alert policies would have done over a service's past, with a target that is tried."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from fleetslo.explore.tuning_history import Replayable
from fleetslo.periods import Period
from fleetslo.reliability.detection import Detection, detect
from fleetslo.reliability.objectives import Objective
from fleetslo.reliability.replay import replay


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
    found: Replayable,
    objective: Objective,
    policies: Sequence[str],
    incidents: pl.DataFrame,
    *,
    zone: str,
    working_hours: tuple[int, int],
    least_bad: int,
) -> Tried:
    """Return what each policy would have done.

    Args:
        found: the minutes to replay.
        objective: with the target that is tried.
        policies: ``own`` or the name of a built-in one.
        incidents: as ``oncall/incidents``.
        zone: of whoever is on call.
        working_hours: first and last (exclusive) hour of the working day.
        least_bad: bad requests that the long window needs before anything fires.
    """
    detections = {}
    for policy in policies:
        alerts = replay(
            found.minutes,
            objective,
            None if policy == "own" else policy,
            least_bad=least_bad,
            until=found.period.end,
        )
        detections[policy] = detect(
            alerts.drop("service", "objective", strict=False),
            incidents,
            found.period,
            zone=zone,
            working_hours=working_hours,
        )
    return Tried(found.period, found.since, detections)
