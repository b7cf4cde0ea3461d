"""One SLO document: the objectives that it states, or why this version cannot measure it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from fleetslo.errors import ObjectiveError, nearest
from fleetslo.reliability.alerts import POLICIES, AlertWindow, alert_windows
from fleetslo.reliability.conditions import Condition, parse_condition
from fleetslo.reliability.documents import Document, Trail
from fleetslo.reliability.openslo import metric_rules
from fleetslo.reliability.rules import length
from fleetslo.reliability.selectors import SOURCE_TYPE, Selector, read_selector
from fleetslo.reliability.windows import RollingWindow, Window

EACH = "{service}"
FOR = "fleetslo/for"

_POLICY = "fleetslo/policy"
# The other annotations, and what each may hold. The last two say how time slices and composites
# are counted; see SLO.md.
_CHOICES = {
    _POLICY: POLICIES,
    "fleetslo/no-data": ("good", "bad"),
    "fleetslo/composite": ("weighted-mean",),
}
_LATER = "it is valid OpenSLO, and not measured yet;"

Named = Mapping[tuple[str, str], Document]
"""Documents by kind and name."""


Method = Literal["Occurrences", "Timeslices", "RatioTimeslices"]


@dataclass(frozen=True)
class Objective:
    """One target for one service, or a template for many.

    Attributes:
        name: the document's name, with ``/`` and the objective's own where it has several.
        display_name: what a page calls it; None for the name.
        service: the service, or ``{service}`` in a template.
        selector: what is counted; an empty one for a composite and for what is not measured.
        target: the share that must be good, in [0, 1). Of a composite: what its members' own
            targets come to; see ``reliability.composites``.
        window: the rolling or calendar window.
        method: the budgeting method.
        labels: the document's labels.
        annotations: the document's annotations.
        source: the file and document that it was read from.
        for_condition: which services a template is for; None for an objective of one service.
        document: the name of the document, metadata.name.
        policy: the two-window alert policy, ``workbook`` or ``proportional``; None where the
            document's own alert policies stand in its place.
        own_alerts: the conditions of the document's ``alertPolicies``.
        description: what the document says about it; empty when it says nothing.
        slice_length: of one time slice, in whole minutes; None for Occurrences.
        slice_target: the SLI from which on a slice of Timeslices is good.
        no_data: what a slice without data counts as; None leaves it out.
        members: the objectives that a composite is made of, each with its own indicator.
        weight: of a member in its composite.
        weighted_mean: whether a composite is the mean of its members, not the sum of their
            shortfalls.
        since: the instant from which on it holds; None for always.
        unmeasured: why fleetslo cannot measure it, as a clause; None where it can.
    """

    name: str
    display_name: str | None
    service: str
    selector: Selector
    target: float
    window: Window
    method: Method
    labels: Mapping[str, str | list[str]] = field(hash=False)
    annotations: Mapping[str, str] = field(hash=False)
    source: str
    for_condition: Condition | None
    document: str
    policy: str | None = "workbook"
    own_alerts: tuple[AlertWindow, ...] = ()
    description: str = ""
    slice_length: timedelta | None = None
    slice_target: float | None = None
    no_data: Literal["good", "bad"] | None = None
    members: tuple["Objective", ...] = ()
    weight: float = 1.0
    weighted_mean: bool = False
    since: datetime | None = None
    unmeasured: str | None = None

    @property
    def measured(self) -> tuple["Objective", ...]:
        """Return what is counted for it: a composite's members, else itself; () if unmeasured."""
        if self.unmeasured is not None:
            return ()
        return self.members or (self,)

    @property
    def alerts(self) -> tuple[AlertWindow, ...]:
        """Return every condition that can fire for it, the most urgent policy first."""
        named = alert_windows(self.window.nominal, self.policy) if self.policy else ()
        return (*named, *self.own_alerts)

    @property
    def label(self) -> str:
        """What a page calls it: the display name, or the name without its service."""
        if self.display_name:
            return self.display_name
        short = self.name.removeprefix(self.service).lstrip("-_./:")
        return short or self.name


