"""Objectives written out and read back: the same objectives."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from slo_documents import written

from fleetslo.reliability.objectives import Objective, read_objectives, resolve
from fleetslo.reliability.openslo.exporting import as_yaml, exported

PROMETHEUS = {"type": "Prometheus", "spec": {"query": 'up{job="a"}', "steps": [1, 2.5]}}
SERVICE = {
    "service": "checkout",
    "squad": "Payments",
    "system": None,
    "tier": 1,
    "language": None,
    "framework": None,
    "lifecycle": "production",
    "oncall_timezone": None,
}

names = st.from_regex(r"[a-z][a-z0-9.-]{0,8}", fullmatch=True)
texts = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=20).filter(
    str.strip
)
shares = st.integers(0, 99_999).map(lambda part: part / 100_000)
globs = st.fixed_dictionaries(
    {},
    optional={
        key: st.lists(texts, min_size=1, max_size=3) for key in ("endpoints", "regions", "versions")
    },
)
seconds = st.floats(0.001, 100) | st.integers(1, 60)


def ours(spec: Any) -> dict[str, Any]:
    return {"metricSource": {"type": "fleetslo", "spec": spec}}


@st.composite
def ratios(draw: st.DrawFn) -> dict[str, Any]:
    where, within = draw(globs), draw(seconds)
    sli = draw(names)
    every, served = {"requests": "all", **where}, {"requests": "successful", **where}
    good, total = draw(
        st.sampled_from(
            [
                ({"good": ours(served)}, every),
                ({"good": ours({**served, "within_s": within})}, every),
                ({"good": ours({**served, "within_s": within})}, served),
                ({"bad": ours({"requests": "failed", **where})}, every),
                ({"bad": ours({**served, "over_s": within})}, served),
                ({"good": ours({"sli": sli})}, {"sli": sli}),
                ({"bad": ours({"sli": sli})}, {"sli": sli}),
                ({"good": {"metricSource": PROMETHEUS}}, {"sli": sli}),
            ]
        )
    )
    return {"ratioMetric": {"counter": draw(st.booleans()), **good, "total": ours(total)}}


raws = st.just({"ratioMetric": {"rawType": "failure", "raw": {"metricSource": PROMETHEUS}}})
thresholds = globs.map(lambda where: {"thresholdMetric": ours({"requests": "successful", **where})})
foreign = st.just({"thresholdMetric": {"metricSource": PROMETHEUS}})
operators = st.sampled_from(["lte", "lt", "gte", "gt"])


@st.composite
def measured(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any]]:
    """An indicator, and the fields of an objective that belong to it."""
    spec = draw(ratios() | raws | thresholds | foreign)
    about = draw(st.fixed_dictionaries({}, optional={"description": texts}))
    compared = {}
    if "thresholdMetric" in spec:
        compared = {"op": draw(operators), "value": draw(seconds)}
    return {"metadata": {"name": draw(names)}, "spec": {**about, **spec}}, compared


@st.composite
def alert_policies(draw: st.DrawFn) -> dict[str, Any]:
    condition = {
        "kind": "AlertCondition",
        "metadata": {"name": draw(names)},
        "spec": {
            "severity": draw(st.sampled_from(["page", "ticket", "sev1", "low"])),
            "condition": {
                "kind": "burnrate",
                "op": draw(operators),
                "threshold": draw(st.integers(0, 20)),
                "lookbackWindow": draw(st.sampled_from(["1h", "90m", "3d"])),
                "alertAfter": draw(st.sampled_from(["0m", "5m"])),
            },
        },
    }
    short = st.fixed_dictionaries({}, optional={"fleetslo/short-window": st.just("5m")})
    return {
        "kind": "AlertPolicy",
        "metadata": {"name": draw(names), "annotations": draw(short)},
        "spec": {
            "alertWhenBreaching": draw(st.booleans()),
            "alertWhenNoData": draw(st.booleans()),
            "conditions": [condition],
            "notificationTargets": [
                {
                    "kind": "AlertNotificationTarget",
                    "metadata": {"name": draw(names)},
                    "spec": {"target": draw(texts)},
                }
            ],
        },
    }


windows = st.sampled_from(
    [
        {"duration": "28d", "isRolling": True},
        {"duration": "36h", "isRolling": True},
        {"duration": "1Q", "isRolling": True},
        {
            "duration": "1M",
            "calendar": {"startTime": "2026-01-03 12:30:00", "timeZone": "Europe/Stockholm"},
        },
        {
            "duration": "2w",
            "isRolling": False,
            "calendar": {"startTime": datetime(2026, 1, 5), "timeZone": "UTC"},  # noqa: DTZ001
        },
    ]
)


@st.composite
def documents(draw: st.DrawFn) -> dict[str, Any]:
    method = draw(st.sampled_from(["Occurrences", "Timeslices", "RatioTimeslices"]))
    cut: dict[str, Any] = {}
    if method != "Occurrences":
        cut["timeSliceWindow"] = draw(st.sampled_from(["5m", "1h", 1, 0.5]))
    if method == "Timeslices":
        cut["timeSliceTarget"] = draw(st.sampled_from([0.9, 0.999, 1]))
    annotations = draw(
        st.fixed_dictionaries(
            {},
            optional={
                "fleetslo/policy": st.sampled_from(["workbook", "proportional", "none"]),
                "fleetslo/since": st.sampled_from(["2026-01-31", "2026-01-31T12:30+02:00"]),
                "fleetslo/owner": texts,
                "fleetslo/reviewed": st.just("2026-01-31"),
                "example.com/runbook": texts,
            },
        )
    )
    if method != "Occurrences" and draw(st.booleans()):
        annotations["fleetslo/no-data"] = draw(st.sampled_from(["good", "bad"]))
    spec: dict[str, Any] = {
        "service": "checkout",
        "timeWindow": [draw(windows)],
        "budgetingMethod": method,
    }
    name = draw(names)
    if draw(st.booleans()):
        annotations["fleetslo/for"] = "tier = 1"
        spec["service"], name = "{service}", f"{{service}}-{name}"
    title = st.fixed_dictionaries({}, optional={"displayName": texts})
    if draw(st.booleans()):  # a composite
        annotations["fleetslo/composite"] = "weighted-mean"
        parts = draw(st.lists(measured(), min_size=1, max_size=3))
        weights = st.fixed_dictionaries({}, optional={"compositeWeight": st.floats(0.1, 9)})
        spec["objectives"] = [
            {**draw(title), **draw(weights), **cut, **compared, "target": draw(shares)}
            | {"indicator": indicator}
            for indicator, compared in parts
        ]
    else:
        indicator, compared = draw(measured())
        most = 1 if compared else 3
        spec["indicator"] = indicator
        spec["objectives"] = [
            {**draw(title), **cut, **compared, "target": share}
            for share in draw(st.lists(shares, min_size=1, max_size=most))
        ]
    if draw(st.booleans()):
        spec["alertPolicies"] = draw(st.lists(alert_policies(), max_size=2))
    return {
        "apiVersion": "openslo/v1",
        "kind": "SLO",
        "metadata": {
            "name": name,
            **draw(title),
            "labels": draw(st.dictionaries(names.map(lambda n: n.strip(".-")), texts, max_size=2)),
            "annotations": annotations,
        },
        "spec": {**spec, **draw(st.fixed_dictionaries({}, optional={"description": texts}))},
    }


def comparable(objective: Objective) -> Objective:
    """Leave out where an objective was read from: each has a document of its own now."""
    members = tuple(comparable(member) for member in objective.members)
    return replace(objective, source="", document="", members=members)


@settings(deadline=None)
@given(documents())
def test_what_is_written_out_reads_back_as_the_same_objectives(document: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), document)
        first = resolve(read_objectives(path), [SERVICE])
        path.write_text(as_yaml(first), encoding="utf-8")
        again = read_objectives(path)
        assert [comparable(one) for one in again] == [comparable(one) for one in first]
        for one, other in zip(first, again, strict=True):
            assert (one.alerts, one.owner, one.reviewed) == (
                other.alerts,
                other.owner,
                other.reviewed,
            )
            if one.unmeasured:  # nothing of what its source is asked for is lost
                assert exported(other) == exported(one)


@settings(deadline=None, max_examples=30)
@given(documents())
def test_templates_are_written_out_as_templates(document: dict[str, Any]) -> None:
    with TemporaryDirectory() as folder:
        path = written(Path(folder), document)
        first = read_objectives(path)
        path.write_text(as_yaml(first), encoding="utf-8")
        again = read_objectives(path)
        assert [comparable(one) for one in again] == [comparable(one) for one in first]
