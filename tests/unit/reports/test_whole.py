"""A page shows all that its notebook came to, or is not published."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fleetslo.charts.blocks import MIMETYPE, PLOTLY_MIMETYPE
from fleetslo.reports.html import render
from fleetslo.reports.publishing.whole import PAGE_BYTES_LIMIT, shortcomings

FIGURE = {"data": [{"type": "scatter", "x": [1], "y": [2]}], "layout": {}}


def ran(source="1", *outputs):
    return new_code_cell(source, execution_count=1, outputs=list(outputs))


def figure(metadata=None):
    return new_output("display_data", {PLOTLY_MIMETYPE: FIGURE}, metadata=metadata or {})


def page(notebook):
    return render(notebook, title="A page", assets="assets")


def told(*cells, without=""):
    notebook = new_notebook(cells=[new_markdown_cell("# A page"), *cells])
    html = page(notebook)
    return shortcomings(notebook, html.replace(without, "") if without else html)


def test_a_page_with_all_of_its_charts_is_whole():
    assert told(ran(), ran("fig", figure()), ran("two", figure(), figure())) == []


def test_an_empty_cell_need_not_run_and_the_lab_alone_sees_its_charts():
    assert told(new_code_cell("  \n"), ran("fig", figure({"fleetslo": "lab"}))) == []


def test_a_cell_that_did_not_run_is_named_by_its_number_in_the_notebook():
    injected = ran("x = 1")
    injected.metadata["tags"] = ["injected-parameters"]
    # the title, one cell, the injected one without a number, and the one at fault
    assert told(ran(), injected, new_code_cell("fig")) == ["cell 3 of its notebook did not run"]


def test_a_cell_that_raised_is_named_whatever_became_of_the_rest():
    error = new_output("error", ename="ValueError", evalue="no", traceback=[])
    assert told(ran("boom", error)) == ["cell 2 of its notebook raised an error"]


@pytest.mark.parametrize("without", ['id="c1-0-figure"', '<div class="plot" id="c1-0-plot"'])
def test_a_chart_that_the_page_does_not_draw_is_missed(without):
    assert told(ran("fig", figure(), figure()), without=without) == [
        "it shows 1 of the 2 charts of its notebook"
    ]


def test_a_chart_block_counts_as_the_figure_it_is():
    block = {"block": "note", "kind": "info", "text": "no chart"}
    note = new_output("display_data", {MIMETYPE: block, PLOTLY_MIMETYPE: FIGURE})
    notebook = new_notebook(cells=[ran("note", note)])
    assert shortcomings(notebook, "<p>nothing drawn, nothing missed</p>") == []


def test_a_page_has_a_limit_unless_it_carries_its_scripts():
    notebook = new_notebook(cells=[ran()])
    large = "é" * (PAGE_BYTES_LIMIT // 2 + 1)  # two bytes each
    assert shortcomings(notebook, large) == [
        "it is 10.0 MiB, over the limit of 10 MiB; show fewer rows or points"
    ]
    assert shortcomings(notebook, large, standalone=True) == []
    assert shortcomings(notebook, "é" * (PAGE_BYTES_LIMIT // 2)) == []
