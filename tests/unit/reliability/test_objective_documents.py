"""Reading objectives that are right: every field, every way to write it."""

from datetime import timedelta

import pytest
import yaml
from slo_documents import CHECKOUT, GONE, GOOD, RATIO, TOTAL, changed, written

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import (
    Objective,
    Selector,
    read_contents,
    read_objectives,
    remarks,
)
from fleetslo.reliability.openslo.rules import length
from fleetslo.reliability.windows import RollingWindow

AVAILABILITY = {
    f"{GOOD}": {"requests": "successful"},
    f"{TOTAL}": {"requests": "all"},
    "metadata.name": "checkout-availability",
}


def only(path) -> Objective:
    (objective,) = read_objectives(path)
    return objective


def test_the_example_of_the_design_is_read_whole(tmp_path):
    path = written(tmp_path, CHECKOUT)
    objective = only(path)
    assert objective == Objective(
        name="checkout-latency",
        display_name="fast",
        service="checkout",
        selector=Selector(requests="successful", within_s=0.3, endpoints=("GET /cart*",)),
        target=0.99,
        window=RollingWindow(timedelta(days=28)),
        method="Occurrences",
        labels={"squad": "payments"},
        annotations={},
        source=f"{path}, document 1",
        for_condition=None,
        document="checkout-latency",
    )
    assert objective.label == "fast"
    assert objective.policy == "workbook"
    assert objective.selector.says == "successful requests within 0.3 s to GET /cart*"
    assert hash(objective)


@pytest.mark.parametrize(
    ("good", "total", "selector"),
    [
        ({"requests": "successful"}, {"requests": "all"}, Selector(requests="all")),
        (
            {"requests": "successful", "within_s": 1},
            {"requests": "all"},
            Selector(requests="all", within_s=1.0),
        ),
        (
            {"requests": "successful", "regions": ["eu*", "us*", "eu*"], "versions": ["2.*"]},
            {"requests": "all", "regions": ["us*", "eu*"], "versions": ["2.*"]},
            Selector(requests="all", regions=("eu*", "us*"), versions=("2.*",)),
        ),
        ({"sli": "queue-lag"}, {"sli": "queue-lag"}, Selector(sli="queue-lag")),
    ],
)
def test_what_can_be_counted(tmp_path, good, total, selector):
    found = only(written(tmp_path, changed({GOOD: good, TOTAL: total}))).selector
    assert found == selector
    assert found.definition == selector.definition


def test_clauses_of_selectors():
    assert Selector(requests="all").says == "requests that succeed"
    assert Selector(sli="queue-lag").says == "good events of queue-lag"
    several = Selector(requests="all", within_s=1.0, regions=("eu", "us"), versions=("2.*",))
    assert several.says == "requests that succeed within 1 s in eu or us of version 2.*"


def test_definitions_tell_apart_what_is_counted_and_nothing_else():
    one = Selector(requests="all", endpoints=("a", "b"))
    assert one.definition == Selector(requests="all", endpoints=("b", "a", "b")).definition
    assert len(one.definition) == 12
    assert int(one.definition, 16) >= 0
    others = [
        Selector(requests="successful", endpoints=("a", "b")),
        Selector(requests="all", regions=("a", "b")),
        Selector(requests="all", endpoints=("a", "b"), within_s=1.0),
        Selector(sli="all"),
        Selector(requests="all"),
    ]
    assert len({one.definition, *(other.definition for other in others)}) == 6


def test_a_definition_stays_what_it_was():
    # Rolled minutes carry it: another value would have every minute counted anew.
    assert Selector(requests="successful", within_s=0.3).definition == "5eccbc512f57"


@pytest.mark.parametrize(
    ("duration", "length"),
    [
        ("1m", timedelta(minutes=1)),  # a minute
        ("1M", timedelta(days=30)),  # a month, and a rolling one is 30 days
        ("12h", timedelta(hours=12)),
        ("28d", timedelta(days=28)),
        ("4w", timedelta(days=28)),
        ("1Q", timedelta(days=90)),
        ("1Y", timedelta(days=365)),
    ],
)
def test_rolling_windows(tmp_path, duration, length):
    path = written(tmp_path, changed({"spec.timeWindow.0.duration": duration}))
    assert only(path).window.nominal == length


def test_a_length_of_what_is_no_duration_is_refused():
    with pytest.raises(ObjectiveError, match="'28D' is no duration; a duration is a whole number"):
        length("28D")


