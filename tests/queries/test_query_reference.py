"""The same cases on Google's reference implementation of GoogleSQL, and its analyser's types."""

from dataclasses import replace
from pathlib import Path

import pytest
from polars.testing import assert_frame_equal
from query_cases import Case, cases

from fleetslo import resources
from fleetslo.warehouse.contracts import read_contracts
from fleetslo.warehouse.queries import read_query

pytest.importorskip("zetasql", reason="the reference implementation is not installed")

from reference_engine import Reference
from tests.queries.analyse import misfit, statements

# One process compiles the module; see reference_engine.
pytestmark = [pytest.mark.xdist_group("reference"), pytest.mark.timeout(900)]

CASES = cases()


@pytest.fixture(scope="module")
def reference(request: pytest.FixtureRequest) -> Reference:
    assert request.config.cache is not None
    return Reference(read_contracts(), Path(request.config.cache.mkdir("zetasql")))


@pytest.mark.parametrize(
    ("written", "instead", "says"),
    [
        ("SUM(good_count)", "SUM(good_cuont)", "Unrecognized name: good_cuont"),
        ("COUNT(*)", "1.5", "'covered_minutes': 'FLOAT64'}; the contract says"),
        ("IN UNNEST(@services)", "IN UNNEST(@start)", "UNNEST"),
    ],
)
def test_the_analyser_names_what_does_not_fit(
    written: str, instead: str, says: str, request: pytest.FixtureRequest
) -> None:
    query, cache = read_query("slo/days"), Path(request.config.cache.mkdir("zetasql"))
    assert misfit(query, read_contracts(), cache) is None
    wrong = replace(query, sql=query.sql.replace(written, instead))
    assert says in (misfit(wrong, read_contracts(), cache) or "")


def test_the_analyser_sees_every_file() -> None:
    names = {name for name, _ in resources.listing("queries", "**/*.sql")}
    assert {f"{query.name}.sql" for query, _ in statements()} == names


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(case: Case, reference: Reference) -> None:
    tables = {name: case.rows(name) for name in case.query.tables}
    answer = reference.ask(case.query, tables, case.parameters)
    assert_frame_equal(answer, case.expected)
