"""Objectives: OpenSLO v1 documents read, checked, and written out for the services they are for.

This version measures Occurrences over rolling windows. Time slices, calendar windows, composite
objectives and sources of other types are checked like the rest and then refused as not measured
yet, so that nothing is judged by another meaning than its own. ``alertPolicies`` are checked, not
run; the alerts of an objective are those of the annotation ``fleetslo/policy``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.alerts import needless, unreachable
from fleetslo.reliability.buckets import nearest_bounds
from fleetslo.reliability.conditions import Condition, parse_condition
from fleetslo.reliability.documents import Document, files_of, read_documents
from fleetslo.reliability.openslo import check_document
from fleetslo.reliability.selectors import Selector
from fleetslo.reliability.slo import EACH, FOR, Objective, read_slo

__all__ = [
    "Condition",
    "Objective",
    "Selector",
    "nearest_bounds",
    "parse_condition",
    "read_objectives",
    "remarks",
    "resolve",
]


def read_objectives(path: str | Path | Iterable[str | Path]) -> list[Objective]:
    """Return the objectives of a file, of a folder's files (``.yaml``, ``.yml``), or of several.

    Documents may refer to each other across all files read. The order is that of the files (those
    of a folder by name), then of the documents.

    Raises:
        ObjectiveError: a document is wrong; the message lists every fault, a line each, with
            file, line, document, field, value and rule.
    """
    documents = [doc for file in files_of(path) for doc in read_documents(file)]
    for doc in documents:
        check_document(doc)
    named = _by_name(documents)
    objectives = []
    for doc in documents:
        if not doc.faults and doc.value["kind"] == "SLO":
            objectives += read_slo(doc, named)
    faults = [fault for doc in documents for fault in doc.faults]
    if faults:
        raise ObjectiveError("\n".join(faults))
    return objectives


def _by_name(documents: Iterable[Document]) -> dict[tuple[str, str], Document]:
    """Return the documents by kind and name; a name taken twice is a fault of the later one.

    Templates may share a name: which of them a service gets, their conditions say.
    """
    named: dict[tuple[str, str], Document] = {}
    for doc in documents:
        if doc.name is None or not isinstance(doc.value.get("kind"), str):
            continue
        first = named.setdefault((doc.value["kind"], doc.name), doc)
        if first is not doc and EACH not in doc.name:
            rule = f"a {doc.value['kind']} of this name stands in {first.source} already"
            doc.fault(("metadata", "name"), rule)
    return named


def resolve(
    objectives: Iterable[Objective], services: Iterable[Mapping[str, Any]]
) -> list[Objective]:
    """Return the objectives of these services, each template written out for those it is for.

    An objective of one service wins over a template whose document would get the same name for
    that service. Objectives of services that are not among the rows are left out. Sorted by
    service and name.

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
    taken = {(objective.service, objective.document) for objective in own}
    sources: dict[tuple[str, str], str] = {}
    filled: list[Objective] = []
    for service, row in rows.items():
        for template, condition in templates:
            key = (service, template.document.replace(EACH, service))
            if key in taken or not condition.holds(row):
                continue
            source = sources.setdefault(key, template.source)
            if source != template.source:
                raise ObjectiveError(
                    f"{source} and {template.source} both give {service!r} the objective "
                    f"{key[1]!r}; let their {FOR} exclude each other, or rename one"
                )
            filled.append(_written_out(template, service))
    return sorted([*own, *filled], key=lambda objective: (objective.service, objective.name))


def _written_out(template: Objective, service: str) -> Objective:
    display_name = template.display_name
    return replace(
        template,
        name=template.name.replace(EACH, service),
        display_name=display_name.replace(EACH, service) if display_name else None,
        service=service,
        document=template.document.replace(EACH, service),
        for_condition=None,
    )


def remarks(objective: Objective) -> tuple[str, ...]:
    """Return what is allowed in an objective and yet worth knowing, a sentence each.

    A latency threshold inside a bucket leaves its requests uncertain; an alert that a total outage
    cannot reach never fires; a factor under 1 fires for objectives that will be met.
    """
    found = []
    within = objective.selector.within_s
    if within is not None:
        below, above = nearest_bounds(within)
        if below != above:
            found.append(
                f"{within:g} s lies inside a bucket, whose requests stay uncertain; "
                f"{below:.10g} s and {above:.10g} s are bounds"
            )
    windows = objective.alerts
    outage = 1 / (1 - objective.target)
    found += [
        f"the {window.severity} at {window.factor:.4g} × never fires: "
        f"a total outage burns at {outage:.4g} ×"
        for window in unreachable(windows, objective.target)
    ]
    found += [
        f"the {window.severity} at {window.factor:.4g} × fires at a burn that meets the objective"
        for window in needless(windows)
    ]
    return tuple(found)
