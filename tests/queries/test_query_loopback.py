"""The same cases on a BigQuery server on loopback, through Google's client."""

import os
from typing import Any

import pytest
from loopback_engine import Loopback
from polars.testing import assert_frame_equal
from query_cases import Case, cases

from fleetslo.warehouse.contracts import read_contracts


@pytest.fixture(scope="module")
def server(loopback: Any) -> Loopback:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    return Loopback(loopback.client, read_contracts(), f"cases_{worker}")


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_answer(case: Case, server: Loopback) -> None:
    tables = {name: case.rows(name) for name in case.query.tables}
    assert_frame_equal(server.ask(case.query, tables, case.parameters), case.expected)
