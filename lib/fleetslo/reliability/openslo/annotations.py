"""The annotations ``fleetslo/…`` of an SLO document: what each may hold, and what it means."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Literal

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.alerts import POLICIES
from fleetslo.reliability.openslo.conditions import Condition, parse_condition
from fleetslo.reliability.openslo.documents import Document, Trail
from fleetslo.reliability.slo import EACH, OWNER, REVIEWED

FOR = "fleetslo/for"
POLICY = "fleetslo/policy"
NO_DATA = "fleetslo/no-data"
COMPOSITE = "fleetslo/composite"
SINCE = "fleetslo/since"
SHORT_WINDOW = "fleetslo/short-window"
NO_ALERTS = "none"
WEIGHTED_MEAN = "weighted-mean"

# Those that become fields of an objective, and what they may hold where that is a word.
_CHOICES: dict[str, tuple[str, ...]] = {
    POLICY: (*POLICIES, NO_ALERTS),
    NO_DATA: ("good", "bad"),
    COMPOSITE: (WEIGHTED_MEAN,),
}
_FIELDS = (FOR, SINCE, *_CHOICES)
_KNOWN = [*_FIELDS, OWNER, REVIEWED]


@dataclass(frozen=True)
class Annotations:
    """What the annotations of a document say, and ``others``: those that say it to others."""

    condition: Condition | None
    policy: str | None
    no_data: Literal["good", "bad"] | None
    weighted_mean: bool
    since: datetime | None
    others: Mapping[str, str]


def read_annotations(doc: Document) -> Annotations:
    """Return what the annotations of an SLO document say, after noting what is wrong with them."""
    annotations: dict[str, str] = doc.value["metadata"].get("annotations", {})
    known_words(doc, ("metadata", "annotations"), annotations, _KNOWN)
    if REVIEWED in annotations and not _is_date(annotations[REVIEWED]):
        doc.fault(("metadata", "annotations", REVIEWED), "it must be a date; write 2026-01-31")
    no_data: Any = annotations.get(NO_DATA)
    return Annotations(
        condition=_condition(doc, annotations.get(FOR)),
        policy=annotations.get(POLICY),
        no_data=no_data,
        weighted_mean=COMPOSITE in annotations,
        since=since_of(doc),
        others={key: value for key, value in annotations.items() if key not in _FIELDS},
    )


def known_words(
    doc: Document, trail: Trail, annotations: Mapping[str, str], known: list[str]
) -> None:
    """Note the annotations of ours that do not exist, or hold a word that they may not hold."""
    for key, value in annotations.items():
        if key.startswith("fleetslo/") and key not in known:
            doc.unknown((*trail, key), known)
        elif key in _CHOICES and value not in _CHOICES[key]:
            doc.fault((*trail, key), f"it must be {' or '.join(_CHOICES[key])}")


def _condition(doc: Document, text: str | None) -> Condition | None:
    """Return the condition of a template, or None for an objective of one service."""
    name, service = doc.value["metadata"]["name"], doc.value["spec"]["service"]
    if text is None:
        for trail, value in ((("spec", "service"), service), (("metadata", "name"), name)):
            if EACH in value:
                doc.fault(trail, f"{EACH} needs the annotation {FOR}: for which services it is")
        return None
    if service != EACH:
        doc.fault(("spec", "service"), f"with the annotation {FOR} it must be {EACH}")
    if EACH not in name:
        doc.fault(("metadata", "name"), f"with the annotation {FOR} it must hold {EACH}")
    if re.search(r"[{}]", name.replace(EACH, "")):
        doc.fault(("metadata", "name"), f"only {EACH} can be filled in")
    try:
        return parse_condition(text)
    except ObjectiveError as error:
        doc.fault(("metadata", "annotations", FOR), str(error))
        return None


def _is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def since_of(doc: Document) -> datetime | None:
    """Return the instant (UTC) from which on a document holds; None without the annotation.

    A text that is no whole minute is noted as a fault, and None.
    """
    text = doc.value["metadata"].get("annotations", {}).get(SINCE)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.second or found.microsecond:
        rule = "it must be a date, or a date and time in whole minutes; write 2026-01-31"
        doc.fault(("metadata", "annotations", SINCE), rule)
        return None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
