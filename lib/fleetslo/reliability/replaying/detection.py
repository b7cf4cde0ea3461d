"""Alerts held against known incidents. Terms: SRE Workbook, chapter 5, alerting considerations.

Precision is the share of alerts that were about an incident, recall the share of incidents that
were found, detection time from the start of the harm to the alert, reset time from its end until
the alert is quiet.
"""

from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from fleetslo.errors import ParameterError
from fleetslo.periods import Period
from fleetslo.reliability.alerts import Severity

MONTH_DAYS = 30
"""The month that rates are told for."""

# People write down when an incident began, and close it when they are sure: by some minutes.
_TOLERANCE = timedelta(minutes=10)
# When somebody is at a desk anyway, unless told: nine to five, Monday to Friday.
_WORKING_HOURS = (9, 17)
_SATURDAY = 6

_ALERT = "alert_place"
_INCIDENT = "incident_place"
_TO_FIND = "is_to_be_found"


@dataclass(frozen=True, eq=False)
class Detection:
    """What a policy's alerts found of the incidents of a period.

    Attributes:
        incidents: those that started in the period, as given, with ``detected_at`` (when the
            first alert fired in it, its start when one was firing already; what was recorded
            under that name is ``recorded_at``), ``time_to_detect_s``, ``reset_s`` (how long
            alerts still fired when it was over) and ``is_missed``. Times are null where missed.
        alerts: those that fired in the period, as given, with ``incident_ids`` (what they were
            about), ``is_needless`` (nothing) and ``is_out_of_hours``.
        period: the period.
        severity: whose alerts find an incident; None for any.
    """

    incidents: pl.DataFrame
    alerts: pl.DataFrame
    period: Period
    severity: Severity | None

    def _of(self, severity: Severity | None) -> pl.DataFrame:
        return self.alerts if severity is None else self.alerts.filter(severity=severity)

    def per_month(self, severity: Severity) -> float:
        """Return how many alerts of a severity fire in 30 days at the period's rate."""
        return self._of(severity).height * MONTH_DAYS / self.period.days

    def out_of_hours_per_month(self, severity: Severity) -> float:
        """Return how many of them fire outside the working hours."""
        outside = int(self._of(severity)["is_out_of_hours"].sum())
        return outside * MONTH_DAYS / self.period.days

    @property
    def precision(self) -> float | None:
        """The share of those alerts that were about an incident; None where none fired."""
        return _share_without(self._of(self.severity)["is_needless"])

    @property
    def recall(self) -> float | None:
        """The share of the incidents that were found; None where there were none."""
        return _share_without(self.incidents["is_missed"])

    @property
    def time_to_detect_s(self) -> float | None:
        """The median time from an incident's start to its alert; None where none was found."""
        return _median(self.incidents["time_to_detect_s"])

    @property
    def reset_s(self) -> float | None:
        """The median time that alerts still fired after an incident; None where none was found."""
        return _median(self.incidents["reset_s"])


def _share_without(flags: pl.Series) -> float | None:
    return None if flags.is_empty() else 1 - int(flags.sum()) / len(flags)


def _median(values: pl.Series) -> float | None:
    found = values.drop_nulls().median()
    return float(found) if isinstance(found, int | float) else None


