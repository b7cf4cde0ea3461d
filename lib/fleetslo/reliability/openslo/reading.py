"""One SLO document, made into the objectives that it states."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fleetslo.reliability.openslo.alerting import read_alerts
from fleetslo.reliability.openslo.annotations import (
    COMPOSITE,
    NO_DATA,
    Annotations,
    read_annotations,
)
from fleetslo.reliability.openslo.composed import composite
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.indicators import Indicator, Measurement, Named, find_indicator
from fleetslo.reliability.openslo.rules import calendar_length, is_number, length
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.slo import Objective
from fleetslo.reliability.windows import CalendarWindow, RollingWindow, Window

_MINUTE = timedelta(minutes=1)


def read_slo(doc: Document, named: Named) -> list[Objective]:
    """Return the objectives of an SLO document, a sound one by itself.

    None come back where it is refused; the faults are noted in the document, or in that which it
    refers to.
    """
    spec = doc.value["spec"]
    entries: list[dict[str, Any]] = spec["objectives"]
    said = read_annotations(doc)
    window = _window(spec["timeWindow"][0])
    is_composite = bool({"indicator", "indicatorRef"} & entries[0].keys())
    _check_use(doc, said, is_composite=is_composite)
    indicators = _indicators(doc, entries, named, is_composite=is_composite)
    measurements = [
        _measured(doc, i, entry, indicator, named)
        for i, (entry, indicator) in enumerate(zip(entries, indicators, strict=True))
    ]
    if not is_composite and len(entries) > 1 and indicators[0] and indicators[0].is_threshold:
        doc.fault(("spec", "objectives"), "a thresholdMetric has exactly one objective")
    slices = [_slice(doc, i, entry, window) for i, entry in enumerate(entries)]
    alerts = read_alerts(doc, named, said.policy, window.nominal)
    found = [one for one in measurements if one is not None]
    if doc.faults or len(found) < len(entries):
        return []
    base = replace(
        _base(doc, said, window),
        policy=alerts.policy,
        own_alerts=alerts.own,
        written={"alertPolicies": alerts.written},
        notes=alerts.notes,
    )
    # What is said of alerts, and how the parts are joined, is said of the whole.
    shared = (
        replace(base, policy=None, own_alerts=(), written={}, notes=(), weighted_mean=False)
        if is_composite
        else base
    )
    names = _names(doc.value["metadata"], entries, is_composite=is_composite)
    made = [
        _stated(shared, name, entry, measurement, slice_length)
        for name, entry, measurement, slice_length in zip(
            names, entries, found, slices, strict=True
        )
    ]
    if not is_composite:
        return made
    whole = composite(doc, base, made)
    return [whole] if whole else []


def _stated(
    shared: Objective,
    names: tuple[str, str | None],
    entry: Mapping[str, Any],
    measurement: Measurement,
    slice_length: timedelta | None,
) -> Objective:
    """Return one of the objectives of a document, given what it says of all of them."""
    return replace(
        shared,
        name=names[0],
        display_name=names[1],
        selector=measurement.selector,
        target=_target(entry),
        slice_length=slice_length,
        slice_target=entry.get("timeSliceTarget"),
        weight=float(entry.get("compositeWeight", 1)),
        unmeasured=measurement.unmeasured or _uncounted(slice_length, shared.window),
        written={**shared.written, **measurement.written},
    )


def _base(doc: Document, said: Annotations, window: Window) -> Objective:
    """Return what a document says of all of its objectives."""
    meta, spec = doc.value["metadata"], doc.value["spec"]
    return Objective(
        name=meta["name"],
        display_name=meta.get("displayName"),
        service=spec["service"],
        selector=Selector(),
        target=0.0,
        window=window,
        method=spec["budgetingMethod"],
        labels=meta.get("labels", {}),
        annotations=said.others,
        source=doc.source,
        for_condition=said.condition,
        document=meta["name"],
        description=spec.get("description", ""),
        no_data=said.no_data,
        weighted_mean=said.weighted_mean,
        since=said.since,
    )


def _check_use(doc: Document, said: Annotations, *, is_composite: bool) -> None:
    """Note annotations that could have no effect here."""
    if said.weighted_mean and not is_composite:
        rule = "it belongs to a composite, whose objectives have indicators of their own"
        doc.fault(("metadata", "annotations", COMPOSITE), rule)
    if said.no_data and doc.value["spec"]["budgetingMethod"] == "Occurrences":
        rule = "it belongs to Timeslices and RatioTimeslices: without slices none is without data"
        doc.fault(("metadata", "annotations", NO_DATA), rule)


def _indicators(
    doc: Document, entries: list[dict[str, Any]], named: Named, *, is_composite: bool
) -> list[Indicator | None]:
    if is_composite:
        return [
            find_indicator(doc, ("spec", "objectives", i), entry, named)
            for i, entry in enumerate(entries)
        ]
    return [find_indicator(doc, ("spec",), doc.value["spec"], named)] * len(entries)


def _measured(
    doc: Document, i: int, entry: dict[str, Any], indicator: Indicator | None, named: Named
) -> Measurement | None:
    if indicator is None:
        return None
    return indicator.measured(doc, ("spec", "objectives", i), entry, named)


def _window(spec: Mapping[str, Any]) -> Window:
    if "calendar" not in spec:
        return RollingWindow(length(spec["duration"]))
    start = spec["calendar"]["startTime"]
    anchor = start if isinstance(start, datetime) else datetime.fromisoformat(start)
    count, unit = calendar_length(spec["duration"])
    return CalendarWindow(count, unit, anchor, spec["calendar"]["timeZone"])


def _slice(doc: Document, i: int, entry: Mapping[str, Any], window: Window) -> timedelta | None:
    """Return the length of one time slice; None where the window is not cut into any."""
    text = entry.get("timeSliceWindow")
    if text is None:
        return None
    found = float(text) * _MINUTE if is_number(text) else length(text)
    if found > window.nominal:
        trail: Trail = ("spec", "objectives", i, "timeSliceWindow")
        doc.fault(trail, "a slice is no longer than the window that is cut into slices")
    return found


def _uncounted(slice_length: timedelta | None, window: Window) -> str | None:
    """Return why counts by the minute cannot tell, as a clause; None where they can."""
    if slice_length is not None and slice_length % _MINUTE:
        return "its slices are no whole minutes"
    if isinstance(window, CalendarWindow) and window.anchor.second:
        return "its windows begin inside a minute"
    return None


def _target(entry: Mapping[str, Any]) -> float:
    if "target" in entry:
        return float(entry["target"])
    return float(Decimal(repr(entry["targetPercent"])) / 100)


def _names(
    meta: Mapping[str, Any], entries: list[dict[str, Any]], *, is_composite: bool
) -> list[tuple[str, str | None]]:
    """Return the name and the display name of each objective of a document."""
    if len(entries) == 1 and not is_composite:
        return [(meta["name"], meta.get("displayName") or entries[0].get("displayName"))]
    names: dict[str, str | None] = {}
    for i, entry in enumerate(entries):
        own = entry.get("displayName") or str(i + 1)
        slug = re.sub(r"[^a-z0-9.]+", "-", own.lower()).strip("-") or str(i + 1)
        if f"{meta['name']}/{slug}" in names:
            slug = f"{slug}-{i + 1}"
        # A member is always named beside its composite, an objective by itself.
        is_long = "displayName" in meta and not is_composite
        names[f"{meta['name']}/{slug}"] = f"{meta['displayName']}: {own}" if is_long else own
    return list(names.items())
