"""Which events an objective counts: the metric source of type ``fleetslo``.

``good`` and ``total`` are counted from the same rows, so they name the same endpoints, regions,
versions and ``sli``; they differ in ``requests`` and ``within_s``.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fleetslo.reliability.documents import Document, Trail
from fleetslo.reliability.rules import Check, fields, items, name, number, one_of, text

SOURCE_TYPE = "fleetslo"

_GLOBS = ("endpoints", "regions", "versions")


@dataclass(frozen=True)
class Selector:
    """What is counted as valid, and what of it is good.

    Attributes:
        requests: whether all requests are valid or only those that succeeded; None for an ``sli``.
        within_s: the longest duration of a good request in seconds; None where any will do.
        endpoints: patterns with ``*`` and ``?``, any of which must match; empty means all.
        regions: likewise.
        versions: likewise.
        sli: the name in ``sli_events``; None for requests.
    """

    requests: Literal["all", "successful"] | None = None
    within_s: float | None = None
    endpoints: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    versions: tuple[str, ...] = ()
    sli: str | None = None

    @property
    def definition(self) -> str:
        """A hash of what is measured, of 12 hexadecimal digits; equal counts have equal ones."""
        plain = {
            "requests": self.requests,
            "within_s": None if self.within_s is None else float(self.within_s),
            "endpoints": sorted(set(self.endpoints)),
            "regions": sorted(set(self.regions)),
            "versions": sorted(set(self.versions)),
            "sli": self.sli,
        }
        canonical = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()[:12]

    @property
    def says(self) -> str:
        """What is counted, as a clause: ``successful requests within 0.3 s to GET /cart*``."""
        if self.sli is not None:
            return f"good events of {self.sli}"
        kind = "requests that succeed" if self.requests == "all" else "successful requests"
        within = "" if self.within_s is None else f" within {self.within_s:g} s"
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
_REQUESTS: dict[str, Check] = {"requests": one_of("all", "successful")}
_GOOD = fields(_REQUESTS, {"within_s": _seconds, **_PATTERNS})
_TOTAL = fields(_REQUESTS, _PATTERNS)
_SLI = fields({"sli": name})


def _check_side(doc: Document, trail: Trail, side: str, spec: Any) -> None:
    if isinstance(spec, dict) and "sli" in spec:
        _SLI(doc, trail, spec)
    elif side == "total" and isinstance(spec, dict) and "within_s" in spec:
        doc.fault((*trail, "within_s"), "it belongs to good: total counts the slow ones as well")
    else:
        (_GOOD if side == "good" else _TOTAL)(doc, trail, spec)


def _patterns(spec: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(sorted(set(spec.get(key, ()))))


def read_selector(doc: Document, trail: Trail, ratio: Mapping[str, Any]) -> Selector | None:
    """Return what a ratio metric of type ``fleetslo`` counts, or None after noting its faults.

    ``trail`` leads to ``ratio``, a ratioMetric of the right shape with ``good`` and ``total``.
    """
    before = len(doc.faults)
    sides = {}
    for side in ("good", "total"):
        source = ratio[side]["metricSource"]
        at = (*trail, side, "metricSource", "spec")
        if "spec" not in source:
            doc.fault(at, "it is required for a metric source of type fleetslo")
            continue
        _check_side(doc, at, side, source["spec"])
        sides[side] = source["spec"]
    if len(doc.faults) > before:
        return None
    good, total = sides["good"], sides["total"]
    at = (*trail, "good", "metricSource", "spec")
    for key in ("sli", *_GLOBS):
        if key == "sli":
            same = good.get(key) == total.get(key)
        else:
            same = _patterns(good, key) == _patterns(total, key)
        if not same:
            holder = at if key in good else (*trail, "total", "metricSource", "spec")
            doc.fault((*holder, key), "good and total must name the same; write it in both")
            return None
    if "sli" in good:
        return Selector(sli=good["sli"])
    if good["requests"] == "all":
        doc.fault(
            (*at, "requests"),
            "an error is never good; good counts requests: successful",
        )
        return None
    within = good.get("within_s")
    if within is None and total["requests"] == "successful":
        doc.fault(
            (*trail, "total", "metricSource", "spec", "requests"),
            "every request of total would be good; count all, or give good a within_s",
        )
        return None
    return Selector(
        requests=total["requests"],
        within_s=None if within is None else float(within),
        endpoints=_patterns(good, "endpoints"),
        regions=_patterns(good, "regions"),
        versions=_patterns(good, "versions"),
    )
