"""The indicator of an objective: found where it stands, held to the rules, and made a selector."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleetslo.errors import nearest
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.schema import metric_rules
from fleetslo.reliability.openslo.selectors import SOURCE_TYPE, Selector, read_ratio, read_threshold

Named = Mapping[tuple[str, str], Document]
"""Documents by kind and name."""

_SIDES = ("good", "bad", "total", "raw")


def referred(doc: Document, trail: Trail, kind: str, name: str, named: Named) -> Document | None:
    """Return the document referred to, or None: it was not read (a fault) or has faults itself."""
    found = named.get((kind, name))
    if found is None:
        known = [other for of_kind, other in named if of_kind == kind]
        hint = nearest(name, known).removesuffix(".")
        doc.fault(trail, f"no {kind} of this name was read{'.' if hint else ''}{hint}")
        return None
    return None if found.faults else found


@dataclass(frozen=True)
class Measurement:
    """What an objective counts.

    Attributes:
        selector: what is counted; an empty one where fleetslo cannot.
        unmeasured: why it cannot, as a clause.
        written: the fields that say so in the document, with what they refer to written out.
    """

    selector: Selector
    unmeasured: str | None
    written: Mapping[str, Any]


@dataclass(frozen=True)
class Indicator:
    """An SLI, and where its spec stands: in the SLO itself or in a document of its own."""

    doc: Document
    trail: Trail
    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]

    @property
    def is_threshold(self) -> bool:
        """Whether it measures values, which an objective compares with one of its own."""
        return "thresholdMetric" in self.spec

    def measured(
        self, doc: Document, trail: Trail, entry: Mapping[str, Any], named: Named
    ) -> Measurement | None:
        """Return what an objective with this indicator counts, or None after noting faults.

        ``trail`` leads to the objective ``entry`` of the SLO document ``doc``.
        """
        before = len(doc.faults), len(self.doc.faults)
        metric_rules(doc, trail, entry, self.spec)
        written = self._written(named)
        if written is None or (len(doc.faults), len(self.doc.faults)) != before:
            return None
        said = {key: entry[key] for key in ("op", "value") if key in entry}
        kept = {"indicator": {"metadata": self.metadata, "spec": written}} | said
        foreign = _foreign(written)
        if foreign is not None:
            return Measurement(Selector(), foreign, kept)
        if not self.is_threshold:
            found = read_ratio(self.doc, (*self.trail, "ratioMetric"), self.spec["ratioMetric"])
        elif entry["value"] <= 0:
            doc.fault((*trail, "value"), "it must be over 0; it is a duration in seconds")
            return None
        else:
            found = read_threshold(self.doc, self.trail, self.spec, entry["op"], entry["value"])
        return None if found is None else Measurement(found, None, kept)

    def _written(self, named: Named) -> dict[str, Any] | None:
        """Return its spec with the type of every source that it refers to written out.

        None comes back where a source is not to be had.
        """
        if self.is_threshold:
            at = (*self.trail, "thresholdMetric")
            metric = _typed(self.doc, at, self.spec["thresholdMetric"], named)
            return {**self.spec, "thresholdMetric": metric} if metric else None
        ratio = self.spec["ratioMetric"]
        at = (*self.trail, "ratioMetric")
        sides = {
            side: _typed(self.doc, (*at, side), ratio[side], named)
            for side in _SIDES
            if side in ratio
        }
        if None in sides.values():
            return None
        return {**self.spec, "ratioMetric": {**ratio, **sides}}


def find_indicator(
    doc: Document, trail: Trail, holder: Mapping[str, Any], named: Named
) -> Indicator | None:
    """Return the SLI in ``indicator`` or ``indicatorRef`` of a part of an SLO document.

    None comes back where it refers to none, which is noted, or to one that has faults itself.
    """
    if "indicator" in holder:
        inline = holder["indicator"]
        return Indicator(doc, (*trail, "indicator", "spec"), inline["metadata"], inline["spec"])
    found = referred(doc, (*trail, "indicatorRef"), "SLI", holder["indicatorRef"], named)
    if found is None:
        return None
    return Indicator(found, ("spec",), found.value["metadata"], found.value["spec"])


def _typed(
    doc: Document, trail: Trail, metric: Mapping[str, Any], named: Named
) -> dict[str, Any] | None:
    """Return a metric whose source has a type, taken from the DataSource that it refers to."""
    source = metric["metricSource"]
    if "type" in source:
        return dict(metric)
    at = (*trail, "metricSource", "metricSourceRef")
    found = referred(doc, at, "DataSource", source["metricSourceRef"], named)
    if found is None:
        return None
    spec = {"spec": source["spec"]} if "spec" in source else {}
    return {**metric, "metricSource": {"type": found.value["spec"]["type"], **spec}}


def _foreign(spec: Mapping[str, Any]) -> str | None:
    """Return why fleetslo cannot measure a spec, as a clause; None where it can."""
    if "thresholdMetric" in spec:
        metrics = {"thresholdMetric": spec["thresholdMetric"]}
    else:
        ratio = spec["ratioMetric"]
        metrics = {side: ratio[side] for side in _SIDES if side in ratio}
    types = {metric["metricSource"]["type"] for metric in metrics.values()}
    others = sorted(types - {SOURCE_TYPE})
    if others:
        return f"its numbers come from {' and '.join(others)}"
    if "raw" in metrics:
        return "a ratio that was divided already cannot be summed"
    return None
