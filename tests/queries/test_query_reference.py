"""The same cases on Google's reference implementation of GoogleSQL, and its analyser's types."""

from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from query_cases import Case, cases

from fleetslo import resources
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.queries import list_queries, read_query

pytest.importorskip("zetasql", reason="the reference implementation is not installed")

from reference_engine import Reference

# One process compiles the module; see reference_engine.
pytestmark = [pytest.mark.xdist_group("reference"), pytest.mark.timeout(900)]

CASES = cases()
ROLLUPS = [name.removesuffix(".sql") for name, _ in resources.listing("queries", "rollups/*.sql")]


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest) -> Reference:
    assert request.config.cache is not None
    return Reference(read_contracts(), Path(request.config.cache.mkdir("zetasql")))


@pytest.mark.parametrize("name", [*list_queries(), *ROLLUPS])
def test_types_are_those_of_the_contract(name: str, reference: Reference) -> None:
    query = read_query(name)
    assert reference.columns(query) == {column.name: str(column.type) for column in query.columns}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(case: Case, reference: Reference) -> None:
    tables = {name: case.rows(name) for name in case.query.tables}
    answer = reference.ask(case.query, tables, case.parameters)
    assert_frame_equal(answer, case.expected)
