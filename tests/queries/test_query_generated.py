"""Generated rows: DuckDB, the reference implementation and the server agree to the last count."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from generated import asked
from hypothesis import HealthCheck, given, settings
from loopback_engine import Loopback
from polars.testing import assert_frame_equal

from fleetslo import resources
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.engine import connected
from fleetslo.warehouse.queries import Query, for_duckdb, read_query

pytest.importorskip("zetasql", reason="the reference implementation is not installed")

from reference_engine import Reference

# One process compiles the module; see reference_engine.
pytestmark = [pytest.mark.xdist_group("reference"), pytest.mark.timeout(900)]

NAMES = [name.removesuffix(".sql") for name, _ in resources.listing("queries", "*/*.sql")]
FEW, MANY = 4, 60
# Of these, four generated tables happen to hold no row that answers.
MORE = {"slo/slices": 8}


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest) -> Reference:
    assert request.config.cache is not None
    return Reference(read_contracts(), Path(request.config.cache.mkdir("zetasql")))


@pytest.fixture(scope="module")
def server(loopback: Any) -> Loopback:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return Loopback(loopback.client, read_contracts(), f"generated_{worker}")


def on_duckdb(
    query: Query, tables: Mapping[str, pl.DataFrame], parameters: Mapping[str, Any]
) -> pl.DataFrame:
    with connected() as connection:
        for table, rows in tables.items():
            connection.register(table, rows)
        bound = query.bind(**parameters)
        return query.cast(connection.sql(for_duckdb(query), params=bound).pl())


def agree(name: str, engine: Reference | Loopback, examples: int) -> None:
    """Ask DuckDB and another engine the same of generated rows."""
    query, answered = read_query(name), 0

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(asked(query))
    def agrees(drawn: tuple[Mapping[str, pl.DataFrame], dict[str, Any]]) -> None:
        nonlocal answered
        ours, theirs = on_duckdb(query, *drawn), engine.ask(query, *drawn)
        answered += ours.height > 0
        assert_frame_equal(ours, theirs, check_exact=True, check_row_order=False)

    with pl.Config(tbl_rows=2, tbl_cols=3):  # what failed is read at the end of a long log
        agrees()
    assert answered, "no example was answered with a row"


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_agrees(name: str, reference: Reference) -> None:
    agree(name, reference, MORE.get(name, FEW))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.long
def test_the_server_agrees(name: str, server: Loopback) -> None:
    agree(name, server, MORE.get(name, FEW))


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_reference_agrees_on_many(name: str, reference: Reference) -> None:
    agree(name, reference, MANY)
