"""The alerts that a document states itself: alert policies, inline and by reference."""

from datetime import timedelta
from typing import Any

import pytest
from slo_documents import CHECKOUT, changed, only, refusal, written

from fleetslo.reliability.alerts import AlertWindow, alert_windows
from fleetslo.reliability.objectives import read_objectives, remarks

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)


def document(kind: str, name: str, spec: dict[str, Any], **annotations: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if annotations:
        metadata["annotations"] = {f"fleetslo/{key.replace('_', '-')}": v for key, v in annotations.items()}  # fmt: skip
    return {"apiVersion": "openslo/v1", "kind": kind, "metadata": metadata, "spec": spec}


def inline(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value[key] for key in ("kind", "metadata", "spec")}


def condition(severity: str = "page", annotations: dict[str, str] | None = None, **rule: Any) -> dict[str, Any]:  # fmt: skip
    # OpenSLO's README, AlertCondition: 2 over 1 h, after 5 m.
    rule = {"kind": "burnrate", "threshold": 2, "lookbackWindow": "1h", "alertAfter": "5m", **rule}
    spec = {"severity": severity, "condition": {k: v for k, v in rule.items() if v is not None}}
    return document("AlertCondition", "cpu-usage-breach", spec, **(annotations or {}))


TARGET = document("AlertNotificationTarget", "OnCallDevopsMailNotification", {"target": "email"})


def policy(cond: dict[str, Any], annotations: dict[str, str] | None = None, **says: Any) -> dict[str, Any]:  # fmt: skip
    spec = {
        "alertWhenBreaching": True,
        "conditions": [inline(cond)],
        "notificationTargets": [inline(TARGET)],
        **says,
    }
    return document("AlertPolicy", "cpu", spec, **(annotations or {}))


def slo(*policies: dict[str, Any], **changes: Any) -> dict[str, Any]:
    said = {"spec.alertPolicies": [inline(one) for one in policies]}
    return changed({**said, "spec.timeWindow.0.duration": "30d", **changes})


def test_a_document_without_alert_policies_has_the_workbook_s(tmp_path):
    found = only(tmp_path, changed({"spec.timeWindow.0.duration": "30d"}))
    assert found.alerts == alert_windows(timedelta(days=30), "workbook")


def test_alert_policies_stand_instead_of_the_workbook_s(tmp_path):
    found = only(tmp_path, slo(policy(condition())))
    assert found.policy is None
    assert found.alerts == (
        AlertWindow(
            severity="page",
            # 2 × 1 h of 720 h; steady, that much of the budget is gone after the look-back.
            budget_share=2 * (HOUR / timedelta(days=30)),
            long=HOUR,
            short=HOUR,
            factor=2.0,
            op="gt",
            after=5 * MINUTE,
            name="cpu",
        ),
    )


def test_by_reference_they_say_the_same(tmp_path):
    referring = policy(
        condition(),
        conditions=[{"conditionRef": "cpu-usage-breach"}],
        notificationTargets=[{"targetRef": "OnCallDevopsMailNotification"}],
    )
    refers = changed(
        {"spec.alertPolicies": [{"alertPolicyRef": "cpu"}], "spec.timeWindow.0.duration": "30d"}
    )
    by_reference = only(tmp_path, refers, referring, condition(), TARGET)
    assert by_reference.alerts == only(tmp_path, slo(policy(condition()))).alerts
    assert by_reference.written["alertPolicies"] == (inline(policy(condition())),)


@pytest.mark.parametrize(
    ("kind", "missing"),
    [
        ("AlertPolicy", {"spec.alertPolicies": [{"alertPolicyRef": "cpo"}]}),
        ("AlertCondition", {"spec.conditions": [{"conditionRef": "cpu-usage"}]}),
        ("AlertNotificationTarget", {"spec.notificationTargets": [{"targetRef": "mail"}]}),
    ],
)
def test_what_is_referred_to_must_be_there(tmp_path, kind, missing):
    refers = changed({"spec.alertPolicies": [{"alertPolicyRef": "cpu"}]})
    one = policy(condition())
    documents = (
        [changed(missing, refers), one]
        if kind == "AlertPolicy"
        else [refers, changed(missing, one)]
    )
    assert f"no {kind} of this name was read" in refusal(tmp_path, *documents)


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("page", "page"),
        ("Critical", "page"),
        ("sev1", "page"),
        ("P2", "page"),
        ("ticket", "ticket"),
        ("sev3", "ticket"),
        ("low", "ticket"),
    ],
)
def test_severities_are_pages_or_tickets(tmp_path, word, severity):
    found = only(tmp_path, slo(policy(condition(word))))
    (window,) = found.alerts
    assert window.severity == severity
    told = f"cpu: the severity {word} is taken for a {severity}"
    assert (told in remarks(found)) == (word != severity)


@pytest.mark.parametrize(("op", "read"), [(None, "gt"), ("gte", "gte"), ("gt", "gt")])
def test_operators_of_conditions(tmp_path, op, read):
    # The README's examples leave op out and say "exceeds 2"; its JSON schema and SDK require it.
    assert only(tmp_path, slo(policy(condition(op=op)))).alerts[0].op == read


