"""The shape of an OpenSLO v1 document, every kind of it, and the rules between fields.

Source: the OpenSLO specification, v1 (its README), and for what that leaves open the project's
Go SDK, ``pkg/openslo/v1``: composite objectives carry ``indicator`` or ``indicatorRef`` themselves,
and a ``compositeWeight`` over 0; an alert policy notifies somebody. Where we are stricter than the
SDK (fields that could have no effect are refused) or more lenient (names of 255 characters, slices
as a number of minutes, both as the README has them), the tests say why.
"""

import re
from collections.abc import Mapping
from typing import Any

from fleetslo.reliability import exclusions
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.rules import (
    LONGEST_DESCRIPTION,
    Check,
    any_text,
    anything,
    boolean,
    duration,
    duration_or_minutes,
    duration_or_none,
    either,
    exactly_one,
    fields,
    items,
    local_time,
    mapping,
    name,
    number,
    one_of,
    positive,
    slice_target,
    target,
    text,
    zone,
)

API_VERSION = "openslo/v1"
METHODS = ("Occurrences", "Timeslices", "RatioTimeslices")
OPERATORS = ("lte", "gte", "lt", "gt")

_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX = re.compile(
    r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*"
)
_KEY_RULE = "a key has at most 63 letters, digits, - _ . and starts and ends with a letter or digit"


def _labels(doc: Document, trail: Trail, value: Any) -> None:
    if not isinstance(value, dict):
        doc.fault(trail, "it must be a mapping of keys to texts")
        return
    for key, item in value.items():
        if not _KEY.fullmatch(key):
            doc.fault((*trail, key), _KEY_RULE)
        (items(any_text) if isinstance(item, list) else any_text)(doc, (*trail, key), item)


def _annotations(doc: Document, trail: Trail, value: Any) -> None:
    if not isinstance(value, dict):
        doc.fault(trail, "it must be a mapping of keys to texts")
        return
    for key, item in value.items():
        prefix, slash, last = key.rpartition("/")
        if not _KEY.fullmatch(last):
            doc.fault((*trail, key), _KEY_RULE)
        if slash and not _PREFIX.fullmatch(prefix):
            doc.fault((*trail, key), "what stands before the slash must be a DNS name")
        any_text(doc, (*trail, key), item)


_DESCRIPTION = text(LONGEST_DESCRIPTION)
_METADATA = fields(
    {"name": name}, {"displayName": text(), "labels": _labels, "annotations": _annotations}
)


def _metric_source(doc: Document, trail: Trail, value: Any) -> None:
    fields({}, {"metricSourceRef": name, "type": text(), "spec": mapping})(doc, trail, value)
    if not isinstance(value, dict):
        return
    if not {"type", "metricSourceRef"} & value.keys():
        doc.fault(
            (*trail, "type"), "a metric source needs a type, or a metricSourceRef that has it"
        )
    # It may hold nothing, as in OpenSLO's own examples/budgeting-method/occurences-slo.yaml.
    if "spec" not in value and (*trail, "spec") not in doc.lines:
        doc.fault((*trail, "spec"), "it is required: what the source is asked for")


_METRIC = fields({"metricSource": _metric_source})


def _ratio_metric(doc: Document, trail: Trail, value: Any) -> None:
    fields(
        {},
        {
            "counter": boolean,
            "good": _METRIC,
            "bad": _METRIC,
            "total": _METRIC,
            "rawType": one_of("success", "failure"),
            "raw": _METRIC,
        },
    )(doc, trail, value)
    if not isinstance(value, dict):
        return
    if "raw" in value:
        for key in ("good", "bad", "total"):
            if key in value:
                doc.fault((*trail, key), "it cannot stand beside raw, which is a ratio already")
        if "rawType" not in value:
            doc.fault((*trail, "rawType"), "it is required beside raw: success or failure")
        return
    exactly_one(doc, trail, value, "good", "bad")
    if "total" not in value:
        doc.fault((*trail, "total"), "it is required beside good or bad")
    if "rawType" in value:
        doc.fault((*trail, "rawType"), "it belongs to raw, which is missing")


