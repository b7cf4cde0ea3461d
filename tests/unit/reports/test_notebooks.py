"""Notebooks are found by name, and their parameters are read without running them."""

from datetime import date, datetime

import pytest

from fleetslo.errors import NotebookError, ParameterError, UnknownNotebook, UnknownParameter
from fleetslo.reports.notebooks import (
    Notebook,
    Parameter,
    check_parameters,
    describe,
    find_notebook,
    list_notebooks,
)

PARAMETERS = """\
from datetime import date

service: str = "checkout"  # which service
# How far back
# the report looks.
period: str = "28d"
top: int = 5  # endpoints shown
share: float = 1  # of the traffic
full: bool = False
regions: list[str] = ["eu", "us"]  # "#" is no comment
since: date = date(2026, 11, 1)
squad: str | None = None  # all, if left out
"""


@pytest.fixture
def notebook(project):
    return Notebook("reports/all_types", project.notebook("reports/all_types", PARAMETERS))


def test_parameters_are_described_in_order_with_their_comments(notebook):
    assert describe(notebook) == [
        Parameter("service", "str", "checkout", "which service"),
        Parameter("period", "str", "28d", "How far back the report looks."),
        Parameter("top", "int", 5, "endpoints shown"),
        Parameter("share", "float", 1.0, "of the traffic"),
        Parameter("full", "bool", False, ""),
        Parameter("regions", "list[str]", ["eu", "us"], '"#" is no comment'),
        Parameter("since", "date", date(2026, 11, 1), ""),
        Parameter("squad", "str | None", None, "all, if left out"),
    ]


def test_a_name_may_be_given_instead_of_a_notebook(notebook):
    assert describe("all_types") == describe(notebook)


def test_reading_a_notebook_does_not_run_it(project):
    path = project.notebook("reports/trap", 'a: str = __import__("os").getcwd()')
    with pytest.raises(NotebookError, match="line 1: the default of 'a' is no str"):
        describe(Notebook("reports/trap", path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('a = "x"', "line 1: \"a = 'x'\" is no typed parameter; write service: str"),
        (
            "a: dict = {}",
            "line 1: 'a' is a dict; use one of str, int, float, bool, list\\[str\\], date",
        ),
        ("\na: str", "line 2: 'a' has no default"),
        ("a: int = 'x'", "line 1: the default of 'a' is no int: 'x'"),
        ("%matplotlib inline", "parameters cell: invalid syntax"),
        ("print('x')", "is no typed parameter"),
    ],
)
def test_a_parameters_cell_that_is_not_declarations_is_refused(project, text, says):
    path = project.notebook("reports/wrong", text)
    with pytest.raises(NotebookError, match=says):
        describe(Notebook("reports/wrong", path))


def test_a_notebook_without_a_parameters_cell_has_none(project):
    path = project.notebook("reports/none", None, "1 + 1")
    assert describe(Notebook("reports/none", path)) == []


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("service", "<script>", "<script>"),
        ("service", "true", "true"),
        ("service", date(2026, 11, 1), "2026-11-01"),
        ("top", "7", 7),
        ("top", 7, 7),
        ("share", "0.5", 0.5),
        ("share", 2, 2.0),
        ("full", "true", True),
        ("full", "No", False),
        ("full", True, True),
        ("regions", "eu, us", ["eu", "us"]),
        ("regions", '["a,b"]', ["a,b"]),
        ("regions", "", []),
        ("regions", ["eu"], ["eu"]),
        ("since", "2026-10-01", date(2026, 10, 1)),
        ("since", date(2026, 10, 1), date(2026, 10, 1)),
        ("squad", "Payments", "Payments"),
        ("squad", None, None),
    ],
)
def test_values_get_the_declared_type(notebook, name, given, value):
    checked = check_parameters(notebook, {name: given})
    assert checked == {name: value}
    assert type(checked[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("top", "seven", "must be int: a whole number, such as 7"),
        ("top", 7.5, "must be int"),
        ("top", True, "must be int"),
        ("share", "much", "must be float: a number"),
        ("share", "nan", "must be float"),
        ("full", "maybe", "must be bool: true or false"),
        ("full", 1, "must be bool"),
        ("regions", [1], r"must be list\[str\]: texts with commas"),
        ("regions", "[1]", r"must be list\[str\]"),
        ("since", "yesterday", "must be date: a day, such as 2026-11-01"),
        ("since", datetime(2026, 11, 1), "must be date"),  # noqa: DTZ001
        ("service", 5, "must be str: text"),
        ("service", None, "must be str"),
        ("squad", 5, r"must be str \| None: text"),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(notebook, name, given, expected):
    with pytest.raises(ParameterError, match=f"all_types: parameter '{name}' is .*{expected}"):
        check_parameters(notebook, {name: given})


def test_an_unknown_parameter_is_refused_with_a_suggestion(notebook):
    with pytest.raises(
        UnknownParameter, match=r"has no parameter 'servce'. Did you mean 'service'"
    ):
        check_parameters(notebook, {"servce": "checkout"})


def test_a_notebook_is_found_by_short_name_long_name_and_path(project):
    path = project.notebook("reports/mine", 'a: str = "x"')
    by_short = find_notebook("mine")
    assert by_short == find_notebook("reports/mine") == find_notebook("reports/mine.ipynb")
    assert (by_short.name, by_short.short, by_short.path) == ("reports/mine", "mine", path)
    elsewhere = path.rename(path.parents[2] / "elsewhere.ipynb")
    assert find_notebook(str(elsewhere)) == Notebook("elsewhere", elsewhere)


def test_a_report_is_preferred_to_a_notebook_of_the_same_short_name(project):
    for name in ("explore/twice", "reports/twice", "explore/a/two", "explore/b/two"):
        project.notebook(name, None)
    assert find_notebook("twice").name == "reports/twice"
    with pytest.raises(
        UnknownNotebook, match="any of explore/a/two, explore/b/two; write the longer"
    ):
        find_notebook("two")


def test_an_unknown_notebook_is_refused_with_a_suggestion(project):
    project.notebook("reports/squad_review", None)
    with pytest.raises(
        UnknownNotebook, match=r"no notebook 'squad_reviw'. Did you mean 'squad_review'"
    ):
        find_notebook("squad_reviw")
    with pytest.raises(UnknownNotebook):
        find_notebook("../squad_review")


def test_notebooks_are_listed_with_title_and_question(project):
    project.notebook("reports/mine", None, title="# Mine\n\nIs it\nreliable?")
    mine = next(n for n in list_notebooks("reports") if n.name == "reports/mine")
    assert (mine.title, mine.question) == ("Mine", "Is it reliable?")


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"nbformat": 3, "cells": []}', '{"cells": 1, "nbformat": 4}']
)
def test_a_file_that_is_no_notebook_is_refused(tmp_path, text):
    path = tmp_path / "broken.ipynb"
    path.write_text(text)
    with pytest.raises(NotebookError, match=r"broken.ipynb: not a notebook"):
        describe(Notebook("broken", path))
