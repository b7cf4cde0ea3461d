import json
from html.parser import HTMLParser

import pytest

from fleetslo.charts import cells, lab, markup
from fleetslo.charts.blocks import Changes, Col, Made, Note, Sources, Table, Tile, Tiles, Verdict

EVIL = "<script>alert(1)</script>/../x"


class Elements(HTMLParser):
    """Collects the elements and the text of a piece of HTML, and checks that they nest."""

    VOID = ("input", "path", "img", "br", "meta", "link")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag, **wanted):
        return [
            attrs
            for name, attrs in self.found
            if name == tag and all(attrs.get(key) == value for key, value in wanted.items())
        ]


def fleet(name: str = EVIL, **options) -> Table:
    columns = [
        Col("service", "Service", "link", page="page"),
        Col("verdict", "Verdict", "verdict"),
        Col("left", "Budget left", "bar", verdict="verdict", priority=2),
        Col("spent", "Spent", "spark", priority=3),
    ]
    rows = [
        {
            "service": name,
            "page": f"page:s/{name}",
            "verdict": "missed",
            "left": -0.9,
            "spent": [1.0, 2.0],
        },
        {"service": "b", "page": None, "verdict": None, "left": None, "spent": None},
    ]
    return Table("T & <T>", "says", columns, rows, **options)


def test_text_from_data_is_shown_and_not_run():
    html = markup.table_card(fleet().payload(), "k", lambda page: f"x/{page}?a&b")
    found = Elements(html)
    assert not found.all("script")
    assert EVIL in found.text
    assert found.all("a")[0]["href"] == f"x/page:s/{EVIL}?a&b"
    assert "T & <T>" in found.text


def test_json_in_a_script_cannot_end_it():
    text = markup.json_text({"a": "</script><!--\u2028\u2029&"})
    assert not any(one in text for one in ("<", ">", "&", "\u2028", "\u2029"))
    assert json.loads(text) == {"a": "</script><!--\u2028\u2029&"}
    with pytest.raises(ValueError, match="Out of range"):
        markup.json_text(float("nan"))


def test_sentences_mark_strong_words_and_names_only():
    assert (
        markup.inline("**4 %** of `a<b` & <i>it</i>")
        == "<strong>4 %</strong> of <code>a&lt;b</code> &amp; &lt;i&gt;it&lt;/i&gt;"
    )


def test_head_has_path_name_verdict_and_facts():
    block = Verdict(
        [("Fleet", "page:fleet"), ("checkout", None)],
        "checkout",
        "at_risk",
        "It has **4 %**.",
        ["28 days"],
    )
    found = Elements(
        markup.head(block.payload(), lambda page: "../fleet.html", ["<a href='p'>p</a>"])
    )
    assert found.all("nav", **{"aria-label": "Path"})
    assert found.all("a", href="../fleet.html")
    assert found.all("li", **{"aria-current": "page"})
    assert len(found.all("h1")) == 1
    assert "▲At risk" in found.text
    assert found.all("span", **{"aria-hidden": "true"})  # the shape is not read out
    assert "path" not in markup.head({**block.payload(), "path": []})


def test_a_page_that_is_not_there_is_plain_text():
    assert cells.link("a<b", "page:x", markup.no_links) == "a&lt;b"


def test_tiles_say_their_verdict_to_a_screen_reader_too():
    found = Elements(
        markup.tiles(Tiles([Tile("SLI", "99.9 %", "of 2 G", "met"), Tile("N", "3")]).payload())
    )
    assert found.all("dd", **{"class": "value met"})
    assert " (Met)" in found.text
    assert found.text.endswith("N3")


def test_a_table_has_scopes_sort_buttons_and_priorities():
    found = Elements(markup.table_card(fleet(sort=("left", False)).payload(), "k"))
    heads = found.all("th", scope="col")
    assert [one["aria-sort"] for one in heads] == ["none", "none", "ascending", "none"]
    assert [one["class"] for one in heads] == ["k-link", "k-verdict", "k-bar p2", "k-spark p3"]
    assert len(found.all("button", type="button")) == 4
    assert len(found.all("th", scope="row")) == 2
    assert found.all("section", **{"aria-labelledby": "k-title"})
    assert found.all("caption")


def test_overspent_bars_grow_to_the_left_of_zero():
    column = fleet().payload()["table"]["columns"][2]
    # least is -0.9, full 1: below zero takes 0.9 of 1.9, 47.4 %
    assert cells.zero(column) == 47.4
    over = cells.bar(-0.9, 1.0, 47.4, "missed", "−90 %")
    assert "left:0.1%;width:47.3%" in over  # 0.9 × 52.6 = 47.34
    half = cells.bar(0.5, 1.0, 47.4, None, "50 %")
    assert "left:47.4%;width:26.3%" in half
    assert " over" not in half
    assert " over" in cells.bar(-3.0, 1.0, 50.0, "missed", "−300 %")
    assert "width:1.5%" in cells.bar(0.001, 1.0, 0.0, None, "0.1 %")
    assert "width:0%" in cells.bar(0.0, 1.0, 0.0, None, "0 %")


