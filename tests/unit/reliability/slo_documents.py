"""OpenSLO documents for tests: a sound one, and ways to change it."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleetslo.errors import ObjectiveError
from fleetslo.reliability.objectives import Objective, read_objectives

# SLO.md's own example.
CHECKOUT: dict[str, Any] = yaml.safe_load("""
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-latency, labels: {squad: payments}}
spec:
  service: checkout
  indicator:
    metadata: {name: fast-requests}
    spec:
      ratioMetric:
        counter: true
        good:  {metricSource: {type: fleetslo, spec: {requests: successful, within_s: 0.3, endpoints: ["GET /cart*"]}}}
        total: {metricSource: {type: fleetslo, spec: {requests: successful, endpoints: ["GET /cart*"]}}}
  timeWindow: [{duration: 28d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{displayName: fast, target: 0.99}]
""")
GONE = object()
RATIO = "spec.indicator.spec.ratioMetric"
GOOD = f"{RATIO}.good.metricSource.spec"
TOTAL = f"{RATIO}.total.metricSource.spec"


def changed(changes: dict[str, Any], base: dict[str, Any] = CHECKOUT) -> dict[str, Any]:
    """Return the document with values put at places such as ``spec.objectives.0.target``."""
    document = copy.deepcopy(base)
    for place, value in changes.items():
        *steps, last = [int(s) if s.isdigit() else s for s in place.split(".")]
        holder: Any = document
        for step in steps:
            holder = holder[step]
        if value is GONE:
            del holder[last]
        else:
            holder[last] = value
    return document


def written(folder: Path, *documents: Any, name: str = "slo.yaml") -> Path:
    """Write documents to one file and return its path."""
    path = folder / name
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False), encoding="utf-8")
    return path


def only(folder: Path, *documents: Any) -> Objective:
    """Return the one objective of some documents."""
    (objective,) = read_objectives(written(folder, *documents))
    return objective


def refusal(folder: Path, *documents: Any) -> str:
    """Return why some documents are refused."""
    with pytest.raises(ObjectiveError) as caught:
        read_objectives(written(folder, *documents))
    return str(caught.value)