def read_slo(doc: Document, named: Named) -> list[Objective]:
    """Return the objectives of an SLO document, a sound one by itself.

    None come back where it is refused; the faults are noted in the document, or in the SLI that
    it refers to.
    """
    meta, spec = doc.value["metadata"], doc.value["spec"]
    annotations = meta.get("annotations", {})
    condition = _condition(doc, meta, spec)
    _check_annotations(doc, annotations)
    indicators = [_indicator(doc, i, entry, named) for i, entry in enumerate(spec["objectives"])]
    for i, found in enumerate(indicators):
        if found is not None:
            metric_rules(doc, ("spec", "objectives", i), spec["objectives"][i], found.spec)
            if "thresholdMetric" in found.spec and len(indicators) > 1:
                doc.fault(("spec", "objectives"), "a thresholdMetric has exactly one objective")
    if doc.faults or indicators[0] is None:
        return []
    _check_measured(doc, spec)
    selector = indicators[0].selector(named)
    if doc.faults or selector is None:
        return []
    return [
        Objective(
            name=name,
            display_name=display_name,
            service=spec["service"],
            selector=selector,
            target=_target(entry),
            window=RollingWindow(length(spec["timeWindow"][0]["duration"])),
            method=spec["budgetingMethod"],
            labels=meta.get("labels", {}),
            annotations=annotations,
            source=doc.source,
            for_condition=condition,
            document=meta["name"],
            policy=annotations.get(_POLICY, POLICIES[0]),
            description=spec.get("description", ""),
        )
        for entry, (name, display_name) in zip(
            spec["objectives"], _names(meta, spec["objectives"]), strict=True
        )
    ]


def _condition(doc: Document, meta: dict[str, Any], spec: dict[str, Any]) -> Condition | None:
    """Return the condition of a template, or None for an objective of one service."""
    condition = meta.get("annotations", {}).get(FOR)
    names = {("spec", "service"): spec["service"], ("metadata", "name"): meta["name"]}
    if condition is None:
        for trail, value in names.items():
            if EACH in value:
                doc.fault(trail, f"{EACH} needs the annotation {FOR}: for which services it is")
        return None
    if spec["service"] != EACH:
        doc.fault(("spec", "service"), f"with the annotation {FOR} it must be {EACH}")
    if EACH not in meta["name"]:
        doc.fault(("metadata", "name"), f"with the annotation {FOR} it must hold {EACH}")
    if re.search(r"[{}]", meta["name"].replace(EACH, "")):
        doc.fault(("metadata", "name"), f"only {EACH} can be filled in")
    try:
        return parse_condition(condition)
    except ObjectiveError as error:
        doc.fault(("metadata", "annotations", FOR), str(error))
        return None


def _check_annotations(doc: Document, annotations: Mapping[str, str]) -> None:
    known = [FOR, *_CHOICES]
    for key, value in annotations.items():
        if key.startswith("fleetslo/") and key not in known:
            doc.unknown(("metadata", "annotations", key), known)
        elif key in _CHOICES and value not in _CHOICES[key]:
            choices = " or ".join(_CHOICES[key])
            doc.fault(("metadata", "annotations", key), f"it must be {choices}")


def _check_measured(doc: Document, spec: dict[str, Any]) -> None:
    """Note what is valid OpenSLO and not measured in this version."""
    if spec["budgetingMethod"] != "Occurrences":
        doc.fault(("spec", "budgetingMethod"), f"{_LATER} only Occurrences is")
    if "calendar" in spec["timeWindow"][0]:
        doc.fault(("spec", "timeWindow", 0, "calendar"), f"{_LATER} only rolling windows are")
    if not {"indicator", "indicatorRef"} & spec.keys():
        doc.fault(
            ("spec", "objectives"), f"{_LATER} a composite is one whose objectives have indicators"
        )