def _sli_spec(doc: Document, trail: Trail, value: Any) -> None:
    fields(
        {},
        {"description": _DESCRIPTION, "thresholdMetric": _METRIC, "ratioMetric": _ratio_metric},
    )(doc, trail, value)
    if isinstance(value, dict):
        exactly_one(doc, trail, value, "ratioMetric", "thresholdMetric")


_INDICATOR = fields({"metadata": _METADATA, "spec": _sli_spec})


def _time_window(doc: Document, trail: Trail, value: Any) -> None:
    fields(
        {"duration": duration},
        {
            "isRolling": boolean,
            "calendar": fields({"startTime": local_time, "timeZone": zone}),
        },
    )(doc, trail, value)
    if not isinstance(value, dict):
        return
    if "calendar" in value and value.get("isRolling") is True:
        doc.fault((*trail, "isRolling"), "a window is rolling or calendar-aligned, not both")
    if "calendar" not in value and value.get("isRolling") is not True:
        doc.fault(
            (*trail, "isRolling"),
            "exactly one of isRolling: true and calendar is required",
        )


def _objective(doc: Document, trail: Trail, value: Any) -> None:
    fields(
        {},
        {
            "displayName": text(),
            "op": one_of(*OPERATORS),
            "value": number,
            "target": target(1, "targetPercent"),
            "targetPercent": target(100, "target"),
            "timeSliceTarget": slice_target,
            "timeSliceWindow": duration_or_minutes,
            "indicator": _INDICATOR,
            "indicatorRef": name,
            "compositeWeight": positive,
        },
    )(doc, trail, value)
    if not isinstance(value, dict):
        return
    exactly_one(doc, trail, value, "target", "targetPercent")
    if "indicator" in value:
        exactly_one(doc, trail, value, "indicator", "indicatorRef")


_CONDITION_SPEC = fields(
    {
        "severity": text(),
        "condition": fields(
            {"threshold": number, "lookbackWindow": duration},
            # The README's examples leave op out (and say "exceeds"), its schema requires it.
            {
                "kind": one_of("burnrate"),
                "op": one_of(*OPERATORS),
                "alertAfter": duration_or_none,
            },
        ),
    },
    {"description": _DESCRIPTION},
)
_TARGET_SPEC = fields({"target": text()}, {"description": _DESCRIPTION})


def _inline(kind: str, spec: Check) -> Check:
    return fields({"kind": one_of(kind), "metadata": _METADATA, "spec": spec})


_POLICY_SPEC = fields(
    {
        "conditions": items(
            either(
                "conditionRef",
                fields({"conditionRef": name}),
                _inline("AlertCondition", _CONDITION_SPEC),
            ),
            least=1,
            most=1,
        ),
        "notificationTargets": items(
            either(
                "targetRef",
                fields({"targetRef": name}),
                _inline("AlertNotificationTarget", _TARGET_SPEC),
            ),
            least=1,
        ),
    },
    {
        "description": _DESCRIPTION,
        "alertWhenNoData": boolean,
        "alertWhenResolved": boolean,
        "alertWhenBreaching": boolean,
    },
)


def _alert_policy(doc: Document, trail: Trail, value: Any) -> None:
    if isinstance(value, str):
        doc.fault(trail, f"it must be a mapping; write alertPolicyRef: {value}")
        return
    either(
        "alertPolicyRef",
        fields({"alertPolicyRef": name}),
        _inline("AlertPolicy", _POLICY_SPEC),
    )(doc, trail, value)


