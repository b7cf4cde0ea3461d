"""Objectives: OpenSLO v1 documents read, checked, and written out for the services they are for.

Every kind of document, method and window of OpenSLO v1 is read. What cannot be measured here (a
source of another type, a ratio that was divided already) is kept, with the reason.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.openslo.alerting import check_alert_annotations
from fleetslo.reliability.openslo.annotations import FOR, SINCE, since_of
from fleetslo.reliability.openslo.documents import Document, files_of, read_documents
from fleetslo.reliability.openslo.indicators import Named
from fleetslo.reliability.openslo.reading import read_slo
from fleetslo.reliability.openslo.remarks import remarks
from fleetslo.reliability.openslo.schema import check_document
from fleetslo.reliability.openslo.selectors import Selector
from fleetslo.reliability.slo import EACH, Objective

__all__ = [
    "Contents",
    "Objective",
    "Selector",
    "in_force",
    "read_contents",
    "read_objectives",
    "remarks",
    "resolve",
]

_ALWAYS = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Contents:
    """What lies in files of documents: the objectives, and how many documents of each kind."""

    objectives: list[Objective]
    kinds: Mapping[str, int]


def read_objectives(path: str | Path | Iterable[str | Path]) -> list[Objective]:
    """Return the objectives of a file, of a folder's files (``.yaml``, ``.yml``), or of several.

    As ``read_contents``, which raises the same.
    """
    return read_contents(path).objectives


def read_contents(path: str | Path | Iterable[str | Path]) -> Contents:
    """Return what lies in a file, in a folder's files (``.yaml``, ``.yml``), or in several.

    Documents may refer to each other across all files read. The order is that of the files (those
    of a folder by name), then of the documents. Two documents of one name are the history of an
    objective: they differ in ``fleetslo/since``, and both come back.

    Raises:
        ObjectiveError: a document is wrong; the message lists every fault, a line each, with
            file, line, document, field, value and rule.
    """
    documents = [doc for file in files_of(path) for doc in read_documents(file)]
    for doc in documents:
        check_document(doc)
        if not doc.faults and doc.value["kind"] in ("AlertPolicy", "AlertCondition"):
            check_alert_annotations(doc, (), doc.value)
    named = _by_name(documents)
    objectives = []
    for doc in documents:
        if not doc.faults and doc.value["kind"] == "SLO":
            objectives += read_slo(doc, named)
    faults = [fault for doc in documents for fault in doc.faults]
    if faults:
        raise ObjectiveError("\n".join(faults))
    return Contents(objectives, Counter(doc.value["kind"] for doc in documents))


def _by_name(documents: Iterable[Document]) -> Named:
    """Return the documents by kind and name; a name taken twice is a fault of the later one.

    Templates may share a name: which of them a service gets, their conditions say. So may SLOs of
    one service that hold from different instants on.
    """
    named: dict[tuple[str, str], Document] = {}
    history: dict[tuple[str, datetime | None], Document] = {}
    for doc in documents:
        if doc.name is None or not isinstance(doc.value.get("kind"), str):
            continue
        kind = doc.value["kind"]
        first = named.setdefault((kind, doc.name), doc)
        if EACH in doc.name:
            continue
        rule = f"a {kind} of this name stands in {{}} already"
        if kind == "SLO" and not doc.faults and not first.faults:
            same = history.setdefault((doc.name, since_of(doc)), doc)
            if same is not doc:
                rule += f"; where it is the same objective, say {SINCE} when it changed"
                doc.fault(("metadata", "name"), rule.format(same.source))
            elif first.value["spec"]["service"] != doc.value["spec"]["service"]:
                doc.fault(("metadata", "name"), f"{rule.format(first.source)}, for another service")
        elif first is not doc:
            doc.fault(("metadata", "name"), rule.format(first.source))
    return named


def resolve(
    objectives: Iterable[Objective], services: Iterable[Mapping[str, Any]]
) -> list[Objective]:
    """Return the objectives of these services, each template written out for those it is for.

    An objective of one service wins over a template whose document would get the same name for
    that service: always, or from its ``since`` on. Objectives of services that are not among the
    rows are left out; those that cannot be measured here are not. Sorted by service, name and
    ``since``.

    Args:
        objectives: what ``read_objectives`` returned.
        services: rows of the table ``services``, one per service.

    Raises:
        ObjectiveError: two templates give one service the same objective.
    """
    written = list(objectives)
    rows = {row["service"]: row for row in services}
    own = [o for o in written if o.for_condition is None and o.service in rows]
    templates = [(o, o.for_condition) for o in written if o.for_condition is not None]
    taken: dict[tuple[str, str], datetime] = {}
    for one in own:
        key = (one.service, one.document)
        taken[key] = min(taken.get(key, _start(one)), _start(one))
    sources: dict[tuple[str, str, datetime], str] = {}
    filled: list[Objective] = []
    for service, row in rows.items():
        for template, condition in templates:
            document = _filled(template.document, service)
            start = _start(template)
            is_taken = (service, document) in taken and start >= taken[service, document]
            if is_taken or not condition.holds(row):
                continue
            source = sources.setdefault((service, document, start), template.source)
            if source != template.source:
                raise ObjectiveError(
                    f"{source} and {template.source} both give {service!r} the objective "
                    f"{document!r}; let their {FOR} exclude each other, or rename one"
                )
            filled.append(_written_out(template, service))
    return sorted([*own, *filled], key=lambda one: (one.service, one.name, _start(one)))


def in_force(objectives: Iterable[Objective], at: datetime) -> list[Objective]:
    """Return the resolved objectives that hold at an instant, in the order given.

    Of several documents of one name the latest that has begun holds, with all its objectives.
    """
    begun = [one for one in objectives if _start(one) <= at]
    latest: dict[tuple[str, str], datetime] = {}
    for one in begun:
        key = (one.service, one.document)
        latest[key] = max(latest.get(key, _ALWAYS), _start(one))
    return [one for one in begun if _start(one) == latest[one.service, one.document]]


def _start(objective: Objective) -> datetime:
    return objective.since or _ALWAYS


def _filled(name: str, service: str) -> str:
    """Return the name of a template filled in; names hold no spaces, services may."""
    return name.replace(EACH, re.sub(r"\s+", "-", service))


def _written_out(template: Objective, service: str) -> Objective:
    display_name = template.display_name
    return replace(
        template,
        name=_filled(template.name, service),
        display_name=display_name.replace(EACH, service) if display_name else None,
        description=template.description.replace(EACH, service),
        service=service,
        document=_filled(template.document, service),
        members=tuple(_written_out(member, service) for member in template.members),
        for_condition=None,
    )
