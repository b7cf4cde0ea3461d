"""OpenSLO's own examples, shortened: those that are valid are read, those that are not, refused.

Sources, on GitHub: OpenSLO/OpenSLO (the specification: README.md and examples/), OpenSLO/go-sdk
(pkg/openslo/v1, whose tests hold valid and invalid objects) and OpenSLO/oslo (test/inputs/v1).
Where they disagree, the test says what we chose and why.
"""

from datetime import datetime, timedelta

import pytest
import yaml
from slo_documents import GONE, changed, only, refusal, written

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import Objective, read_objectives, remarks
from fleetslo.reliability.openslo.rules import length
from fleetslo.reliability.windows import CalendarWindow, RollingWindow

NOON = datetime(2022, 1, 1, 12)  # noqa: DTZ001 — local time of the window's zone

# go-sdk, pkg/openslo/v1/slo_example_test.go. (Older versions of it, such as OpenSLO/OpenSLO's
# pkg/openslo/v1/examples/slos.yaml, had "op: gt" beside the target of this ratio metric.)
WEB = yaml.safe_load("""
apiVersion: openslo/v1
kind: SLO
metadata:
  name: web-availability
  displayName: SLO for web availability
  labels: {env: [prod], team: [team-a, team-b]}
spec:
  description: X% of search requests are successful
  service: web
  indicator:
    metadata: {name: web-successful-requests-ratio}
    spec:
      ratioMetric:
        counter: true
        good:
          metricSource:
            type: Prometheus
            spec: {query: 'sum(http_requests{k8s_cluster="prod",component="web",code=~"2xx|4xx"})'}
        total:
          metricSource:
            type: Prometheus
            spec: {query: 'sum(http_requests{k8s_cluster="prod",component="web"})'}
  timeWindow:
    - duration: 1w
      isRolling: false
      calendar: {startTime: 2022-01-01 12:00:00, timeZone: America/New_York}
  budgetingMethod: Timeslices
  objectives:
    - {displayName: Good, target: 0.995, timeSliceTarget: 0.95, timeSliceWindow: 1m}
""")
ENTRY = "spec.objectives.0"
RATIO = "spec.indicator.spec.ratioMetric"


def read(tmp_path, text: str) -> list[Objective]:
    path = tmp_path / "slo.yaml"
    path.write_text(text)
    return read_objectives(path)


def test_the_sdk_s_slo_is_read_whole_and_cannot_be_measured_here(tmp_path):
    found = only(tmp_path, WEB)
    assert (found.name, found.service, found.label) == (
        "web-availability",
        "web",
        "SLO for web availability",
    )
    assert found.window == CalendarWindow(1, "week", NOON, "America/New_York")
    assert (found.method, found.target, found.slice_target) == ("Timeslices", 0.995, 0.95)
    assert found.slice_length == timedelta(minutes=1)
    assert found.labels == {"env": ["prod"], "team": ["team-a", "team-b"]}
    assert found.unmeasured == "its numbers come from Prometheus"


def test_op_beside_a_ratio_metric_is_refused(tmp_path):
    # The README: op is "only needed when using a thresholdMetric". Its examples under
    # examples/budgeting-method and treat-low-traffic-as-equally-important write "op: gt" all the
    # same, and the SDK lets it pass. We refuse it: gt or lt, the ratio would be judged alike.
    message = refusal(tmp_path, changed({f"{ENTRY}.op": "gt"}, WEB))
    assert "op is 'gt'; it belongs to a thresholdMetric, not to a ratioMetric" in message


def test_a_time_window_is_needed(tmp_path):
    # The README calls timeWindow optional in one line and asks for exactly one item in the next;
    # the SDK does without. Without a window there is no budget, so that we ask for one.
    message = refusal(tmp_path, changed({"spec.timeWindow": GONE}, WEB))
    assert "spec.timeWindow is missing; it is required" in message