@pytest.mark.parametrize(
    ("entry", "target"),
    [
        ({"target": 0}, 0.0),
        ({"target": 0.9995}, 0.9995),
        ({"targetPercent": 99.95}, 0.9995),  # OpenSLO: equivalent to target 0.9995
        ({"targetPercent": 99.9}, 0.999),
        ({"targetPercent": 57}, 0.57),
    ],
)
def test_targets(tmp_path, entry, target):
    assert only(written(tmp_path, changed({"spec.objectives": [entry]}))).target == target


def test_fields_that_hold_nothing_are_no_fields(tmp_path):
    # As in OpenSLO's own examples: "alertPolicies:" with nothing after it.
    path = written(tmp_path, changed({"spec.alertPolicies": None, "metadata.displayName": None}))
    assert only(path).display_name == "fast"


def test_names_and_labels(tmp_path):
    bare = [{"target": 0.99}]
    named = changed({"spec.objectives": bare})
    assert only(written(tmp_path, named)).label == "latency"  # checkout- is its service
    own = changed({"spec.objectives": bare, "metadata.name": "speed"})
    assert only(written(tmp_path, own)).label == "speed"
    same = changed({"spec.objectives": bare, "metadata.name": "checkout"})
    assert only(written(tmp_path, same)).label == "checkout"
    shown = changed({"metadata.displayName": "Buying", "spec.description": "Matters."})
    objective = only(written(tmp_path, shown))
    assert (objective.label, objective.description) == ("Buying", "Matters.")


def test_several_objectives_of_one_document(tmp_path):
    entries = [
        {"displayName": "Fast", "target": 0.9},
        {"displayName": "fast!", "target": 0.95},
        {"target": 0.99},
        {"displayName": "速い", "target": 0.999},
    ]
    path = written(tmp_path, changed({"spec.objectives": entries}))
    found = read_objectives(path)
    assert [(o.name, o.display_name, o.target) for o in found] == [
        ("checkout-latency/fast", "Fast", 0.9),
        ("checkout-latency/fast-2", "fast!", 0.95),
        ("checkout-latency/3", "3", 0.99),
        ("checkout-latency/4", "速い", 0.999),
    ]
    assert {o.document for o in found} == {"checkout-latency"}
    path = written(
        tmp_path, changed({"spec.objectives": entries[:2], "metadata.displayName": "Buying"})
    )
    assert [o.label for o in read_objectives(path)] == ["Buying: Fast", "Buying: fast!"]


def test_an_indicator_and_a_source_by_reference_from_another_file(tmp_path):
    ratio = changed(
        {f"{RATIO}.good.metricSource": {"metricSourceRef": "ours", "spec": {"sli": "x"}}}
    )
    ratio = changed(
        {f"{RATIO}.total.metricSource": {"metricSourceRef": "ours", "spec": {"sli": "x"}}}, ratio
    )
    sli = {
        "apiVersion": "openslo/v1",
        "kind": "SLI",
        "metadata": {"name": "fast-requests"},
        "spec": ratio["spec"]["indicator"]["spec"],
    }
    source = {
        "apiVersion": "openslo/v1",
        "kind": "DataSource",
        "metadata": {"name": "ours"},
        "spec": {"type": "fleetslo", "connectionDetails": {"anything": [1, None]}},
    }
    slo = changed({"spec.indicator": GONE, "spec.indicatorRef": "fast-requests"})
    written(tmp_path, slo, name="a.yaml")
    (tmp_path / "deeper").mkdir()
    written(tmp_path / "deeper", sli, source, name="b.yml")
    written(tmp_path, "not read", name="c.txt")
    assert only(tmp_path).selector == Selector(sli="x")
    assert only([tmp_path / "a.yaml", str(tmp_path / "deeper")]).selector == Selector(sli="x")


def test_every_kind_of_document_is_read(tmp_path):
    (tmp_path / "all.yaml").write_text("""
# OpenSLO's own examples, shortened (README of the specification, v1)
apiVersion: openslo/v1
kind: Service
metadata: {name: checkout, displayName: Checkout}
---
---
apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: AlertPolicy, displayName: Alert Policy}
spec:
  description: Alert policy for cpu usage breaches, notifies on-call devops via email
  alertWhenBreaching: true
  alertWhenResolved: false
  conditions:
    - kind: AlertCondition
      metadata: {name: cpu-usage-breach, displayName: CPU Usage breaching}
      spec:
        description: SLO burn rate for cpu-usage-breach exceeds 2
        severity: page
        condition: {kind: burnrate, op: lte, threshold: 2, lookbackWindow: 1h, alertAfter: 0m}
  notificationTargets:
    - targetRef: OnCallDevopsMailNotification
    - kind: AlertNotificationTarget
      metadata: {name: slack}
      spec: {target: slack}
---
apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: cpu-usage-breach}
spec:
  severity: page
  condition: {op: lte, threshold: 2, lookbackWindow: 1h}
---
apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: OnCallDevopsMailNotification}
spec: {description: Notifies by a mail message, target: email}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: searches, annotations: {openslo.com/key1: value1, plain: "2"}}
spec:
  description: raw and threshold metrics are sound documents, if not ours to measure
  ratioMetric:
    rawType: failure
    raw: {metricSource: {type: Prometheus, spec: {query: errors / requests}}}
---
apiVersion: openslo/v1
kind: SLI
metadata: {name: slow-searches, labels: {team: [a, b], env: prod}}
spec: {thresholdMetric: {metricSource: {metricSourceRef: redshift, spec: {query: SELECT 1}}}}
""")
    assert read_objectives(tmp_path) == []