def test_a_condition_that_fires_while_all_is_well_is_told_of(tmp_path):
    # As in OpenSLO's README: "burn rate … exceeds 2", and then op: lte.
    found = only(tmp_path, slo(policy(condition(op="lte"))))
    assert found.alerts[0].op == "lte"
    (remark,) = [one for one in remarks(found) if "cpu" in one]
    assert remark == (
        "the page of cpu fires while the burn rate is under 2, so while all is well; "
        "gt was probably meant"
    )


def test_it_fires_at_once_unless_told_otherwise(tmp_path):
    # OpenSLO: alertAfter defaults to 0m.
    for after in (None, "0m"):
        found = only(tmp_path, slo(policy(condition(alertAfter=after))))
        assert found.alerts[0].after == timedelta(0)


def test_a_second_shorter_window_by_annotation(tmp_path):
    five = {"short_window": "5m"}
    on_policy = only(tmp_path, slo(policy(condition(), five)))
    on_condition = only(tmp_path, slo(policy(condition(annotations=five))))
    assert on_policy.alerts == on_condition.alerts
    assert (on_policy.alerts[0].long, on_policy.alerts[0].short) == (HOUR, 5 * MINUTE)
    long = slo(policy(condition(), {"short_window": "2h"}))
    assert "short-window is '2h'; it must not be longer" in refusal(tmp_path, long)
    wrong = slo(policy(condition(), {"short_window": "5"}))
    assert "a duration is a whole number and one letter" in refusal(tmp_path, wrong)


def test_a_policy_that_stands_for_the_two_window_one(tmp_path):
    stands = {"policy": "proportional"}
    for one in (policy(condition(), stands), policy(condition(annotations=stands))):
        found = only(tmp_path, slo(one))
        assert (found.policy, found.own_alerts) == ("proportional", ())
    also = only(tmp_path, slo(policy(condition(), {"policy": "workbook"}), policy(condition())))
    assert also.alerts == (*alert_windows(timedelta(days=30)), *also.own_alerts)
    assert len(also.alerts) == 5
    two = slo(policy(condition(), stands), policy(condition(), {"policy": "workbook"}))
    assert "it stands for the policy workbook, beside proportional" in refusal(tmp_path, two)


def test_no_alerts_at_all(tmp_path):
    silent = changed({"metadata.annotations": {"fleetslo/policy": "none"}})
    assert only(tmp_path, silent).alerts == ()
    wrong = slo(policy(condition(), {"policy": "none"}))
    assert "it must be workbook or proportional" in refusal(tmp_path, wrong)


def test_without_data_and_without_a_breach(tmp_path):
    told = only(tmp_path, slo(policy(condition(), alertWhenNoData=True)))
    assert told.alerts[0].without_data
    quiet = only(tmp_path, slo(policy(condition(), alertWhenBreaching=False)))
    assert quiet.alerts == ()
    assert "the alert policy cpu alerts on nothing that is measured" in remarks(quiet)
    watch = policy(condition(), alertWhenBreaching=False, alertWhenNoData=True)
    (only_silence,) = only(tmp_path, slo(watch)).alerts
    assert (only_silence.on_burn, only_silence.without_data) == (False, True)


def test_annotations_of_alert_documents_are_checked_wherever_they_stand(tmp_path):
    lone = policy(condition(), {"polcy": "workbook"})
    assert "Did you mean 'fleetslo/policy'?" in refusal(tmp_path, lone)
    assert "Did you mean 'fleetslo/policy'?" in refusal(tmp_path, slo(lone))


def test_an_alert_policy_notifies_somebody(tmp_path):
    # Required by the README, the JSON schema (minItems 1) and go-sdk's alert_policy.go.
    nobody = slo(policy(condition(), notificationTargets=[]))
    assert "notificationTargets is []; it has 0 items and must have 1 or more" in refusal(
        tmp_path, nobody
    )


def test_own_conditions_that_never_or_always_fire_are_told_of(tmp_path):
    loose = {"spec.objectives.0.target": 0.9}
    never = only(tmp_path, slo(policy(condition(threshold=10)), **loose))
    assert "the page at 10 × never fires: a total outage burns at 10 ×" in remarks(never)
    always = only(tmp_path, slo(policy(condition(threshold=0.5)), **loose))
    assert "the page at 0.5 × fires at a burn that meets the objective" in remarks(always)


def test_objectives_of_one_document_share_its_alerts(tmp_path):
    both = [{"displayName": "a", "target": 0.9}, {"displayName": "b", "target": 0.99}]
    path = written(tmp_path, slo(policy(condition()), **{"spec.objectives": both}))
    first, second = read_objectives(path)
    assert first.alerts == second.alerts
    assert CHECKOUT["spec"]["service"] == first.service


def test_what_is_not_measured_here_does_not_alert_here(tmp_path):
    theirs = {"metricSource": {"type": "Prometheus", "spec": {"query": "up"}}}
    ratio = {"spec.indicator.spec.ratioMetric": {"good": theirs, "total": theirs}}
    loose = {"spec.objectives.0.target": 0.9, "spec.timeWindow.0.duration": "30d"}
    assert remarks(only(tmp_path, changed({**ratio, **loose}))) == ()