def test_the_example_of_occurrences(tmp_path):
    # examples/budgeting-method/occurences-slo.yaml. Its "spec:" holds nothing but a comment, which
    # the SDK refuses (a map of at least one); the field is there, so we read it.
    (found,) = read(
        tmp_path,
        """
apiVersion: openslo/v1
kind: SLO
metadata: {name: search-slo, displayName: Searching time}
spec:
  description: Regardless of the number of paraller searches it never should be more than 500ms.
  service: web-shop
  indicator:
    metadata: {name: search-latency, displayName: Latency of user searches}
    spec:
      thresholdMetric:
        metricSource:
          type: Any
          spec:
  timeWindow:
    - duration: 2w
      isRolling: true
  budgetingMethod: Occurrences
  objectives:
    - {displayName: Good experience, op: lt, value: 500, target: 0.99}
  alertPolicies: # Doesn't matter in this example but you should have something in here.
""",
    )
    assert found.window == RollingWindow(timedelta(days=14))
    assert found.unmeasured == "its numbers come from Any"
    assert (found.written["op"], found.written["value"]) == ("lt", 500)
    assert found.policy == "workbook"


def test_the_example_of_time_slices_without_its_op(tmp_path):
    # examples/budgeting-method/timeslices-slo.yaml: "Contracts often are for 1 month", and 1m.
    both = [
        {"displayName": "Internal objective", "target": 0.995},
        {"displayName": "SLA", "target": 0.99},
    ]
    cut = {"timeSliceTarget": 0.99, "timeSliceWindow": "1m"}
    slo = changed(
        {
            "spec.timeWindow.0.duration": "1m",
            "spec.objectives": [{**one, **cut} for one in both],
            "spec.alertPolicies": None,
        },
        WEB,
    )
    internal, sla = read_objectives(written(tmp_path, slo))
    assert (internal.target, sla.target) == (0.995, 0.99)
    assert internal.window == CalendarWindow(1, "minute", NOON, "America/New_York")
    assert any("1m is a minute, 1M a month" in remark for remark in remarks(internal))


def test_the_composite_of_oslo(tmp_path):
    # oslo, test/inputs/v1/slo/slo-composite-indicatorRef-rolling-no-alerts.yaml
    text = """
apiVersion: openslo/v1
kind: SLO
metadata: {name: test-slo, displayName: Test SLO}
spec:
  description: This is a great description # optional
  service: TheServiceName # name of the service to associate this SLO with
  timeWindow: [{duration: 1d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives:
    - {displayName: Foo Total Errors, target: 0.98, compositeWeight: 1, indicatorRef: foo-error}
    - {displayName: Bar Total Errors, target: 0.99, compositeWeight: 2, indicatorRef: foo-error}
"""
    sli = {
        "apiVersion": "openslo/v1",
        "kind": "SLI",
        "metadata": {"name": "foo-error"},
        "spec": WEB["spec"]["indicator"]["spec"],
    }
    (found,) = read(tmp_path, f"{text}---\n{yaml.safe_dump(sli)}")
    assert [(m.name, m.target, m.weight) for m in found.members] == [
        ("test-slo/foo-total-errors", 0.98, 1.0),
        ("test-slo/bar-total-errors", 0.99, 2.0),
    ]
    # oslo reads one file at a time and follows no reference; here an SLI must be read as well.
    with pytest.raises(ObjectiveError, match="no SLI of this name was read"):
        read(tmp_path, text)


def test_alert_policies_are_objects(tmp_path):
    # oslo, test/inputs/v1/slo/slo-indicatorref-rolling-alerts.yaml writes a name alone, which
    # neither the README nor the SDK knows.
    message = refusal(tmp_path, changed({"spec.alertPolicies": ["FooAlertPolicy"]}, WEB))
    assert "it must be a mapping; write alertPolicyRef: FooAlertPolicy" in message


