"""Which events an objective counts: the metric source of type ``fleetslo``.

Both sides of a ratio are counted from the same rows, so they name the same endpoints, regions,
versions and ``sli``; they differ in which of these requests they count::

    good:  {requests: successful}                   bad: {requests: failed}
    good:  {requests: successful, within_s: 0.3}    bad: {requests: successful, over_s: 0.3}
    total: {requests: all}                    or    {requests: successful}

A threshold metric, ``{requests: successful}``, measures how many seconds each of them took.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.rules import Check, fields, items, name, number, one_of, text

SOURCE_TYPE = "fleetslo"

_GLOBS = ("endpoints", "regions", "versions")

Operator = Literal["lte", "lt", "gte", "gt"]
_COMPARED = {
    "lte": " within {:g} s",
    "lt": " under {:g} s",
    "gte": " of {:g} s or more",
    "gt": " over {:g} s",
}


@dataclass(frozen=True)
class Selector:
    """What is counted as valid, and what of it is good.

    Attributes:
        requests: whether all requests are valid or only those that succeeded; None for an ``sli``.
        within_s: the duration in seconds that parts good from bad; None where any will do.
        endpoints: patterns with ``*`` and ``?``, any of which must match; empty means all.
        regions: likewise.
        versions: likewise.
        sli: the name in ``sli_events``; None for requests.
        op: how the duration of a good request compares with ``within_s``.
    """

    requests: Literal["all", "successful"] | None = None
    within_s: float | None = None
    endpoints: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    sli: str | None = None
    op: Operator = "lte"

    @property
    def definition(self) -> str:
        """A hash of what is measured, of 12 hexadecimal digits; equal counts have equal ones."""
        plain: dict[str, Any] = {
            "requests": self.requests,
            "within_s": None if self.within_s is None else float(self.within_s),
            "endpoints": sorted(set(self.endpoints)),
            "regions": sorted(set(self.regions)),
            "versions": sorted(set(self.versions)),
            "sli": self.sli,
        }
        if self.op != "lte":  # what was counted before there were others keeps its definition
            plain["op"] = self.op
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def says(self) -> str:
        """What is counted, as a clause: ``successful requests within 0.3 s to GET /cart*``."""
        if self.sli is not None:
            return f"good events of {self.sli}"
        kind = "requests that succeed" if self.requests == "all" else "successful requests"
        within = "" if self.within_s is None else _COMPARED[self.op].format(self.within_s)
        parts = [
            f" {word} {' or '.join(patterns)}"
            for word, patterns in (
                ("to", self.endpoints),
                ("in", self.regions),
                ("of version", self.versions),
            )
            if patterns
        ]
        return kind + within + "".join(parts)


def _seconds(doc: Document, trail: Trail, value: Any) -> None:
    before = len(doc.faults)
    number(doc, trail, value)
    if len(doc.faults) == before and value <= 0:
        doc.fault(trail, "it must be over 0; it is a duration in seconds")


_PATTERNS: dict[str, Check] = {key: items(text(), least=1) for key in _GLOBS}
_WHICH: dict[str, Check] = {"requests": one_of("all", "successful")}
_SIDES: dict[str, Check] = {
    "good": fields(_WHICH, {"within_s": _seconds, **_PATTERNS}),
    "bad": fields({"requests": one_of("failed", "successful")}, {"over_s": _seconds, **_PATTERNS}),
    "total": fields(_WHICH, _PATTERNS),
    "thresholdMetric": fields({"requests": one_of("successful")}, _PATTERNS),
}
_SLI = fields({"sli": name})


def _spec(doc: Document, trail: Trail, side: str, metric: Mapping[str, Any]) -> Any:
    """Return the spec of a metric source, or None after noting what is wrong with it."""
    before, at = len(doc.faults), (*trail, side, "metricSource", "spec")
    spec = metric["metricSource"].get("spec")
    if spec is None:
        doc.fault(at, "it is required for a metric source of type fleetslo")
    elif isinstance(spec, dict) and "sli" in spec and side == "thresholdMetric":
        doc.fault((*at, "sli"), "its events are good or bad already; count them in a ratioMetric")
    elif isinstance(spec, dict) and "sli" in spec:
        _SLI(doc, at, spec)
    elif side == "total" and isinstance(spec, dict) and "within_s" in spec:
        doc.fault((*at, "within_s"), "it belongs to good: total counts the slow ones as well")
    else:
        _SIDES[side](doc, at, spec)
    return spec if len(doc.faults) == before else None


def _patterns(spec: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(sorted(set(spec.get(key, ()))))


def _selector(
    spec: Mapping[str, Any],
    requests: Literal["all", "successful"],
    within_s: float | None,
    op: Operator = "lte",
) -> Selector:
    return Selector(
        requests=requests,
        within_s=None if within_s is None else float(within_s),
        endpoints=_patterns(spec, "endpoints"),
        regions=_patterns(spec, "regions"),
        versions=_patterns(spec, "versions"),
        op=op,
    )


def read_ratio(doc: Document, trail: Trail, ratio: Mapping[str, Any]) -> Selector | None:
    """Return what a ratio metric of type ``fleetslo`` counts, or None after noting its faults.

    ``trail`` leads to ``ratio``, a ratioMetric of the right shape with ``total`` and one of
    ``good`` and ``bad``.
    """
    side = "good" if "good" in ratio else "bad"
    part = _spec(doc, trail, side, ratio[side])
    total = _spec(doc, trail, "total", ratio["total"])
    if part is None or total is None:
        return None
    part_at = (*trail, side, "metricSource", "spec")
    total_at = (*trail, "total", "metricSource", "spec")
    for key in ("sli", *_GLOBS):
        if _named(part, key) != _named(total, key):
            holder = part_at if key in part else total_at
            doc.fault((*holder, key), f"{side} and total must name the same; write it in both")
            return None
    if "sli" in part:
        return Selector(sli=part["sli"])
    before = len(doc.faults)
    found = (_good if side == "good" else _bad)(doc, (part_at, total_at), part, total)
    return found if len(doc.faults) == before else None


def _named(spec: Mapping[str, Any], key: str) -> Any:
    return spec.get(key) if key == "sli" else _patterns(spec, key)


def _good(
    doc: Document, at: tuple[Trail, Trail], good: Mapping[str, Any], total: Mapping[str, Any]
) -> Selector:
    within = good.get("within_s")
    if good["requests"] == "all":
        rule = "an error is never good; good counts requests: successful"
        doc.fault((*at[0], "requests"), rule)
    elif within is None and total["requests"] == "successful":
        rule = "every request of total would be good; count all, or give good a within_s"
        doc.fault((*at[1], "requests"), rule)
    return _selector(good, total["requests"], within)


def _bad(
    doc: Document, at: tuple[Trail, Trail], bad: Mapping[str, Any], total: Mapping[str, Any]
) -> Selector:
    over, failed = bad.get("over_s"), bad["requests"] == "failed"
    if failed and over is not None:
        rule = "a request that failed is bad however long it took; leave it out"
        doc.fault((*at[0], "over_s"), rule)
    elif failed and total["requests"] == "successful":
        rule = "none of the requests that failed is in this total; count all"
        doc.fault((*at[1], "requests"), rule)
    elif not failed and over is None:
        rule = "a successful request is bad when it is slow; give the longest good duration"
        doc.fault((*at[0], "over_s"), rule)
    elif not failed and total["requests"] == "all":
        rule = "the requests that failed would be good; count successful ones here"
        doc.fault((*at[1], "requests"), rule)
    return _selector(bad, total["requests"], over)


def read_threshold(
    doc: Document, trail: Trail, spec: Mapping[str, Any], op: Operator, value: float
) -> Selector | None:
    """Return what a threshold metric of type ``fleetslo`` counts, or None after noting its faults.

    ``trail`` leads to ``spec``, the SLI's, which holds the thresholdMetric; ``op`` and ``value``
    stand in the objective.
    """
    found = _spec(doc, trail, "thresholdMetric", spec["thresholdMetric"])
    return None if found is None else _selector(found, "successful", value, op)
