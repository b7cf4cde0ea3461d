"""Every query answers its cases, on DuckDB over Parquet files as the warehouse keeps them."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from query_cases import Case, cases
from stored_cases import store

from fleetslo import resources
from fleetslo.warehouse.queries import list_queries

CASES = cases()
ALL = [name.removesuffix(".sql") for name, _ in resources.listing("queries", "rollups/*.sql")]
ALL += list_queries()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_answer(case: Case, tmp_path: Path) -> None:
    warehouse = store(case.tables, tmp_path)
    assert_frame_equal(warehouse.query(case.query.name, **case.parameters), case.expected)


@pytest.mark.parametrize("name", ALL)
def test_every_query_has_cases(name: str) -> None:
    assert [case for case in CASES if case.query.name == name]


@pytest.mark.parametrize("name", [name for name in ALL if not name.startswith("rollups/")])
def test_the_fleet_is_its_services_put_together(name: str, tmp_path: Path) -> None:
    case = next(case for case in CASES if case.query.name == name)
    by = case.query.sliced_by
    warehouse = store(case.tables, tmp_path)
    fleet = warehouse.query(name, **case.parameters)
    assert fleet.height
    if by is None:
        assert "service" not in fleet.columns
        return
    services = [*fleet[by].unique(), "nobody"]
    for service in services:
        alone = warehouse.query(name, **(case.parameters | {"services": [service]}))
        assert_frame_equal(alone, fleet.filter(pl.col(by) == service))
    pair = warehouse.query(name, **(case.parameters | {"services": services[:2]}))
    assert_frame_equal(pair, fleet.filter(pl.col(by).is_in(services[:2])))