def detect(
    alerts: pl.DataFrame,
    incidents: pl.DataFrame,
    period: Period,
    *,
    others: pl.DataFrame | None = None,
    severity: Severity | None = "page",
    tolerance: timedelta = _TOLERANCE,
    zone: str = "UTC",
    working_hours: tuple[int, int] = _WORKING_HOURS,
) -> Detection:
    """Return which incidents the alerts of a replay found, and which alerts were about none.

    An alert is about an incident that lasts while it fires, give or take the tolerance; where both
    have a ``service``, one of the same service. An incident lasts until it was resolved, else
    until it was mitigated, else to the period's end. One that began before the period is none of
    its incidents, but what alerts in it is not needless.

    Args:
        alerts: rows of ``replay``; those before the period may have been firing when it began.
        incidents: ``incident_id, started_at``, and perhaps ``resolved_at, mitigated_at, service``.
        period: what is looked at. An alert belongs to it that fired after its start and at its
            end at the latest, since alerts fire at the end of a minute.
        others: incidents of what the service depends on, that it felt: alerts may be about them,
            and need not find them. Their service is another, so alerts come without one then.
        severity: whose alerts find an incident; None for any.
        tolerance: how far the recorded ends of an incident may be off.
        zone: the IANA zone of whoever is on call.
        working_hours: first and last (exclusive) hour of the working day, Monday to Friday.

    Raises:
        ParameterError: a negative tolerance, hours that are none or a zone that does not exist.
    """
    if tolerance < timedelta(0):
        raise ParameterError(f"a tolerance of {tolerance} cannot be; give 0 or more")
    opens, closes = working_hours
    if not 0 <= opens < closes <= 24:
        raise ParameterError(f"working hours from {opens} to {closes} cannot be")
    known = incidents.with_columns(pl.lit(value=True).alias(_TO_FIND))
    if others is not None:
        felt = others.join(incidents, on="incident_id", how="anti")
        felt = felt.with_columns(pl.lit(value=False).alias(_TO_FIND))
        known = pl.concat([known, felt], how="diagonal_relaxed")
    lasting = _lasting(known, period).with_row_index(_INCIDENT)
    rung = _rung(alerts, zone, working_hours).with_row_index(_ALERT)
    pairs = _pairs(rung, lasting, tolerance)
    about = pairs.group_by(_ALERT).agg(incident_ids=pl.col("incident_id").sort())
    finders = pairs if severity is None else pairs.filter(pl.col("severity") == severity)
    late = (pl.col("fired_at") - pl.col("started_at")).dt.total_seconds().clip(0).cast(pl.Float64)
    still = (pl.col("cleared_at") - pl.col("over_at")).dt.total_seconds().clip(0).cast(pl.Float64)
    found = finders.group_by(_INCIDENT).agg(
        detected_at=pl.max_horizontal("fired_at", "started_at").min(),
        time_to_detect_s=late.min(),
        reset_s=pl.when(pl.col("cleared_at").is_not_null().all()).then(still.max()),
    )
    inside = (pl.col("started_at") >= period.start) & (pl.col("started_at") < period.end)
    fired = (pl.col("fired_at") > period.start) & (pl.col("fired_at") <= period.end)
    recorded = {"detected_at": "recorded_at"} if "detected_at" in lasting.columns else {}
    return Detection(
        lasting.filter(inside & pl.col(_TO_FIND))
        .rename(recorded)
        .join(found, on=_INCIDENT, how="left", maintain_order="left")
        .with_columns(is_missed=pl.col("detected_at").is_null())
        .drop(_INCIDENT, _TO_FIND, "over_at"),
        rung.filter(fired)
        .join(about, on=_ALERT, how="left", maintain_order="left")
        .with_columns(
            pl.col("incident_ids").fill_null([]),
            is_needless=pl.col("incident_ids").is_null(),
        )
        .drop(_ALERT),
        period,
        severity,
    )


def _lasting(incidents: pl.DataFrame, period: Period) -> pl.DataFrame:
    """Return the incidents with ``over_at``: when each was over; null while one is open."""
    ends = [c for c in ("resolved_at", "mitigated_at") if c in incidents.columns]
    open_end = pl.lit(None, dtype=pl.Datetime("us", "UTC"))
    return incidents.with_columns(over_at=pl.coalesce(*ends, open_end)).filter(
        pl.col("started_at") < period.end
    )


def _rung(alerts: pl.DataFrame, zone: str, working_hours: tuple[int, int]) -> pl.DataFrame:
    """Return the alerts with ``is_out_of_hours``, told by the clock of a zone."""
    try:
        local = pl.col("fired_at").dt.convert_time_zone(zone)
    except pl.exceptions.ComputeError:
        raise ParameterError(
            f"there is no zone {zone!r}; write one such as Europe/Stockholm"
        ) from None
    at_work = local.dt.hour().is_between(*working_hours, closed="left")
    return alerts.with_columns(is_out_of_hours=~(at_work & (local.dt.weekday() < _SATURDAY)))


def _pairs(alerts: pl.DataFrame, incidents: pl.DataFrame, tolerance: timedelta) -> pl.DataFrame:
    """Return one row per alert and incident that it was about."""
    shared = "service" in alerts.columns and "service" in incidents.columns
    ours = ["service"] if shared else []
    left = alerts.select(_ALERT, "severity", "fired_at", "cleared_at", *ours)
    right = incidents.select(_INCIDENT, "incident_id", "started_at", "over_at", *ours)
    joined = left.join(right, on="service") if shared else left.join(right, how="cross")
    begun = pl.col("cleared_at").is_null() | (
        pl.col("cleared_at") > pl.col("started_at") - tolerance
    )
    not_over = pl.col("over_at").is_null() | (pl.col("fired_at") <= pl.col("over_at") + tolerance)
    return joined.filter(begun & not_over)
