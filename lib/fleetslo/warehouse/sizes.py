"""How many rows a fleet fills and how many bytes BigQuery counts for each.

BigQuery counts logical bytes, for what it stores and for what a query reads: 8 for INT64, FLOAT64
and TIMESTAMP, 1 for BOOL, 2 and the UTF-8 text for STRING, nothing for null, and for an array the
sum of its elements (cloud.google.com/bigquery/pricing, "data size calculation").
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from fleetslo.warehouse.contracts import Column, Contract
from fleetslo.warehouse.types import Type

_FIXED = {"INT64": 8, "FLOAT64": 8, "TIMESTAMP": 8, "DATE": 8, "BOOL": 1}

# Characters of a text, as in the demo fleet; other texts are names or short words.
_CHARACTERS = {
    "endpoint": 18,  # GET /cart/{id}
    "objective": 23,  # a service's name and the indicator
    "title": 45,  # a sentence
    "alert": 23,
    "deployment_id": 19,
    "rollout_id": 17,
    "rollback_of": 17,
    "remediates": 17,
    "caused_by": 17,
    "version": 8,
    "previous_version": 8,
    "squad": 8,
    "system": 7,
    "language": 4,
    "framework": 6,
    "framework_version": 6,
    "incident_id": 8,
    "page_id": 6,
    "strategy": 7,
    "outcome": 9,
    "severity": 4,
    "urgency": 4,
    "error": 6,  # 503 or UNAVAILABLE, seldom the name of an exception
    "quality": 5,  # exact
}
_TEXT = 12

# Columns that are mostly null, and the share of rows where they are not.
_FILLED = {"rollback_of": 0.02, "remediates": 0.01, "caused_by": 0.4, "valid_to": 0.1}

# Shares of all requests that end in each kind of error: not found, not allowed, a wrong request,
# and seven rare ones (faults of the service, of an upstream, time-outs). Read off the demo fleet.
_ERRORS = (0.006, 0.002, 0.0015, *(0.00006,) * 7)

# Durations are log-normal with this deviation of the natural logarithm: the 99th percentile is
# exp(0.7 * 2.33) = 5 times the median. The demo's own mixtures fill within 15 % as many buckets.
_DEVIATION = 0.7
_BUCKET = math.log(2) / 16
_PAUSES_AN_HOUR = 100.0  # collections of one service's processes in a region

_STEPS = {"minute": 1440, "hour": 24, "day": 1}


@dataclass(frozen=True)
class Shape:
    """How large a fleet is. All but ``services`` are means, so they may be fractions.

    ``endpoints``, ``regions`` and ``versions`` (at a time) are those of a service; ``rate`` is
    requests a minute of one row; ``upstreams``, ``objectives`` and ``indicators`` that are not
    requests are those of a service; ``releases``, ``incidents`` and ``pages`` are per service
    and day.
    """

    services: float
    endpoints: float = 3
    regions: float = 3
    versions: float = 1
    rate: float = 20
    upstreams: float = 3
    objectives: float = 2
    indicators: float = 0.1
    releases: float = 0.5
    incidents: float = 0.01
    pages: float = 0.1


@lru_cache(maxsize=1024)
def buckets(requests: float) -> float:
    """Return how many latency buckets so many requests fill, on average."""

    def below(bucket: int) -> float:
        return 0.5 * math.erfc(-bucket * _BUCKET / _DEVIATION / math.sqrt(2))

    # 160 buckets are ten octaves: ten deviations to either side of the median.
    shares = [below(bucket + 1) - below(bucket) for bucket in range(-160, 160)]
    return sum(-math.expm1(-requests * share) for share in shares)


def rows_a_day(contract: Contract, shape: Shape) -> float:
    """Return how many rows of a table a day fills; of one without partitions, how many it has.

    A release adds a row to the hour and to the day in which two versions serve.
    """
    table = contract.table.removesuffix("_hourly").removesuffix("_daily")
    if table in ("requests", "errors"):
        series = shape.services * shape.endpoints * shape.regions
        rows = series * _spans(contract, shape)
        return rows if table == "requests" else rows * _kinds(_requests(contract, shape))
    steps = _steps(contract)
    counts = {
        "services": shape.services * 1.1,  # one in ten was handed over
        "calls": shape.services * shape.upstreams * shape.regions * steps,
        "sli_events": shape.services * shape.indicators * steps,
        "slo_minutes": shape.services * shape.objectives * steps,
        "deployments": shape.services * shape.releases * shape.regions,
        "incidents": shape.services * shape.incidents,
        "pages": shape.services * shape.pages,
        "runtimes": shape.services * shape.regions * _spans(contract, shape),
    }
    return counts.get(table, 0.0)


def column_bytes(contract: Contract, shape: Shape) -> Mapping[str, float]:
    """Return the logical bytes that each column takes in a row of the table, on average."""
    return {column.name: _bytes(column, contract, shape) for column in contract.columns}


def _bytes(column: Column, contract: Contract, shape: Shape) -> float:
    if column.type.is_histogram:
        counted = _PAUSES_AN_HOUR if column.name == "gc_pause" else _requests(contract, shape)
        return _width(column.type.element, column.name) * buckets(counted)
    filled = _FILLED.get(column.name, 1.0)
    if column.name == "upstream" and column.nullable:
        filled = 0.1  # most errors are a service's own
    return _width(column.type, column.name) * filled


def _width(kind: Type | None, name: str) -> float:
    if kind is None:
        return 0.0
    if kind.fields:
        return sum(_width(of, field) for field, of in kind.fields)
    return _FIXED.get(kind.kind) or 2 + _CHARACTERS.get(name, _TEXT)


def _steps(contract: Contract) -> int:
    return _STEPS.get(contract.partition or "", 1)


def _spans(contract: Contract, shape: Shape) -> float:
    steps = _steps(contract)
    return shape.versions * steps + (shape.releases if steps < 1440 else 0)


def _requests(contract: Contract, shape: Shape) -> float:
    """Return the requests (or calls) that a row of the table counts."""
    day = shape.rate * 1440 * shape.versions
    if contract.table.startswith("calls"):
        return day / _steps(contract)
    return day / _spans(contract, shape)


def _kinds(requests: float) -> float:
    return sum(-math.expm1(-requests * share) for share in _ERRORS)
