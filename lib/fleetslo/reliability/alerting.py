"""The alerts of an SLO document: its ``alertPolicies``, and the two-window policy they stand for.

OpenSLO's AlertPolicy holds one condition with one look-back. Two annotations of ours, on the
policy or on its condition, say what that cannot: ``fleetslo/short-window: 5m`` adds the window
that says it still goes on; ``fleetslo/policy: workbook`` makes the policy stand for all of that.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fleetslo.reliability.alerts import POLICIES, AlertWindow, Severity
from fleetslo.reliability.annotations import NO_ALERTS, POLICY, SHORT_WINDOW, known_words
from fleetslo.reliability.documents import Document, Trail
from fleetslo.reliability.indicators import Named, referred
from fleetslo.reliability.rules import duration, length

# Words for a severity that wake somebody; every other one waits for the morning. OpenSLO leaves
# the word open and names "sev1" and "page".
_PAGES = ("page", "critical", "sev1", "sev2", "p1", "p2")
_KNOWN = [POLICY, SHORT_WINDOW]


@dataclass(frozen=True)
class Alerts:
    """The two-window policy (None for none), the document's own conditions, and remarks on them."""

    policy: str | None
    own: tuple[AlertWindow, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Part:
    """An object of an alert policy: inline, or in the document that is referred to."""

    doc: Document
    trail: Trail
    value: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.value["metadata"]["name"])

    @property
    def annotations(self) -> Mapping[str, str]:
        found: Mapping[str, str] = self.value["metadata"].get("annotations", {})
        return found


def _part(
    doc: Document, trail: Trail, holder: Mapping[str, Any], key: str, kind: str, named: Named
) -> _Part | None:
    if key not in holder:
        return _Part(doc, trail, holder)
    found = referred(doc, (*trail, key), kind, holder[key], named)
    return _Part(found, (), found.value) if found else None


def read_alerts(doc: Document, named: Named, policy: str | None, window: timedelta) -> Alerts:
    """Return the alerts of an SLO document, after noting what is wrong with them.

    Args:
        doc: the document.
        named: the documents that it may refer to.
        policy: the word of its own annotation ``fleetslo/policy``, if it has one.
        window: the nominal length of its window.
    """
    policies, notes = doc.value["spec"].get("alertPolicies", []), []
    own = []
    chosen = policy if policies or policy else POLICIES[0]
    for i, holder in enumerate(policies):
        at: Trail = ("spec", "alertPolicies", i)
        part = _part(doc, at, holder, "alertPolicyRef", "AlertPolicy", named)
        if part is None:
            continue
        condition = _condition(part, named)
        if condition is None or not _is_sound(part, condition):
            continue
        stands_for = part.annotations.get(POLICY, condition.annotations.get(POLICY))
        if stands_for is not None:
            if chosen not in (None, stands_for):
                doc.fault(at, f"it stands for the policy {stands_for}, beside {chosen}; keep one")
            chosen = stands_for
            continue
        found = _window(part, condition, window)
        if found is None:
            notes.append(f"the alert policy {part.name} does not alert on a burn rate")
            continue
        own.append(found)
        said = condition.value["spec"]["severity"]
        if said != found.severity:
            notes.append(f"the severity {said} of {part.name} is taken for a {found.severity}")
    return Alerts(None if chosen == NO_ALERTS else chosen, tuple(own), tuple(notes))


def _condition(policy: _Part, named: Named) -> _Part | None:
    """Return the condition of an alert policy, after noting references to nothing."""
    doc, at, spec = policy.doc, (*policy.trail, "spec"), policy.value["spec"]
    for i, holder in enumerate(spec["notificationTargets"]):
        place = (*at, "notificationTargets", i)
        _part(doc, place, holder, "targetRef", "AlertNotificationTarget", named)
    condition = spec["conditions"][0]
    return _part(doc, (*at, "conditions", 0), condition, "conditionRef", "AlertCondition", named)


def _is_sound(policy: _Part, condition: _Part) -> bool:
    before = len(policy.doc.faults) + len(condition.doc.faults)
    for part in (policy, condition):
        check_alert_annotations(part.doc, part.trail, part.value)
    if len(policy.doc.faults) + len(condition.doc.faults) > before:
        return False
    short, at = _short(policy, condition)
    if short is not None and length(short) > _lookback(condition):
        at.doc.fault(
            (*at.trail, "metadata", "annotations", SHORT_WINDOW),
            "it is no longer than the lookbackWindow",
        )
        return False
    return True


def _short(policy: _Part, condition: _Part) -> tuple[str | None, _Part]:
    holder = policy if SHORT_WINDOW in policy.annotations else condition
    return holder.annotations.get(SHORT_WINDOW), holder


def _lookback(condition: _Part) -> timedelta:
    return length(condition.value["spec"]["condition"]["lookbackWindow"])


def check_alert_annotations(doc: Document, trail: Trail, value: Mapping[str, Any]) -> None:
    """Note what is wrong with the annotations of an alert policy or condition.

    ``trail`` leads to it.
    """
    annotations = value["metadata"].get("annotations", {})
    at = (*trail, "metadata", "annotations")
    known_words(doc, at, annotations, _KNOWN)
    if annotations.get(POLICY) == NO_ALERTS:
        doc.fault((*at, POLICY), f"it must be {' or '.join(POLICIES)}")
    if SHORT_WINDOW in annotations:
        duration(doc, (*at, SHORT_WINDOW), annotations[SHORT_WINDOW])


def _window(policy: _Part, condition: _Part, window: timedelta) -> AlertWindow | None:
    """Return the condition of a policy; None where it does not alert while it breaches."""
    says = policy.value["spec"]
    if not says.get("alertWhenBreaching", True):
        return None
    spec = condition.value["spec"]
    rule = spec["condition"]
    long = _lookback(condition)
    short, _ = _short(policy, condition)
    severity: Severity = "page" if spec["severity"].lower() in _PAGES else "ticket"
    after = rule.get("alertAfter", "0m")
    return AlertWindow(
        severity=severity,
        budget_share=rule["threshold"] * (long / window),
        long=long,
        short=long if short is None else length(short),
        factor=float(rule["threshold"]),
        op=rule.get("op", "gt"),
        after=timedelta(0) if after.startswith("0") else length(after),
        without_data=says.get("alertWhenNoData", False),
        name=policy.name,
    )