def _slo_spec(doc: Document, trail: Trail, value: Any) -> None:
    fields(
        {
            "service": text(),
            "timeWindow": items(_time_window, least=1, most=1),
            "budgetingMethod": one_of(*METHODS),
            "objectives": items(_objective, least=1),
        },
        {
            "description": _DESCRIPTION,
            "indicator": _INDICATOR,
            "indicatorRef": name,
            "alertPolicies": items(_alert_policy),
        },
    )(doc, trail, value)
    if not isinstance(value, dict):
        return
    objectives = value.get("objectives")
    entries = [o for o in objectives if isinstance(o, dict)] if isinstance(objectives, list) else []
    if not any({"indicator", "indicatorRef"} & entry.keys() for entry in entries):
        exactly_one(doc, trail, value, "indicator", "indicatorRef")
        for i, entry in enumerate(entries):
            if "compositeWeight" in entry:
                rule = "it belongs to a composite, whose objectives have indicators of their own"
                doc.fault((*trail, "objectives", i, "compositeWeight"), rule)
    else:
        _composite(doc, trail, value, entries)
    for i, entry in enumerate(entries):
        _slices(doc, (*trail, "objectives", i), value.get("budgetingMethod"), entry)


def _composite(doc: Document, trail: Trail, spec: dict[str, Any], entries: list[Any]) -> None:
    for key in ("indicator", "indicatorRef"):
        if key in spec:
            doc.fault((*trail, key), "it stands in spec or in each of its objectives, not in both")
    for i, entry in enumerate(entries):
        exactly_one(doc, (*trail, "objectives", i), entry, "indicator", "indicatorRef")


def _slices(doc: Document, trail: Trail, method: Any, entry: dict[str, Any]) -> None:
    """Hold the fields of time slices to the methods that cut the window into slices."""
    users = {
        "timeSliceTarget": ("Timeslices",),
        "timeSliceWindow": ("Timeslices", "RatioTimeslices"),
    }
    for key, methods in users.items():
        if method in methods and key not in entry:
            doc.fault((*trail, key), f"it is required where budgetingMethod is {method}")
        if method in METHODS and method not in methods and key in entry:
            doc.fault((*trail, key), f"it belongs to {' and '.join(methods)}, not to {method}")


def metric_rules(
    doc: Document, trail: Trail, entry: Mapping[str, Any], indicator: Mapping[str, Any]
) -> None:
    """Hold ``op`` and ``value`` of an objective to what its indicator's spec measures.

    ``trail`` leads to the objective ``entry``.
    """
    threshold = "thresholdMetric" in indicator
    for key in ("op", "value"):
        if threshold and key not in entry:
            doc.fault((*trail, key), "it is required for a thresholdMetric")
        if not threshold and key in entry:
            doc.fault((*trail, key), "it belongs to a thresholdMetric, not to a ratioMetric")


_SPECS: dict[str, Check] = {
    "SLO": _slo_spec,
    "SLI": _sli_spec,
    "AlertPolicy": _POLICY_SPEC,
    "AlertCondition": _CONDITION_SPEC,
    "AlertNotificationTarget": _TARGET_SPEC,
    "DataSource": fields(
        {"type": text()}, {"description": _DESCRIPTION, "connectionDetails": anything}
    ),
    "Service": fields({}, {"description": _DESCRIPTION}),
}


def check_document(doc: Document) -> None:
    """Note in the document every way in which it breaks OpenSLO v1 (or our own kinds) by itself.

    What needs other documents (references, and the rules of an indicator referred to) is not
    looked at here.
    """
    value = doc.value
    if not isinstance(value, dict):
        doc.fault((), "an OpenSLO document is a mapping with apiVersion, kind, metadata and spec")
        return
    if value.get("apiVersion") == exclusions.API_VERSION:
        exclusions.check_exclusion(doc)
        return
    if value.get("apiVersion") != API_VERSION:
        doc.fault(("apiVersion",), f"only {API_VERSION} is read")
        return
    kind = value.get("kind")
    if not isinstance(kind, str) or kind not in _SPECS:
        one_of(*_SPECS)(doc, ("kind",), kind)
        return
    head: dict[str, Check] = {"apiVersion": anything, "kind": anything, "metadata": _METADATA}
    spec = {"spec": _SPECS[kind]}
    # A Service has nothing in its spec but a description, and may leave it out.
    (fields(head, spec) if kind == "Service" else fields({**head, **spec}))(doc, (), value)