@dataclass(frozen=True)
class _Indicator:
    """The spec of an SLI, and where it stands: in the SLO itself or in a document of its own."""

    doc: Document
    trail: Trail
    spec: dict[str, Any]

    def selector(self, named: Named) -> Selector | None:
        """Return what it counts, or None after noting why it cannot be measured."""
        doc = self.doc
        if "thresholdMetric" in self.spec:
            rule = f"{_LATER} a ratioMetric with within_s judges latency"
            doc.fault((*self.trail, "thresholdMetric"), rule)
            return None
        ratio, at = self.spec["ratioMetric"], (*self.trail, "ratioMetric")
        sides = [side for side in ("good", "bad", "total", "raw") if side in ratio]
        kinds = [_source_type(doc, (*at, side), ratio[side], named) for side in sides]
        if set(kinds) != {SOURCE_TYPE}:
            return None
        for side in {"raw", "bad"} & set(sides):
            doc.fault((*at, side), f"{_LATER} fleetslo counts what is good: give good and total")
            return None
        return read_selector(doc, at, ratio)


def _indicator(doc: Document, i: int, entry: dict[str, Any], named: Named) -> _Indicator | None:
    own = bool({"indicator", "indicatorRef"} & entry.keys())
    holder = entry if own else doc.value["spec"]
    trail: Trail = ("spec", "objectives", i) if own else ("spec",)
    if "indicator" in holder:
        return _Indicator(doc, (*trail, "indicator", "spec"), holder["indicator"]["spec"])
    found = _referred(doc, (*trail, "indicatorRef"), "SLI", holder["indicatorRef"], named)
    return _Indicator(found, ("spec",), found.value["spec"]) if found else None


def _referred(doc: Document, trail: Trail, kind: str, name: str, named: Named) -> Document | None:
    """Return the document referred to, or None: it was not read (a fault) or has faults itself."""
    found = named.get((kind, name))
    if found is None:
        known = [other for of_kind, other in named if of_kind == kind]
        hint = nearest(name, known).removesuffix(".")
        doc.fault(trail, f"no {kind} of this name was read{'.' if hint else ''}{hint}")
        return None
    return None if found.faults else found


def _source_type(
    doc: Document, trail: Trail, metric: Mapping[str, Any], named: Named
) -> str | None:
    """Return the type of a metric's source; a fault is noted where it is not ours."""
    source, at = metric["metricSource"], (*trail, "metricSource")
    key, kind = "type", source.get("type")
    if kind is None:
        key, name = "metricSourceRef", source["metricSourceRef"]
        found = _referred(doc, (*at, key), "DataSource", name, named)
        kind = found.value["spec"]["type"] if found else None
    if kind not in (None, SOURCE_TYPE):
        where = "" if key == "type" else f"its type is {kind}, and "
        doc.fault((*at, key), f"{where}only sources of type {SOURCE_TYPE} are measured here")
    return None if kind is None else str(kind)


def _target(entry: Mapping[str, Any]) -> float:
    if "target" in entry:
        return float(entry["target"])
    return float(Decimal(repr(entry["targetPercent"])) / 100)


def _names(meta: Mapping[str, Any], entries: list[dict[str, Any]]) -> list[tuple[str, str | None]]:
    """Return the name and the display name of each objective of a document."""
    if len(entries) == 1:
        return [(meta["name"], meta.get("displayName") or entries[0].get("displayName"))]
    names: dict[str, str | None] = {}
    for i, entry in enumerate(entries):
        own = entry.get("displayName") or str(i + 1)
        slug = re.sub(r"[^a-z0-9.]+", "-", own.lower()).strip("-") or str(i + 1)
        if f"{meta['name']}/{slug}" in names:
            slug = f"{slug}-{i + 1}"
        whole = f"{meta['displayName']}: {own}" if "displayName" in meta else own
        names[f"{meta['name']}/{slug}"] = whole
    return list(names.items())