def test_the_readme_s_alert_policy(tmp_path):
    # README, AlertPolicy and AlertCondition, all by reference.
    policies = """
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: AlertPolicy, displayName: Alert Policy}
spec:
  description: Alert policy for cpu usage breaches, notifies on-call devops via email
  alertWhenBreaching: true
  alertWhenResolved: false
  conditions: [{conditionRef: cpu-usage-breach}]
  notificationTargets: [{targetRef: OnCallDevopsMailNotification}]
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: cpu-usage-breach, displayName: CPU usage breach}
spec:
  description: If the CPU usage is too high for given period then it should alert
  severity: page
  condition: {kind: burnrate, threshold: 2, lookbackWindow: 1h, alertAfter: 5m}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: OnCallDevopsMailNotification}
spec:
  description: Notifies by a mail message to the on-call devops mailing group
  target: email
"""
    slo = changed({"spec.alertPolicies": [{"alertPolicyRef": "AlertPolicy"}]}, WEB)
    (found,) = read(tmp_path, f"{policies}---\n{yaml.safe_dump(slo)}")
    (alert,) = found.alerts
    assert (alert.severity, alert.factor, alert.long, alert.after) == (
        "page",
        2.0,
        timedelta(hours=1),
        timedelta(minutes=5),
    )


# go-sdk, pkg/openslo/v1/objects_test.go
LABEL_KEYS = ["l" * 63, "net", "net_this.that-this", "net_.-this", "9net", "net9", "nEt"]
NO_LABEL_KEYS = ["l" * 64, "net_", "net.", "net-", "_net", "-net", ".net"]
ANNOTATION_KEYS = [
    "l" * 63,
    ".".join(["l" * 63] * 3) + "/" + "l" * 63,
    "net",
    "openslo.com/service",
    "domain/service",
    "domain.this.org/service.foo",
    "my-org.com/spec.indicator.metricSource",
]
NO_ANNOTATION_KEYS = [
    "l" * 64,
    "l" * 254 + "/net",
    "net_",
    "-net",
    "openslo.com/",
    "openslo.com!/service",
    "-openslo.com/service",
    "_openslo.com/service",
    ".openslo.com/service",
    "openslo.com./service",
    "openslo.com_/service",
    "openslo.com-/service",
    "openslo..this.com/service",
    "openslo.-this.com/service",
    "openslo.this-.com/service",
    "openslo_this.org/service",
]


@pytest.mark.parametrize("value", [[], [""], "", "prod", ["this", "that"]])
def test_values_of_labels(tmp_path, value):
    assert only(tmp_path, changed({"metadata.labels": {"net": value}}, WEB)).labels == {
        "net": value
    }


def test_keys_of_labels_and_annotations(tmp_path):
    labels = dict.fromkeys(LABEL_KEYS, "")
    annotations = dict.fromkeys(ANNOTATION_KEYS, "")
    found = only(
        tmp_path, changed({"metadata.labels": labels, "metadata.annotations": annotations}, WEB)
    )
    assert (found.labels, found.annotations) == (labels, annotations)
    for field, keys in (("labels", NO_LABEL_KEYS), ("annotations", NO_ANNOTATION_KEYS)):
        for key in keys:
            message = refusal(tmp_path, changed({f"metadata.{field}": {key: "x"}}, WEB))
            assert f"metadata.{field}.{key[:60]}" in message


def test_names_and_titles_may_be_longer_than_the_sdk_s(tmp_path):
    # The SDK asks for a DNS label in every name and at most 63 characters in a displayName; the
    # README sets no limit to the latter and encourages names of 255 with . | / and \\ in them.
    name = "a|b/c.d\\e-" + "x" * 200
    found = only(tmp_path, changed({"metadata.name": name, "metadata.displayName": "x" * 99}, WEB))
    assert (found.name, found.display_name) == (name, "x" * 99)


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        # go-sdk, pkg/openslo/v1/duration_shorthand_test.go
        ("10m", timedelta(minutes=10)),
        ("5h", timedelta(hours=5)),
        ("2d", timedelta(days=2)),
        ("1w", timedelta(days=7)),
        ("3M", timedelta(days=90)),
        ("1Q", timedelta(days=90)),
        ("1Y", timedelta(days=365)),
    ],
)
def test_durations(text, duration):
    assert length(text) == duration


