"""Objectives written as the OpenSLO documents that they amount to.

Templates are filled in, references written out, and each objective has a document of its own.
Read back, they are the same objectives.
"""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

import yaml

from fleetslo.reliability.alerts import POLICIES
from fleetslo.reliability.openslo.alerting import stands_for_another
from fleetslo.reliability.openslo.annotations import (
    COMPOSITE,
    FOR,
    NO_ALERTS,
    NO_DATA,
    POLICY,
    SINCE,
    WEIGHTED_MEAN,
)
from fleetslo.reliability.openslo.rules import calendar_shorthand, shorthand
from fleetslo.reliability.openslo.schema import API_VERSION
from fleetslo.reliability.openslo.selectors import SOURCE_TYPE, Selector
from fleetslo.reliability.slo import Objective
from fleetslo.reliability.windows import CalendarWindow, Window

_MINUTE = timedelta(minutes=1)
_Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Plain(_Dumper):  # type: ignore[misc]
    """Writes what stands in two places twice: an anchor says less than the value."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def as_yaml(objectives: Iterable[Objective]) -> str:
    """Return the documents of objectives as one YAML text."""
    return yaml.dump_all(
        [exported(objective) for objective in objectives],
        Dumper=_Plain,
        sort_keys=False,
        allow_unicode=True,
        width=100,
    )


def exported(objective: Objective) -> dict[str, Any]:
    """Return an objective as an OpenSLO document, by the names of its fields."""
    spec: dict[str, Any] = {}
    if objective.description:
        spec["description"] = objective.description
    spec["service"] = objective.service
    if not objective.members:
        spec["indicator"] = _indicator(objective)
    spec["timeWindow"] = [_window(objective.window)]
    spec["budgetingMethod"] = objective.method
    spec["objectives"] = [
        _entry(one, is_member=bool(objective.members)) for one in objective.members or (objective,)
    ]
    policies = _policies(objective)
    if policies:
        spec["alertPolicies"] = policies
    return {
        "apiVersion": API_VERSION,
        "kind": "SLO",
        "metadata": _metadata(objective),
        "spec": spec,
    }


def _metadata(objective: Objective) -> dict[str, Any]:
    found: dict[str, Any] = {"name": objective.name}
    if objective.display_name:
        found["displayName"] = objective.display_name
    if objective.labels:
        found["labels"] = dict(objective.labels)
    annotations = {**objective.annotations, **_own_annotations(objective)}
    if annotations:
        found["annotations"] = annotations
    return found


def _own_annotations(objective: Objective) -> dict[str, str]:
    """Return the annotations that became fields of the objective."""
    found = {}
    if objective.for_condition is not None:
        found[FOR] = str(objective.for_condition)
    # Without a word, alert policies stand alone and their absence means the first policy.
    if objective.policy != (None if _policies(objective) else POLICIES[0]):
        found[POLICY] = objective.policy or NO_ALERTS
    if objective.no_data is not None:
        found[NO_DATA] = objective.no_data
    if objective.weighted_mean:
        found[COMPOSITE] = WEIGHTED_MEAN
    if objective.since is not None:
        at = objective.since
        is_day = not (at.hour or at.minute)
        found[SINCE] = f"{at:%Y-%m-%d}" if is_day else f"{at:%Y-%m-%dT%H:%MZ}"
    return found


def _policies(objective: Objective) -> list[Mapping[str, Any]]:
    written = objective.written.get("alertPolicies", ())
    others = stands_for_another(written, objective.policy)
    return [one for one, is_other in zip(written, others, strict=True) if not is_other]


def _window(window: Window) -> dict[str, Any]:
    if not isinstance(window, CalendarWindow):
        return {"duration": shorthand(window.length), "isRolling": True}
    return {
        "duration": calendar_shorthand(window.count, window.unit),
        "isRolling": False,
        "calendar": {"startTime": f"{window.anchor:%Y-%m-%d %H:%M:%S}", "timeZone": window.zone},
    }


def _entry(one: Objective, *, is_member: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if is_member:
        found |= {"displayName": one.display_name, "indicator": _indicator(one)}
    found |= _comparison(one)
    found["target"] = one.target
    if one.slice_target is not None:
        found["timeSliceTarget"] = one.slice_target
    if one.slice_length is not None:
        whole = not one.slice_length % _MINUTE
        found["timeSliceWindow"] = (
            shorthand(one.slice_length) if whole else one.slice_length / _MINUTE
        )
    if is_member:
        found["compositeWeight"] = one.weight
    return found


def _comparison(one: Objective) -> dict[str, Any]:
    """Return ``op`` and ``value``, where a threshold metric needs them."""
    if one.selector == Selector():
        return {key: one.written[key] for key in ("op", "value") if key in one.written}
    if one.selector.op == "lte":
        return {}
    return {"op": one.selector.op, "value": one.selector.within_s}


def _indicator(one: Objective) -> dict[str, Any]:
    written = one.written.get("indicator", {"metadata": {"name": one.name}, "spec": {}})
    if one.selector == Selector():
        return dict(written)
    about = {key: text for key, text in written["spec"].items() if key == "description"}
    return {"metadata": written["metadata"], "spec": {**about, **_metric(one.selector)}}


def _metric(selector: Selector) -> dict[str, Any]:
    if selector.sli is not None:
        return _ratio({"sli": selector.sli}, {"sli": selector.sli})
    where = {
        key: list(patterns)
        for key, patterns in (
            ("endpoints", selector.endpoints),
            ("regions", selector.regions),
            ("versions", selector.versions),
        )
        if patterns
    }
    good: dict[str, Any] = {"requests": "successful"}
    if selector.op != "lte":
        return {"thresholdMetric": _source({**good, **where})}
    if selector.within_s is not None:
        good["within_s"] = selector.within_s
    return _ratio({**good, **where}, {"requests": selector.requests, **where})


def _ratio(good: Mapping[str, Any], total: Mapping[str, Any]) -> dict[str, Any]:
    return {"ratioMetric": {"counter": True, "good": _source(good), "total": _source(total)}}


def _source(spec: Mapping[str, Any]) -> dict[str, Any]:
    return {"metricSource": {"type": SOURCE_TYPE, "spec": dict(spec)}}
