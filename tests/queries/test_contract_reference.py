"""The rules of the contracts are GoogleSQL, and mean the same there and in DuckDB."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest

from fleetslo.warehouse.contracts import Column, Contract, read_contracts
from fleetslo.warehouse.queries import Query
from fleetslo.warehouse.rules import Check
from fleetslo.warehouse.types import Type

pytest.importorskip("zetasql", reason="the reference implementation is not installed")

from reference_engine import Reference

# One process compiles the module; see reference_engine.
pytestmark = [pytest.mark.xdist_group("reference"), pytest.mark.timeout(900)]

CONTRACTS = read_contracts()
NOON = datetime(2026, 10, 31, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest) -> Reference:
    assert request.config.cache is not None
    return Reference(CONTRACTS, Path(request.config.cache.mkdir("zetasql")))


def judged(contract: Contract, checks: tuple[Check, ...], first: str) -> Query:
    """Return a query that says, row by row in order of ``first``, which rules are kept."""
    rules = [f"{check.sql('bigquery')} AS kept_{n}" for n, check in enumerate(checks)]
    columns = [Column(f"kept_{n}", Type("BOOL"), nullable=True) for n in range(len(checks))]
    sql = f"SELECT {first}, {', '.join(rules)} FROM {contract.table}"
    key = Column(first, contract.by_name[first].type)
    return Query("rules", sql, "Rules.", (first,), {}, (key, *columns), (contract.table,))


@pytest.mark.parametrize("table", CONTRACTS)
def test_every_rule_is_a_truth_value_to_the_analyser(table: str, reference: Reference) -> None:
    contract = CONTRACTS[table]
    found = reference.columns(judged(contract, contract.every_check, contract.grain[0]))
    assert set(list(found.values())[1:]) == {"BOOL"}


def row(place: int, **given: Any) -> dict[str, Any]:
    """Sound but for what is given: 12 requests, 2 faults, 10 durations."""
    sound = {
        "minute": NOON, "service": "checkout", "endpoint": f"{place:02}", "region": "", "version": "",
        "request_count": 12, "error_count": 2, "duration_sum_s": 1.5, "quality": "exact",
        "latency": [{"bucket": -1024, "count": 6}, {"bucket": 1023, "count": 4}],
        "observed_count": 12,
    }  # fmt: skip
    return {**sound, **given}


# Each breaks one rule or more, but for the first three.
ROWS: list[dict[str, Any]] = [
    {},
    {"latency": []},
    {"duration_sum_s": None},
    {"minute": NOON.replace(second=1)},
    {"latency": [{"bucket": -1025, "count": 1}]},
    {"latency": [{"bucket": 1024, "count": 1}]},
    {"latency": [{"bucket": 0, "count": -1}]},
    {"latency": [{"bucket": 0, "count": 11}]},
    {"error_count": 13},
    {"request_count": -1},
    {"duration_sum_s": float("inf")},
    {"duration_sum_s": -1.0},
    {"quality": "good"},
    {"service": ""},
]


def test_both_engines_judge_rows_alike(reference: Reference) -> None:
    contract = CONTRACTS["requests"]
    rows = [row(place, **given) for place, given in enumerate(ROWS)]
    frame = contract.cast(pl.DataFrame(rows, schema=contract.schema))
    query = judged(contract, contract.every_check, "endpoint")
    theirs = reference.ask(query, {"requests": frame}, {}).sort("endpoint")
    rules = ", ".join(f"{c.sql('duckdb')} AS kept_{n}" for n, c in enumerate(contract.every_check))
    ours = duckdb.from_arrow(frame.to_arrow()).project(f"endpoint, {rules}").pl().sort("endpoint")
    assert ours.rows() == theirs.rows()
    kept = {values[0]: False not in values[1:] for values in theirs.rows()}
    assert kept == {f"{place:02}": place < 3 for place in range(len(ROWS))}


def test_what_is_no_number_is_refused_by_both(reference: Reference) -> None:
    """DuckDB takes it to be above every number, GoogleSQL compares it with none."""
    contract = CONTRACTS["requests"]
    frame = contract.cast(
        pl.DataFrame([row(0, duration_sum_s=float("nan"))], schema=contract.schema)
    )
    finite = tuple(check for check in contract.every_check if check.name.endswith("is finite"))
    theirs = reference.ask(judged(contract, finite, "endpoint"), {"requests": frame}, {})
    ours = duckdb.from_arrow(frame.to_arrow()).project(f"endpoint, {finite[0].sql('duckdb')}")
    assert theirs.rows() == ours.fetchall() == [("00", False)]