@pytest.mark.parametrize("text", ["", "invalid", "-1m", "1", "1invalid", "0w"])
def test_texts_that_are_no_durations(tmp_path, text):
    # The SDK takes 0w; the README and the JSON schema ask for a positive number.
    slo = changed({"spec.timeWindow.0.duration": text}, WEB)
    assert "a duration is a whole number and one letter" in refusal(tmp_path, slo)


METRIC = {"metricSource": {"type": "Prometheus", "spec": {"query": "up"}}}


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        # go-sdk, pkg/openslo/v1/sli_test.go
        ({RATIO: {}}, "exactly one of good and bad is required"),
        ({RATIO: {"raw": METRIC, "total": METRIC}}, "it cannot stand beside raw"),
        ({RATIO: {"raw": METRIC, "bad": METRIC, "good": METRIC}}, "it cannot stand beside raw"),
        ({RATIO: {"raw": METRIC, "good": METRIC}}, "it cannot stand beside raw"),
        ({RATIO: {"raw": METRIC, "bad": METRIC}}, "it cannot stand beside raw"),
        ({RATIO: {"bad": METRIC, "good": METRIC}}, "it cannot stand beside good"),
        ({RATIO: {"total": METRIC}}, "exactly one of good and bad is required"),
        ({RATIO: {"raw": METRIC, "rawType": "invalid"}}, "it must be success or failure"),
        ({f"{RATIO}.good": {}}, "metricSource is missing; it is required"),
        ({f"{RATIO}.good.metricSource": {"type": "x"}}, "spec is missing; it is required"),
        ({"spec.indicator.spec": {}}, "exactly one of ratioMetric and thresholdMetric"),
        # go-sdk, pkg/openslo/v1/slo_test.go
        ({"spec.description": "A" * 1051}, "it has 1051 characters, and may have 1050"),
        ({"spec.budgetingMethod": "invalid"}, "it must be Occurrences or Timeslices"),
        ({"spec.service": ""}, "spec.service is ''; it must not be empty"),
        ({"spec.indicator": GONE}, "exactly one of indicator and indicatorRef is required"),
        ({"spec.indicatorRef": "my-sli"}, "it cannot stand beside indicator"),
        ({"spec.timeWindow": []}, "it has 0 items and must have exactly 1"),
        ({"spec.timeWindow.0.isRolling": True}, "rolling or calendar-aligned, not both"),
        ({"spec.timeWindow.0.calendar": GONE}, "exactly one of isRolling: true and calendar"),
        ({f"{ENTRY}.target": 1.0}, "it must be at least 0 and less than 1"),
        ({f"{ENTRY}.target": -0.1}, "it must be at least 0 and less than 1"),
        ({f"{ENTRY}.targetPercent": 10.0}, "it cannot stand beside target"),
        ({f"{ENTRY}.timeSliceTarget": 0}, "it must be over 0 and at most 1"),
        ({f"{ENTRY}.timeSliceTarget": 1.1}, "it must be over 0 and at most 1"),
        ({f"{ENTRY}.timeSliceTarget": GONE}, "it is required where budgetingMethod is Timeslices"),
        ({f"{ENTRY}.timeSliceWindow": GONE}, "it is required where budgetingMethod is Timeslices"),
        # The SDK lets this pass, and the field would do nothing.
        ({"spec.budgetingMethod": "Occurrences"}, "it belongs to Timeslices, not to Occurrences"),
        ({"spec.alertPolicies": [{"alertPolicyRef": "invalid ref"}]}, "a name holds no spaces"),
        ({"spec.alertPolicies": [{"alertPolicyRef": "a", "kind": "x"}]}, "no field 'kind' here"),
    ],
)  # fmt: skip
def test_what_the_sdk_refuses(tmp_path, changes, rule):
    assert rule in refusal(tmp_path, changed(changes, WEB))