def test_a_document_may_be_a_list_of_objects(tmp_path):
    # OpenSLO's pkg/openslo/v1/examples are lists.
    path = tmp_path / "list.yaml"
    path.write_text(yaml.safe_dump([CHECKOUT, changed(AVAILABILITY)]))
    assert [o.name for o in read_objectives(path)] == ["checkout-latency", "checkout-availability"]
    path.write_text(yaml.safe_dump([CHECKOUT, changed({"spec.service": 3})]))
    with pytest.raises(ObjectiveError, match=r"document 1 .*: spec.service is 3; it must be text"):
        read_objectives(path)


def test_anchors_and_merges(tmp_path):
    path = tmp_path / "anchors.yaml"
    path.write_text("""
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-latency}
spec:
  service: checkout
  indicator:
    metadata: {name: fast-requests}
    spec:
      ratioMetric:
        good: {metricSource: {type: fleetslo, spec: {<<: &paths {endpoints: [a], requests: all}, requests: successful, within_s: 1}}}
        total: {metricSource: {type: fleetslo, spec: *paths}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.99}]
""")
    assert only(path).selector == Selector(requests="all", within_s=1.0, endpoints=("a",))


def test_an_empty_folder_has_no_objectives(tmp_path):
    assert read_objectives(tmp_path) == []
    (tmp_path / "empty.yaml").write_text("# nothing yet\n---\n")
    assert read_objectives(tmp_path) == []


def test_alert_policies_by_annotation(tmp_path):
    path = written(
        tmp_path,
        changed({"metadata.annotations": {"fleetslo/policy": "proportional", "a.b/c": "d"}}),
    )
    assert only(path).policy == "proportional"


def test_remarks_on_thresholds_and_alerts(tmp_path):
    month = {"spec.timeWindow.0.duration": "30d"}
    cuts = only(written(tmp_path, changed(month)))
    assert remarks(cuts) == (
        # 2**(-28/16) and 2**(-27/16)
        (
            "0.3 s lies inside a bucket, whose requests stay uncertain; "
            "0.2973017788 s and 0.310464453 s are bounds"
        ),
    )
    sound = only(written(tmp_path, changed({**month, f"{GOOD}.within_s": 0.25})))
    assert remarks(sound) == ()
    loose = only(
        written(tmp_path, changed({**month, **AVAILABILITY, "spec.objectives.0.target": 0.9}))
    )
    assert remarks(loose) == ("the page at 14.4 × never fires: a total outage burns at 10 ×",)
    weekly = only(written(tmp_path, changed({**AVAILABILITY, "spec.timeWindow.0.duration": "7d"})))
    # 0.1 × 7 ÷ 1 = 0.7 and 0.1 × 7 ÷ 3 = 0.2333
    assert remarks(weekly) == (
        "the ticket at 0.7 × fires at a burn that meets the objective",
        "the ticket at 0.2333 × fires at a burn that meets the objective",
    )


def test_exclusions_may_lie_between_objectives_and_are_checked(tmp_path):
    exclusion = {
        "apiVersion": "fleetslo/v1",
        "kind": "Exclusion",
        "metadata": {"name": "patching"},
        "spec": {"reason": "agreed", "starts": "2026-01-04 02:00:00", "lasts": "2h"},
    }
    found = read_contents(written(tmp_path, CHECKOUT, exclusion))
    assert [one.name for one in found.objectives] == ["checkout-latency"]
    assert found.kinds == {"SLO": 1, "Exclusion": 1}
    wrong = changed({"spec.lasts": "2 hours"}, exclusion)
    with pytest.raises(ObjectiveError, match=r"document 2 \(patching\): spec.lasts is '2 hours'"):
        read_contents(written(tmp_path, CHECKOUT, wrong))
