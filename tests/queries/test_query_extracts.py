"""A batch answers every query as its warehouse does, whatever it was asked before."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from generated import asked
from hypothesis import HealthCheck, given, settings
from polars.testing import assert_frame_equal
from query_cases import Case, cases
from stored_cases import store

from fleetslo.periods import Period
from fleetslo.warehouse.costs import columns_read
from fleetslo.warehouse.duckdb import DuckDBWarehouse
from fleetslo.warehouse.extracts import Extracts, Wanted, extracted
from fleetslo.warehouse.queries import list_queries, read_query

CASES = [case for case in cases() if not case.query.name.startswith("rollups/")]
NAMES = list_queries()
OVER = [name for name in NAMES if read_query(name).over]
PLAIN = {"start", "end", "services"}


class Counting(DuckDBWarehouse):
    """An embedded warehouse that writes down what it is asked."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def batches(self, name: str, **parameters: Any) -> Any:
        self.asked.append((name, parameters))
        return super().batches(name, **parameters)


def around(parameters: Mapping[str, Any], days: int) -> Period:
    """Return a period that reaches so many days past a case's own on both sides."""
    more = timedelta(days=days)
    return Period(parameters["start"] - more, parameters["end"] + more)


def hold_more(extracts: Extracts, name: str, parameters: Mapping[str, Any]) -> None:
    """Let a batch hold days around a question's own, in stretches that break in its middle."""
    query = read_query(name)
    for base in {one for one in (query.name, query.over) if one and read_query(one).timed_by}:
        for wanted in (parameters["end"], around(parameters, 3).end):
            period = Period(around(parameters, 3).start, wanted)
            for lacking in extracts.lacking([Wanted(base, period)]):
                extracts.ask(lacking)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.parametrize("before", [False, True], ids=["at first", "after more"])
def test_answer(case: Case, before: bool, tmp_path: Path) -> None:
    warehouse = store(case.tables, tmp_path)
    with extracted(tmp_path, warehouse, "run") as extracts:
        if before:
            hold_more(extracts, case.query.name, case.parameters)
        for _ in range(2):
            assert_frame_equal(extracts.query(case.query.name, **case.parameters), case.expected)
