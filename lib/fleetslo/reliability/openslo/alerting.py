"""The alerts of an SLO document: its ``alertPolicies``, and the two-window policy they stand for.

OpenSLO's AlertPolicy holds one condition with one look-back. Two annotations of ours, on the
policy or on its condition, say what that cannot: ``fleetslo/short-window: 5m`` adds the window
that says it still goes on; ``fleetslo/policy: workbook`` makes the policy stand for all of that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fleetslo.reliability.alerts import POLICIES, AlertWindow, Severity
from fleetslo.reliability.openslo.annotations import NO_ALERTS, POLICY, SHORT_WINDOW, known_words
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.openslo.indicators import Named, referred
from fleetslo.reliability.openslo.rules import duration, length

# Words for a severity that wake somebody; every other one waits for the morning. OpenSLO leaves
# the word open and names "sev1" and "page".
_PAGES = ("page", "critical", "sev1", "sev2", "p1", "p2")
_KNOWN = [POLICY, SHORT_WINDOW]
_INLINE = ("kind", "metadata", "spec")


@dataclass(frozen=True)
class Alerts:
    """What a document says of its alerts.

    Attributes:
        policy: the two-window policy; None for none.
        own: its own conditions.
        written: its alert policies with what they refer to written out.
        notes: what reading them has to say.
    """

    policy: str | None
    own: tuple[AlertWindow, ...]
    written: tuple[Mapping[str, Any], ...]
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

    @property
    def inline(self) -> dict[str, Any]:
        return {key: self.value[key] for key in _INLINE}


@dataclass(frozen=True)
class _Policy(_Part):
    """An alert policy with its parts."""

    condition: _Part
    targets: tuple[_Part, ...]

    @property
    def stands_for(self) -> str | None:
        return self.annotations.get(POLICY, self.condition.annotations.get(POLICY))

    @property
    def short(self) -> tuple[str | None, _Part]:
        """The short window, and the part that says it."""
        holder = self if SHORT_WINDOW in self.annotations else self.condition
        return holder.annotations.get(SHORT_WINDOW), holder

    @property
    def lookback(self) -> timedelta:
        return length(self.condition.value["spec"]["condition"]["lookbackWindow"])

    @property
    def written(self) -> dict[str, Any]:
        parts = {
            "conditions": [self.condition.inline],
            "notificationTargets": [target.inline for target in self.targets],
        }
        return {**self.inline, "spec": {**self.value["spec"], **parts}}


def read_alerts(doc: Document, named: Named, policy: str | None, window: timedelta) -> Alerts:
    """Return the alerts of an SLO document, after noting what is wrong with them.

    Args:
        doc: the document.
        named: the documents that it may refer to.
        policy: the word of its own annotation ``fleetslo/policy``, if it has one.
        window: the nominal length of its window.
    """
    holders = doc.value["spec"].get("alertPolicies", [])
    chosen = policy if holders or policy else POLICIES[0]
    own: list[AlertWindow] = []
    written: list[Mapping[str, Any]] = []
    notes: list[str] = []
    for i, holder in enumerate(holders):
        found = _policy(doc, ("spec", "alertPolicies", i), holder, named)
        if found is None:
            continue
        written.append(found.written)
        if found.stands_for is not None:
            if chosen not in (None, found.stands_for):
                rule = f"it stands for the policy {found.stands_for}, beside {chosen}; keep one"
                doc.fault(("spec", "alertPolicies", i), rule)
            chosen = found.stands_for
            continue
        alert = _window(found, window)
        if not (alert.on_burn or alert.without_data):
            notes.append(f"the alert policy {found.name} alerts on nothing that is measured")
            continue
        own.append(alert)
        said = found.condition.value["spec"]["severity"]
        if said != alert.severity:
            notes.append(f"{found.name}: the severity {said} is taken for a {alert.severity}")
    chosen = None if chosen == NO_ALERTS else chosen
    return Alerts(chosen, tuple(own), tuple(written), tuple(notes))


def _policy(doc: Document, trail: Trail, holder: Mapping[str, Any], named: Named) -> _Policy | None:
    """Return an alert policy with its parts, or None after noting what is wrong with it."""
    part = _part(doc, trail, holder, "alertPolicyRef", "AlertPolicy", named)
    if part is None:
        return None
    at, spec = (*part.trail, "spec"), part.value["spec"]
    place = (*at, "conditions", 0)
    condition = _part(
        part.doc, place, spec["conditions"][0], "conditionRef", "AlertCondition", named
    )
    targets = [
        _part(
            part.doc,
            (*at, "notificationTargets", i),
            target,
            "targetRef",
            "AlertNotificationTarget",
            named,
        )
        for i, target in enumerate(spec["notificationTargets"])
    ]
    there = tuple(target for target in targets if target is not None)
    if condition is None or len(there) < len(targets):
        return None
    policy = _Policy(part.doc, part.trail, part.value, condition, there)
    return policy if _is_sound(policy) else None


def _part(
    doc: Document, trail: Trail, holder: Mapping[str, Any], key: str, kind: str, named: Named
) -> _Part | None:
    if key not in holder:
        return _Part(doc, trail, holder)
    found = referred(doc, (*trail, key), kind, holder[key], named)
    return _Part(found, (), found.value) if found else None


def _is_sound(policy: _Policy) -> bool:
    docs = policy.doc, policy.condition.doc
    before = sum(len(doc.faults) for doc in docs)
    for part in (policy, policy.condition):
        check_alert_annotations(part.doc, part.trail, part.value)
    if sum(len(doc.faults) for doc in docs) > before:
        return False
    short, at = policy.short
    if short is None or length(short) <= policy.lookback:
        return True
    place = (*at.trail, "metadata", "annotations", SHORT_WINDOW)
    at.doc.fault(place, "it must not be longer than the lookbackWindow")
    return False


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


def stands_for_another(written: Iterable[Mapping[str, Any]], policy: str | None) -> list[bool]:
    """Return of each written alert policy whether it stands for a policy other than this one."""
    return [
        any(
            part["metadata"].get("annotations", {}).get(POLICY, policy) != policy
            for part in (one, one["spec"]["conditions"][0])
        )
        for one in written
    ]


def _window(policy: _Policy, window: timedelta) -> AlertWindow:
    spec = policy.condition.value["spec"]
    rule = spec["condition"]
    short, _ = policy.short
    severity: Severity = "page" if spec["severity"].lower() in _PAGES else "ticket"
    after = rule.get("alertAfter", "0m")
    return AlertWindow(
        severity=severity,
        budget_share=rule["threshold"] * (policy.lookback / window),
        long=policy.lookback,
        short=policy.lookback if short is None else length(short),
        factor=float(rule["threshold"]),
        op=rule.get("op", "gt"),
        after=timedelta(0) if after.startswith("0") else length(after),
        without_data=policy.value["spec"].get("alertWhenNoData", False),
        on_burn=policy.value["spec"].get("alertWhenBreaching", True),
        name=policy.name,
    )