def test_sparklines_leave_gaps_and_say_where_they_peak():
    drawn = cells.spark([31, None, 0])
    assert 'd="M1.5 22v-22M9.5 22v-0.6"' in drawn
    assert "highest at 1 of 3" in drawn
    assert "flat" in cells.spark([0, 0])
    assert cells.spark(None) == cells.spark([]) == "–"


def test_choices_are_in_reading_order_and_verdicts_worst_first():
    column = {"kind": "verdict", "values": ["met", "missed", None]}
    assert cells.choices(column) == [("missed", "Missed"), ("met", "Met")]
    numbers = {"kind": "number", "values": [10, 9, 10], "texts": ["10", "9", "10"]}
    assert cells.choices(numbers) == [(9, "9"), (10, "10")]
    assert cells.choices({"kind": "text", "values": ["b", "A", None]}) == [("A", "A"), ("b", "b")]


def test_controls_appear_when_asked_for():
    with_them = Elements(markup.table_card(fleet(search=True, filters=["verdict"]).payload(), "k"))
    assert with_them.all("input", type="search")
    assert [one["value"] for one in with_them.all("option")] == ["", "missed"]
    assert with_them.all("span", role="status")
    assert not Elements(markup.table_card(fleet().payload(), "k")).all("input")


def test_long_tables_are_carried_as_json():
    columns = [Col("n", "N", "number"), Col("l", "L", "link", page="p"), Col("b", "B", "bar")]
    rows = [{"n": i, "l": EVIL, "p": f"page:{i}", "b": 0.5} for i in range(markup.INLINE_ROWS + 1)]
    payload = Table("T", "s", columns, rows).payload()
    html = markup.table_card(payload, "k", lambda page: page.replace("page:", "to/"))
    assert html.count("<tr>") == 1
    carried = html.split('id="k-table-rows">')[1].split("</script>")[0]
    data = json.loads(carried)
    assert data[0]["values"][-1] == markup.INLINE_ROWS
    assert data[1]["pages"][3] == "to/3"
    assert data[2]["zero"] == 0.0
    assert "<script>alert" not in html
    outside = markup.table_card({**payload, "source": "rowsHere"}, "k")
    assert 'data-source="rowsHere"' in outside
    assert "k-table-rows" not in outside


def test_an_empty_table_says_so():
    html = markup.table_card(
        Table("T", "s", [Col("a", "A")], [], empty="No deployment.").payload(), "k"
    )
    assert "No deployment." in html
    assert "<table" not in html


def test_how_numbers_are_made_is_folded():
    made = Made("a / b", {"Good": 1_234_567, "Target": 0.999, "Gone": None}, ["slo/minutes"])
    html = markup.made(made.payload())
    assert Elements(html).all("details", **{"class": "made"})
    assert "1,234,567" in html  # in full: it went into a formula
    assert "0.999" in html
    assert "slo/minutes" in html
    assert markup.made(None) == ""


def test_sources_show_freshness_and_the_way_into_jupyterlab():
    block = Sources(
        [{"name": "requests", "says": "all", "complete_until": None}],
        "fleetslo lab x",
        {"Run": "1"},
    )
    found = Elements(markup.sources(block.payload(), "k"))
    assert "fleetslo lab x" in found.text
    assert found.all("th", scope="row")
    assert "Run1" in found.text
    assert "<table" not in markup.sources(Sources([]).payload(), "k")


@pytest.mark.parametrize(
    "block",
    [
        Verdict([("Fleet", "page:f")], "n", "met", "s"),
        Tiles([Tile("a", "b")]),
        Changes("**Since** then"),
        Note("late", "warning"),
        fleet(),
        Sources([]),
    ],
)
def test_every_block_is_html_in_jupyterlab(block):
    html = lab.block(block.payload())
    assert html.startswith("<style>.fslo")
    Elements(html.split("</style>")[1])


def test_jupyterlab_cuts_a_long_table_and_says_so():
    rows = [{"a": i, "s": [1.0]} for i in range(1_000)]
    table = Table("T", "s", [Col("a", "A"), Col("s", "S", "spark")], rows)
    html = lab.block(table.payload())
    assert "The first 200 of 1,000 rows." in html
    assert html.count('scope="row"') == 200
    with pytest.raises(ValueError, match="'odd' is no block"):
        lab.block({"block": "odd"})
