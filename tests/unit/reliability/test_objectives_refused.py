"""Objectives that are wrong: each refused with file, line, document, field, value and rule."""

import datetime as dt
import re

import pytest
from slo_documents import CHECKOUT, GONE, GOOD, RATIO, TOTAL, changed, written

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import read_objectives

WINDOW = "spec.timeWindow.0"
ENTRY = "spec.objectives.0"
ROLLING = {"duration": "1M", "isRolling": True}
NEW_YORK = {"startTime": "2026-01-01 00:00:00", "timeZone": "America/New_York"}
SLICES = {"spec.budgetingMethod": "Timeslices"}
PROMETHEUS = {"metricSource": {"type": "Prometheus", "spec": {"query": "up"}}}
THRESHOLD = {"thresholdMetric": PROMETHEUS}
ABC = {"metadata": {"name": "a"}, "spec": {}}


def refusal(path) -> str:
    with pytest.raises(ObjectiveError) as caught:
        read_objectives(path)
    assert caught.value.exit_code == 40
    return str(caught.value)


# What is changed in SLO.md's example, and what the message says of it: field, value and rule.
WRONG = [
    # the head
    ({"apiVersion": "openslo/v1alpha"}, "apiVersion is 'openslo/v1alpha'; only openslo/v1 is read"),
    ({"apiVersion": GONE}, "apiVersion is missing; only openslo/v1 is read"),
    ({"kind": "Slo"}, "kind is 'Slo'; it must be SLO or SLI or AlertPolicy or"),
    ({"kind": ["SLO"]}, "kind is ['SLO']; it must be SLO or"),
    ({"kind": GONE}, "kind is missing; it must be SLO or"),
    ({"metadata": GONE}, "metadata is missing; it is required"),
    ({"spec": GONE}, "spec is missing; it is required"),
    ({"spec": "x"}, "spec is 'x'; it must be a mapping with service, timeWindow"),
    ({"status": {}}, "status is {}; there is no field 'status' here. There are apiVersion"),
    # metadata
    ({"metadata.name": GONE}, "metadata.name is missing; it is required"),
    ({"metadata.name": ""}, "metadata.name is ''; it must not be empty"),
    ({"metadata.name": "my slo"}, "metadata.name is 'my slo'; a name holds no spaces"),
    ({"metadata.name": "a" * 256}, "it has 256 characters, and may have 255"),
    ({"metadata.name": True}, "metadata.name is true; it must be text; write it in quotes"),
    ({"metadata.label": {}}, "there is no field 'label' here. Did you mean 'labels'?"),
    ({"metadata.labels": ["a"]}, "metadata.labels is ['a']; it must be a mapping of keys"),
    ({"metadata.labels": {"tier": 1}}, "metadata.labels.tier is 1; it must be text"),
    ({"metadata.labels": {"team": ["a", 2]}}, "metadata.labels.team[1] is 2; it must be text"),
    ({"metadata.labels": {"-team": "a"}}, "a key has at most 63 letters"),
    ({"metadata.annotations": "x"}, "metadata.annotations is 'x'; it must be a mapping"),
    ({"metadata.annotations": {"a/b/c": "x"}}, "what stands before the slash must be a DNS name"),
    ({"metadata.annotations": {"a/": "x"}}, "a key has at most 63 letters"),
    ({"metadata.annotations": {"a": ["x"]}}, "metadata.annotations.a is ['x']; it must be text"),
    (
        {"metadata.annotations": {"fleetslo/polcy": "workbook"}},
        "there is no field 'fleetslo/polcy' here. Did you mean 'fleetslo/policy'?",
    ),
    (
        {"metadata.annotations": {"fleetslo/policy": "loud"}},
        "metadata.annotations.fleetslo/policy is 'loud'; it must be workbook or proportional",
    ),
    # service and description
    ({"spec.service": GONE}, "spec.service is missing; it is required"),
    ({"spec.service": 7}, "spec.service is 7; it must be text"),
    ({"spec.description": "x" * 1051}, "it has 1051 characters, and may have 1050"),
    ({"spec.objektives": []}, "no field 'objektives' here. Did you mean 'objectives'?"),
    # targets
    ({f"{ENTRY}.target": 1}, "target is 1; it must be at least 0 and less than 1: a target of 100 %"),
    ({f"{ENTRY}.target": 1.0}, "a target of 100 % leaves no budget to divide by"),
    ({f"{ENTRY}.target": 99.9}, "less than 1; write percent as targetPercent"),
    ({f"{ENTRY}.target": -0.1}, "spec.objectives[0].target is -0.1; it must be at least 0"),
    ({f"{ENTRY}.target": "0.99"}, "target is '0.99'; it must be a number, without quotes"),
    ({f"{ENTRY}.target": True}, "target is true; it must be a number"),
    ({f"{ENTRY}.target": float("nan")}, "target is nan; it must be a number"),
    ({f"{ENTRY}.target": float("inf")}, "target is inf; it must be a number"),
    ({ENTRY: {"targetPercent": 100}}, "targetPercent is 100; it must be at least 0 and less than 100"),
    ({ENTRY: {"targetPercent": -1}}, "targetPercent is -1; it must be at least 0"),
    ({f"{ENTRY}.targetPercent": 99}, "targetPercent is 99; it cannot stand beside target"),
    ({f"{ENTRY}.target": GONE}, "target is missing; exactly one of target and targetPercent"),
    ({f"{ENTRY}.traget": 0.9}, "no field 'traget' here. Did you mean 'target'?"),
    ({"spec.objectives": []}, "spec.objectives is []; it has 0 items and must have 1 or more"),
    ({"spec.objectives": {"target": 0.9}}, "it must be a list; put - before each item"),
    ({"spec.objectives": ["fast"]}, "spec.objectives[0] is 'fast'; it must be a mapping with"),
    # op and value belong to a threshold metric
    ({f"{ENTRY}.op": "gt"}, "spec.objectives[0].op is 'gt'; it belongs to a thresholdMetric"),
    ({f"{ENTRY}.value": 3}, "value is 3; it belongs to a thresholdMetric, not to a ratioMetric"),
    ({f"{ENTRY}.op": "more"}, "op is 'more'; it must be lte or gte or lt or gt"),
    # the window
    ({"spec.timeWindow": GONE}, "spec.timeWindow is missing; it is required"),
    ({"spec.timeWindow": []}, "spec.timeWindow is []; it has 0 items and must have exactly 1"),
    ({"spec.timeWindow": [ROLLING, ROLLING]}, "it has 2 items and must have exactly 1"),
    ({"spec.timeWindow": ROLLING}, "it must be a list; put - before each item"),
    ({WINDOW: 28}, "spec.timeWindow[0] is 28; it must be a mapping with duration, isRolling"),
    ({f"{WINDOW}.duration": GONE}, "spec.timeWindow[0].duration is missing; it is required"),
    ({f"{WINDOW}.isRolling": GONE}, "exactly one of isRolling: true and calendar is required"),
    ({f"{WINDOW}.isRolling": False}, "exactly one of isRolling: true and calendar is required"),
    ({f"{WINDOW}.isRolling": "yes"}, "isRolling is 'yes'; it must be true or false"),
    ({f"{WINDOW}.calendar": NEW_YORK}, "a window is rolling or calendar-aligned, not both"),
    *(
        ({f"{WINDOW}.duration": wrong}, "a duration is a whole number and one letter: m minutes")
        for wrong in ("28D", "28", 28, "1.5d", "0d", "-1d", "28 d", "P28D", "1mo", "4w ", "d", "01d")
    ),
    ({f"{WINDOW}.duration": "11Y"}, "duration is '11Y'; it must be at most ten years"),
    # calendar windows, checked first and then not measured
    *(
        (
            {WINDOW: {"duration": "1M", "calendar": {**NEW_YORK, **wrong}}},
            rule,
        )
        for wrong, rule in (
            ({"timeZone": "New York"}, "timeZone is 'New York'; it must be a zone of the IANA"),
            ({"timeZone": "../etc"}, "it must be a zone of the IANA database"),
            ({"timeZone": 5}, "timeZone is 5; it must be a zone of the IANA database"),
            ({"startTime": "1 January"}, "it must be a date and time without a zone"),
            ({"startTime": 2026}, "startTime is 2026; it must be a date and time"),
            ({"startTime": dt.date(2026, 1, 1)}, "2026-01-01; it must be a date and time without a zone; write 2026-01-01 00:00:00: the time is missing"),
            (
                {"startTime": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
                "startTime is 2026-01-01 00:00:00+00:00; it must be a date and time without a zone",
            ),
            ({"end": "never"}, "there is no field 'end' here. There are startTime, timeZone"),
        )
    ),
    # the method
    ({"spec.budgetingMethod": GONE}, "spec.budgetingMethod is missing; it is required"),
    (
        {"spec.budgetingMethod": "occurrences"},
        "it must be Occurrences or Timeslices or RatioTimeslices. Did you mean 'Occurrences'?",
    ),
    (SLICES, "timeSliceTarget is missing; it is required where budgetingMethod is Timeslices"),
    (
        {"spec.budgetingMethod": "RatioTimeslices"},
        "timeSliceWindow is missing; it is required where budgetingMethod is RatioTimeslices",
    ),
    (
        {f"{ENTRY}.timeSliceTarget": 0.9},
        "timeSliceTarget is 0.9; it belongs to Timeslices, not to Occurrences",
    ),
    (
        {f"{ENTRY}.timeSliceWindow": "1m"},
        "it belongs to Timeslices and RatioTimeslices, not to Occurrences",
    ),
    ({**SLICES, f"{ENTRY}.timeSliceTarget": 0}, "it must be over 0 and at most 1"),
    ({**SLICES, f"{ENTRY}.timeSliceTarget": 1.01}, "it must be over 0 and at most 1"),
    ({**SLICES, f"{ENTRY}.timeSliceWindow": 0}, "it must be over 0 minutes"),
    ({**SLICES, f"{ENTRY}.timeSliceWindow": "5"}, "a duration is a whole number and one letter"),
    # the indicator
    ({"spec.indicator": GONE}, "exactly one of indicator and indicatorRef is required"),
    ({"spec.indicatorRef": "x"}, "indicatorRef is 'x'; it cannot stand beside indicator"),
    (
        {"spec.indicator": GONE, "spec.indicatorRef": "fast"},
        "spec.indicatorRef is 'fast'; no SLI of this name was read",
    ),
    ({"spec.indicator.metadata": GONE}, "spec.indicator.metadata is missing; it is required"),
    ({"spec.indicator.spec": {}}, "exactly one of ratioMetric and thresholdMetric is required"),
    ({"spec.indicator.spec": []}, "spec.indicator.spec is []; it must be a mapping with"),
    (
        {"spec.indicator.spec.thresholdMetric": PROMETHEUS},
        "thresholdMetric is {metricSource}; it cannot stand beside ratioMetric",
    ),
    ({RATIO: "x"}, f"{RATIO} is 'x'; it must be a mapping with counter, good"),
    ({f"{RATIO}.counter": "yes"}, "counter is 'yes'; it must be true or false"),
    ({f"{RATIO}.good": GONE}, "good is missing; exactly one of good and bad is required"),
    ({f"{RATIO}.bad": PROMETHEUS}, "bad is {metricSource}; it cannot stand beside good"),
    ({f"{RATIO}.total": GONE}, "total is missing; it is required beside good or bad"),
    ({f"{RATIO}.rawType": "success"}, "rawType is 'success'; it belongs to raw, which is missing"),
    ({f"{RATIO}.raw": PROMETHEUS}, "good is {metricSource}; it cannot stand beside raw"),
    ({RATIO: {"raw": PROMETHEUS}}, "rawType is missing; it is required beside raw"),
    ({RATIO: {"raw": PROMETHEUS, "rawType": "x"}}, "it must be success or failure"),
    ({f"{RATIO}.good": {}}, "good.metricSource is missing; it is required"),
    ({f"{RATIO}.good.metricSource": "x"}, "it must be a mapping with metricSourceRef, type, spec"),
    ({f"{RATIO}.good.metricSource.type": GONE}, "a metric source needs a type, or"),
    ({f"{RATIO}.good.metricSource.query": "up"}, "there is no field 'query' here"),
    # the metric source of type fleetslo
    # OpenSLO's README: "the required spec key"; its schema and its SDK require it, too.
    ({GOOD: GONE}, f"{GOOD} is missing; it is required: what the source is asked for"),
    ({GOOD: None}, f"{GOOD} is missing; it is required for a metric source of type fleetslo"),
    ({GOOD: ["x"]}, f"{GOOD} is ['x']; it must be a mapping"),
    ({f"{GOOD}.requests": GONE}, f"{GOOD}.requests is missing; it is required"),
    ({f"{GOOD}.requests": "succesful"}, "it must be all or successful. Did you mean 'successful'?"),
    ({f"{GOOD}.requests": "all"}, "requests is 'all'; an error is never good"),
    ({f"{GOOD}.within": 0.3}, "there is no field 'within' here. Did you mean 'within_s'?"),
    ({f"{GOOD}.within_s": "300ms"}, "within_s is '300ms'; it must be a number"),
    ({f"{GOOD}.within_s": 0}, "within_s is 0; it must be over 0; it is a duration in seconds"),
    ({f"{GOOD}.within_s": -1}, "within_s is -1; it must be over 0"),
    ({f"{GOOD}.endpoints": "GET /cart*"}, "it must be a list; put - before each item"),
    ({f"{GOOD}.endpoints": []}, "endpoints is []; it has 0 items and must have 1 or more"),
    ({f"{GOOD}.endpoints": [""]}, "endpoints[0] is ''; it must not be empty"),
    ({f"{GOOD}.endpoints": ["GET /"]}, "good and total must name the same; write it in both"),
    ({f"{TOTAL}.regions": ["eu*"]}, f"{TOTAL}.regions is ['eu*']; good and total must name the"),
    ({f"{TOTAL}.within_s": 0.3}, "it belongs to good: total counts the slow ones as well"),
    ({f"{GOOD}.within_s": GONE}, "every request of total would be good; count all"),
    ({GOOD: {"sli": "lag"}}, f"{GOOD}.sli is 'lag'; good and total must name the same"),
    ({TOTAL: {"sli": "lag"}}, f"{TOTAL}.sli is 'lag'; good and total must name the same"),
    ({GOOD: {"sli": "lag", "within_s": 1}}, "no field 'within_s' here. There is sli"),
    # alert policies
    ({"spec.alertPolicies": "x"}, "spec.alertPolicies is 'x'; it must be a list"),
    ({"spec.alertPolicies": [{}]}, "spec.alertPolicies[0].kind is missing; it is required"),
    ({"spec.alertPolicies": [{"alertPolicyRef": 3}]}, "alertPolicyRef is 3; it must be text"),
    (
        {"spec.alertPolicies": [{"kind": "AlertPolicy", **ABC}]},
        "spec.alertPolicies[0].spec.conditions is missing; it is required",
    ),
    # templates
    ({"spec.service": "{service}"}, "{service} needs the annotation fleetslo/for"),
    ({"metadata.name": "{service}-x"}, "{service} needs the annotation fleetslo/for"),
    *(
        ({"metadata.annotations": {"fleetslo/for": "tier = 1"}, **wrong}, rule)
        for wrong, rule in (
            ({"metadata.name": "{service}-x"}, "spec.service is 'checkout'; with the annotation"),
            ({"spec.service": "{service}"}, "fleetslo/for it must hold {service}"),
            (
                {"spec.service": "{service}", "metadata.name": "{service}-{tier}"},
                "only {service} can be filled in",
            ),
        )
    ),
    (
        {
            "metadata.annotations": {"fleetslo/for": "teir = 1"},
            "metadata.name": "{service}-x",
            "spec.service": "{service}",
        },
        "metadata.annotations.fleetslo/for is 'teir = 1'; services have no field 'teir'",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "rule"), WRONG, ids=[rule[:50] for _, rule in WRONG])
def test_refused_with_file_line_document_field_value_and_rule(tmp_path, changes, rule):
    path = written(tmp_path, changed(changes))
    message = refusal(path)
    assert rule in message
    assert re.match(rf"{re.escape(str(path))}:\d+: document 1", message)


def test_a_threshold_metric_needs_op_and_value_and_one_objective(tmp_path):
    entries = [{"target": 0.9}, {"target": 0.99, "op": "lt", "value": 1}]
    message = refusal(
        written(tmp_path, changed({"spec.indicator.spec": THRESHOLD, "spec.objectives": entries}))
    )
    assert message.splitlines() == [
        f"{tmp_path}/slo.yaml:{line}: document 1 (checkout-latency): {rule}"
        for line, rule in (
            (23, "spec.objectives[0].op is missing; it is required for a thresholdMetric"),
            (23, "spec.objectives[0].value is missing; it is required for a thresholdMetric"),
            (22, "spec.objectives is a list of 2; a thresholdMetric has exactly one objective"),
        )
    ]  # fmt: skip


def test_composites_have_one_indicator_each_and_none_of_their_own(tmp_path):
    entries = [{"target": 0.9, "indicatorRef": "a"}, {"target": 0.9}]
    message = refusal(written(tmp_path, changed({"spec.objectives": entries})))
    assert "spec.indicator is {metadata, spec}; it stands in spec or in each of its obj" in message
    assert "spec.objectives[1].indicator is missing; exactly one of indicator and" in message
    both = [{"target": 0.9, "indicatorRef": "a", "indicator": CHECKOUT["spec"]["indicator"]}]
    message = refusal(written(tmp_path, changed({"spec.objectives": both, "spec.indicator": GONE})))
    assert "spec.objectives[0].indicatorRef is 'a'; it cannot stand beside indicator" in message


def test_every_fault_is_told_at_once_each_with_its_line(tmp_path):
    path = tmp_path / "slo.yaml"
    path.write_text("""apiVersion: openslo/v1
kind: SLO
metadata: {name: first}
spec:
  service: checkout
  indicatorRef: fast
  timeWindow:
    - duration: 28D
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - target: 1
    - target: 0.9
      op: gt
      color: red
---
apiVersion: openslo/v2
---
just text
""")
    where = f"{path}:{{}}: document {{}}"
    known = ("There are displayName, op, value, target, targetPercent, timeSliceTarget, "
             "timeSliceWindow, indicator, indicatorRef, compositeWeight")  # fmt: skip
    assert refusal(path).splitlines() == [
        (
            f"{where.format(8, 1)} (first): spec.timeWindow[0].duration is '28D'; a duration is a whole "
            "number and one letter: m minutes, h hours, d days, w weeks, M months, Q quarters, Y years; "
            "write 28d"
        ),
        (
            f"{where.format(12, 1)} (first): spec.objectives[0].target is 1; it must be at least 0 and "
            "less than 1: a target of 100 % leaves no budget to divide by"
        ),
        (
            f"{where.format(15, 1)} (first): spec.objectives[1].color is 'red'; there is no field "
            f"'color' here. {known}"
        ),
        f"{where.format(17, 2)}: apiVersion is 'openslo/v2'; only openslo/v1 is read",
        (
            f"{where.format(19, 3)}: the document is 'just text'; an OpenSLO document is a mapping "
            "with apiVersion, kind, metadata and spec"
        ),
    ]


SLI = {
    "apiVersion": "openslo/v1",
    "kind": "SLI",
    "metadata": {"name": "fast-requests"},
    "spec": CHECKOUT["spec"]["indicator"]["spec"],
}
REFERRING = {"spec.indicator": GONE, "spec.indicatorRef": "fast-requests"}


def test_references_to_what_was_not_read(tmp_path):
    slo = changed({**REFERRING, "spec.indicatorRef": "fast-request"})
    message = refusal(written(tmp_path, slo, SLI))
    assert "no SLI of this name was read. Did you mean 'fast-requests'?" in message
    bare = {"metricSourceRef": "ours", "spec": {"requests": "all"}}
    message = refusal(written(tmp_path, changed({f"{RATIO}.good.metricSource": bare})))
    assert "metricSourceRef is 'ours'; no DataSource of this name was read" in message


def test_faults_of_what_is_referred_to_are_told_once_and_there(tmp_path):
    wrong = changed({"spec.ratioMetric.good.metricSource.spec.within_s": 0}, SLI)
    twice = [changed({**REFERRING, "metadata.name": name}) for name in ("a", "b")]
    message = refusal(written(tmp_path, *twice, wrong))
    assert message.count("\n") == 0
    assert "document 3 (fast-requests): spec.ratioMetric.good.metricSource.spec.within_s" in message
    shapeless = changed({"spec.ratioMetric.good": GONE}, SLI)
    message = refusal(written(tmp_path, *twice, shapeless))
    assert message.count("\n") == 0
    assert "spec.ratioMetric.good is missing" in message


def test_a_name_taken_twice(tmp_path):
    first = written(tmp_path, CHECKOUT, name="a.yaml")
    written(tmp_path, SLI, CHECKOUT, name="b.yaml")
    message = refusal(tmp_path)
    assert "b.yaml:" in message
    assert f"a SLO of this name stands in {first}, document 1 already" in message


@pytest.mark.parametrize(
    ("spec", "rule"),
    [
        ({"kind": "DataSource", "spec": {}}, "spec.type is missing"),
        ({"kind": "Service", "spec": {"owner": "me"}}, "no field 'owner' here. There is description"),
        ({"kind": "AlertNotificationTarget", "spec": {}}, "spec.target is missing"),
        ({"kind": "AlertCondition", "spec": {"condition": {}}}, "spec.severity is missing"),
        (
            {"kind": "AlertCondition",
             "spec": {"severity": "page", "condition": {"op": "gt", "threshold": "2", "kind": "x",
                                                        "lookbackWindow": "1h", "alertAfter": "5"}}},
            "threshold is '2'; it must be a number",
        ),
        ({"kind": "AlertPolicy", "spec": {"notificationTargets": []}}, "spec.conditions is missing"),
        (
            {"kind": "AlertPolicy", "spec": {"notificationTargets": [], "conditions": []}},
            "spec.conditions is []; it has 0 items and must have exactly 1",
        ),
        (  # OpenSLO's oslo, test/inputs/v1/alert-policy/alert-policy-many-cond.yaml
            {"kind": "AlertPolicy",
             "spec": {"notificationTargets": [],
                      "conditions": [{"conditionRef": "a"}, {"conditionRef": "b"}]}},
            "it has 2 items and must have exactly 1",
        ),
        (  # likewise alert-policy-malformed-cond.yaml and -malformed-targetref.yaml
            {"kind": "AlertPolicy",
             "spec": {"notificationTargets": [{"foo": "x"}],
                      "conditions": [{"operator": "and", "conditionRef": "a"}]}},
            "spec.conditions[0].operator is 'and'; there is no field 'operator' here",
        ),
    ],
)  # fmt: skip
def test_other_kinds_that_are_wrong(tmp_path, spec, rule):
    document = {"apiVersion": "openslo/v1", "metadata": {"name": "a"}, **spec}
    assert rule in refusal(written(tmp_path, document))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1", ": not valid YAML"),
        ("a: 1\n\tb: 2", ":2: not valid YAML"),
        ("a: 1\na: 2", "document 1: line 2: the document has 'a' twice; keep one"),
        ("---\nx: {a: 1, b: {c: 1, c: 2}}", "line 2: x.b has 'c' twice"),
        ("1: a", "line 1: the key '1' is not text; write it in quotes"),
        ("a: 2026-13-01", "line 1: '2026-13-01' cannot be read"),
        ("a: !!python/object:os.system x", "cannot be read"),
        ("a: &a [*a]", "its anchors unfold without end"),
        ("a: &a {b: *a}", "its anchors unfold without end"),
        ("a: {<<: 3}", "not valid YAML"),
    ],
)
def test_files_that_are_no_sound_yaml(tmp_path, text, message):
    path = tmp_path / "slo.yaml"
    path.write_text(text)
    assert message in refusal(path)


def test_anchors_that_multiply_are_stopped(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 9)]
    path = tmp_path / "slo.yaml"
    path.write_text("\n".join(lines))
    assert "its anchors unfold without end; write the values out" in refusal(path)


def test_files_that_cannot_be_read(tmp_path):
    assert "there is no such file or folder" in refusal(tmp_path / "none.yaml")
    path = tmp_path / "latin.yaml"
    path.write_bytes("a: é".encode("latin-1"))
    assert "cannot be read: it is not UTF-8 text" in refusal(path)
    (tmp_path / "loop.yaml").symlink_to(tmp_path / "loop.yaml")
    assert "there is no such file or folder" in refusal(tmp_path / "loop.yaml")


def test_long_values_are_cut_in_messages(tmp_path):
    message = refusal(written(tmp_path, changed({f"{ENTRY}.target": "9" * 500})))
    assert "9" * 60 in message
    assert "9" * 100 not in message
