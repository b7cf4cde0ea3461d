"""A batch answers every query as its warehouse does, whatever it was asked before."""

from collections.abc import Mapping
from datetime import timedelta
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
from fleetslo.warehouse.extracts import Extracts, Wanted, extracted
from fleetslo.warehouse.queries import list_queries, read_query

CASES = [case for case in cases() if not case.query.name.startswith("rollups/")]
NAMES = list_queries()
DAYS = timedelta(days=3)


def hold_more(extracts: Extracts, name: str, parameters: Mapping[str, Any]) -> None:
    """Let a batch hold days around a question's own, in two stretches that meet in its middle."""
    query = read_query(name)
    start, end = parameters["start"], parameters["end"]
    for base in {one for one in (query.name, query.over) if one and read_query(one).timed_by}:
        for until in (start + (end - start) / 2, end + DAYS):
            for lacking in extracts.lacking([Wanted(base, Period(start - DAYS, until))]):
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


@pytest.mark.parametrize("name", NAMES)
def test_generated_rows_are_answered_alike(name: str) -> None:
    answered = 0

    @settings(
        max_examples=12 if name == "slo/stretches" else 6,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(asked(read_query(name)))
    def alike(drawn: tuple[Mapping[str, pl.DataFrame], dict[str, Any]]) -> None:
        nonlocal answered
        tables, parameters = drawn
        if not any(rows.height for rows in tables.values()):
            return  # an empty warehouse refuses questions
        with TemporaryDirectory() as folder:
            warehouse = store(tables, Path(folder))
            expected = warehouse.query(name, **parameters)
            with extracted(Path(folder), warehouse, "run") as extracts:
                hold_more(extracts, name, parameters)
                answer = extracts.query(name, **parameters)
        answered += answer.height > 0
        assert_frame_equal(answer, expected)

    with pl.Config(tbl_rows=2, tbl_cols=3):  # what failed is read at the end of a long log
        alike()
    assert answered, "no example was answered with a row"


@pytest.mark.parametrize("name", [name for name in NAMES if read_query(name).over])
def test_what_is_asked_of_another_answer_finds_its_columns_there(name: str) -> None:
    query = read_query(name)
    base = read_query(query.over or "")
    assert query.tables == base.tables
    ((_, read),) = columns_read(query).items()
    assert read <= set(base.contract.by_name)
    assert base.timed_by


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_can_be_cut_by_service_where_it_has_services(name: str) -> None:
    query = read_query(name)
    assert (query.sliced_by == "service") == ("service" in query.contract.by_name)


def test_only_the_plan_asks_what_no_service_has() -> None:
    assert [name for name in NAMES if not read_query(name).sliced_by] == ["fleet/regions"]
