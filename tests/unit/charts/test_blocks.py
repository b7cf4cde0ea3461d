import json
from datetime import UTC, datetime

import plotly.graph_objects as go
import polars as pl
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from fleetslo.charts import theme
from fleetslo.charts.blocks import (
    MIMETYPE,
    MOST_NUMBERS,
    PLOTLY_MIMETYPE,
    Changes,
    Chart,
    Col,
    Made,
    Note,
    Sources,
    Table,
    Tile,
    Tiles,
    Verdict,
)


def shown(block):
    InteractiveShell.instance()
    with capture_output() as captured:
        block._ipython_display_()
    return captured.outputs


def a_chart(rows: int = 3, **options) -> Chart:
    figure = theme.figure(go.Scatter(y=theme.floats([1.0, None, 3.0])), height=240)
    numbers = pl.DataFrame({"bad_count": list(range(rows))})
    return Chart("A finding", "What it shows", figure, numbers, **options)


BLOCKS = [
    Verdict(
        [("Fleet", "page:fleet_overview"), ("checkout", None)], "checkout", "met", "It is **fine**."
    ),
    Tiles([Tile("SLI", "99.9 %", "of 2 G", "met")]),
    Changes("**Since last week:** nothing"),
    Note("late"),
    a_chart(made=Made("a / b")),
    Table("T", "s", [Col("a", "A")], pl.DataFrame({"a": [1]})),
    Sources([{"name": "requests", "complete_until": datetime(2026, 11, 1, tzinfo=UTC)}]),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.kind)
def test_a_payload_is_json_and_names_its_block(block):
    payload = json.loads(json.dumps(block.payload(), allow_nan=False))
    assert payload["block"] == block.kind
    assert payload == block.payload()


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.kind)
def test_a_block_shows_payload_html_and_text(block):
    outputs = shown(block)
    public = [one for one in outputs if one.metadata.get("fleetslo") != "lab"]
    assert len(public) == 1
    assert public[0].data[MIMETYPE] == block.payload()
    assert public[0].data["text/plain"] == block.text()
    assert all("**" not in one.data["text/plain"] for one in outputs)
    if block.kind != "chart":
        assert "text/html" in public[0].data


def test_a_chart_carries_its_figure_and_what_only_jupyterlab_needs_is_marked():
    before, middle, after = shown(a_chart(made=Made("a / b", {"Good": 1}, ["q"])))
    assert before.metadata == after.metadata == {"fleetslo": "lab"}
    assert "A finding" in before.data["text/html"]
    assert "a / b" in after.data["text/html"]
    trace = middle.data[PLOTLY_MIMETYPE]["data"][0]
    assert trace["y"]["dtype"] == "f4"  # compact, and half of doubles
    json.dumps(middle.data)


def test_a_chart_takes_the_figures_height_unless_told():
    assert a_chart().payload()["height"] == 240
    assert a_chart(height=500).payload()["height"] == 500


def test_numbers_are_cut_at_a_thousand_rows_and_the_rest_is_counted():
    numbers = a_chart(rows=MOST_NUMBERS + 5).payload()["numbers"]
    assert (numbers["count"], numbers["of"]) == (MOST_NUMBERS, MOST_NUMBERS + 5)


def test_a_headline_is_plain_json():
    verdict = Verdict(
        [], "n", None, "s", headline={"left": 0.1, "at": datetime(2026, 1, 1, tzinfo=UTC)}
    )
    assert verdict.payload()["headline"] == {"left": 0.1, "at": "2026-01-01T00:00:00Z"}


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="'great' is no verdict; it is one of met"):
        Verdict([], "n", "great", "s")
    with pytest.raises(ValueError, match="'great' is no verdict"):
        Tile("a", "b", verdict="great")
    with pytest.raises(KeyError, match="'b' is no column of this table; it has a"):
        Table("T", "s", [Col("a", "A")], [], sort=("b", True))
    with pytest.raises(KeyError, match="'b' is no column"):
        Table("T", "s", [Col("a", "A")], [], filters=["b"])


def test_a_table_is_sorted_before_it_is_shown():
    table = Table(
        "T", "s", [Col("a", "A", "number")], [{"a": 1}, {"a": 3}, {"a": None}], sort=("a", True)
    )
    assert table.payload()["table"]["columns"][0]["values"] == [3, 1, None]


def test_plain_text_tells_the_same():
    assert BLOCKS[0].text() == "checkout\n● Met: It is fine.\n"
    assert BLOCKS[1].text() == "SLI: 99.9 % (of 2 G)"
    assert BLOCKS[6].text() == "requests: complete until 1 Nov 00:00"
    assert Table("T", "s", [Col("a", "A")], [], empty="None.").text() == "T\ns\nNone."
