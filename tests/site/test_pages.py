import re
from pathlib import Path

import demo
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from fleetslo.errors import OutputError
from fleetslo.reports import index, outputs, shared
from fleetslo.reports.html import Context, render, render_failure, render_index, write_assets

KIB = 1024


def page(notebook, **options) -> str:
    return render(notebook, title="SLO report", assets="../assets", **options)


def with_output(**data) -> str:
    output = new_output(
        "display_data", data={key.replace("__", "/"): one for key, one in data.items()}
    )
    return page(new_notebook(cells=[new_code_cell("x", outputs=[output])]))


def visible(html: str) -> str:
    """Return a page without what is inside its scripts and styles, and without its folded code."""
    return re.sub(r"(?s)<(script|style)\b.*?</\1>|<details class=\"code\">.*?</details>", "", html)


def test_a_page_with_six_charts_is_under_700_kib(site: Path):
    html = (site / "pages" / "service.html").read_text(encoding="utf-8")
    assert html.count('class="plot"') == 6
    assert len(html.encode()) <= 700 * KIB


def test_no_page_names_another_host(site: Path):
    for path in [*site.glob("*.html"), *site.glob("pages/*.html")]:
        html = visible(path.read_text(encoding="utf-8"))
        assert not re.findall(r'(?:src|href|action)="(?:https?:)?//[^"]*"', html), path.name
    for path in site.glob("assets/*.css"):
        assert "url(" not in path.read_text(encoding="utf-8")


def test_cells_stand_in_order_and_text_goes_into_the_card_below_it(site: Path):
    html = visible((site / "pages" / "service.html").read_text(encoding="utf-8"))
    order = [
        "Fleet</a>",
        "<h1>checkout",
        "late</strong>",
        "Availability, target",
        "Since last week",
        "One afternoon",
        "58 % of the spent budget",
    ]
    places = [html.index(one) for one in order]
    assert places == sorted(places)
    card = html.split('<figure class="card chart full"')[1].split("</figure>")[0]
    assert "Look for steps: a step is one event" in card


def test_code_is_shown_only_folded(site: Path):
    html = (site / "pages" / "service.html").read_text(encoding="utf-8")
    assert "report" not in visible(html).split("<main")[1].split("</main>")[0].replace(
        "report,", ""
    )
    folded = html.split('<details class="code">')[1].split("</details>")[0]
    assert folded.count("<pre tabindex") == 14
    assert "<details open" not in html


def test_jupyterlabs_own_outputs_are_left_out(site: Path):
    html = (site / "pages" / "service.html").read_text(encoding="utf-8")
    assert "fslo" not in html
    assert html.count("One afternoon took most of the budget") == 2  # drawn twice in the demo


def test_a_page_is_described_before_it_is_drawn(site: Path):
    html = visible((site / "pages" / "service.html").read_text(encoding="utf-8"))
    figures = re.findall(r'<figure class="card chart.*?</figure>', html, flags=re.S)
    for figure in figures:
        key = re.search(r'id="(\S+)" aria-labelledby="(\S+)" aria-describedby="(.*?)"', figure)
        ids = re.findall(r'id="(\S+?)"', figure)
        assert {key[2], *key[3].split()} <= set(ids)
        assert "<summary>The numbers</summary>" in figure
        assert "<caption" in figure


def test_figures_are_compact_and_bring_no_template(site: Path):
    html = (site / "pages" / "service.html").read_text(encoding="utf-8")
    figure = re.search(r'-figure">(.*?)</script>', html)[1]
    assert '"bdata"' in figure
    assert '"template"' not in figure


def test_links_are_relative_and_missing_pages_are_text():
    html = page(demo.service_page(), context=Context(links=lambda _: None, previous="../p/x.html"))
    assert '<a href="../p/x.html" rel="prev">' in html
    assert "<li>Fleet</li>" in html


def test_a_standalone_page_needs_no_other_file():
    html = page(demo.service_page(), standalone=True, context=Context(home="../index.html"))
    assert not re.findall(r'<(?:script|link)[^>]* (?:src|href)="(?!data:)', html)
    assert "../index.html" not in html
    assert len(html) > len(shared.contents()["plotly"])
    assert html.count("</html>") == 1


def test_a_page_without_charts_does_not_load_plotly():
    assert "plotly" not in page(demo.fleet_page(3))
    assert "plotly" in page(demo.service_page())


def test_a_service_named_like_a_script_is_text_everywhere(site: Path):
    for name in ("index.html", "assets/index-1.js", "pages/fleet.html", "pages/fleet_large.html"):
        text = (site / name).read_text(encoding="utf-8")
        assert "<script>alert" not in text, name
    assert "&lt;script&gt;alert(1)&lt;/script&gt;/../x" in (site / "pages/fleet.html").read_text()


def test_a_notebook_without_blocks_is_a_page_too():
    cells = [
        new_markdown_cell("# My own\n\nWhat **is** it?"),
        new_markdown_cell(
            "See [the fleet](page:fleet_overview), [it](https://e.org) <b>x</b>\n\n# Part"
        ),
        new_code_cell("1", outputs=[new_output("execute_result", data={"text/plain": "a < b"})]),
        new_code_cell("2", outputs=[new_output("stream", name="stdout", text="said\n")]),
        new_code_cell("3", outputs=[new_output("stream", name="stderr", text="muttered\n")]),
        new_code_cell(""),
    ]
    html = page(
        new_notebook(cells=cells), context=Context(links=lambda name: f"to/{name[5:]}.html")
    )
    assert "<h1>My own</h1>" in html
    assert "<strong>is</strong>" in html
    assert '<a href="to/fleet_overview.html">the fleet</a>' in html
    assert '<a href="https://e.org">it</a>' in html  # a reader may follow it; nothing loads it
    assert "&lt;b&gt;x&lt;/b&gt;" in html
    assert "<h2>Part</h2>" in html
    assert "a &lt; b" in html
    assert ">said</pre>" in html
    assert "muttered" not in html


def test_other_outputs_are_shown_without_what_acts():
    frame = "<style>p{}</style><table onclick='x()'><tr><td>1</td></tr></table><script>alert(1)</script><img src=//e.org>"
    html = with_output(text__html=frame)
    main = html.split("<main")[1].split("</main>")[0]
    assert "<td>1</td>" in main
    assert not any(one in main for one in ("onclick", "<script", "alert", "<img", "p{}"))
    assert 'src="data:image/png;base64,aGk="' in with_output(image__png="aGk=\n")
    assert "data:image/svg+xml;base64," in with_output(**{"image/svg+xml": "<svg/>"})
    assert "<em>md</em>" in with_output(text__markdown="*md*")
    assert "<main" in with_output(**{"application/x-odd": "?"})


def test_a_figure_without_a_block_is_drawn_under_its_own_title():
    figure = {
        "data": [],
        "layout": {"title": {"text": "Mine <b>"}, "height": 200, "width": 5, "template": {}},
    }
    html = with_output(**{"application/vnd.plotly.v1+json": figure})
    assert "Mine &lt;b&gt;</h2>" in html
    assert "height:200px" in html
    assert '"width"' not in html
    assert "data-plotly" in html


def test_a_failed_page_names_the_cell_and_folds_the_traceback(site: Path):
    html = (site / "pages" / "failure.html").read_text(encoding="utf-8")
    assert "Cell 2 of 3 failed." in html
    assert "NoData: nothing was recorded for &lt;lyrics&gt;" in html
    assert '<details class="traceback"><summary>Traceback</summary>' in html
    assert "line 1 &amp; 2" in html
    assert "\x1b" not in html


def test_a_run_that_was_cut_short_says_why():
    html = render_failure(
        new_notebook(cells=[]),
        title="x",
        assets="a",
        reason="the kernel died in cell 4",
        standalone=True,
    )
    assert "the kernel died in cell 4" in html
    assert "Traceback" not in html
    assert outputs.failing_cell(new_notebook(cells=[])) is None


def test_assets_are_named_by_their_content_and_written_once(tmp_path: Path):
    named = write_assets(tmp_path / "assets")
    paths = sorted((tmp_path / "assets").iterdir())
    assert [path.name for path in paths] == sorted([named.style, named.script, named.plotly])
    for path in paths:
        digest = path.stem.rsplit("-", 1)[1]
        assert digest == shared.digest(path.read_text(encoding="utf-8"))
    before = [path.stat().st_mtime_ns for path in paths]
    assert write_assets(tmp_path / "assets") == named
    assert [path.stat().st_mtime_ns for path in paths] == before


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file cannot be written to"):
        write_assets(tmp_path / "file")


def test_a_small_index_needs_no_script_beside_it():
    shown = demo.index_site(24)
    assert index.script(shown) is None
    html = render_index(shown, data="assets/index-1.js")
    assert "index-1.js" not in html
    assert html.count('<th scope="row"') == 24
    assert "1 report could not be made" in html
    assert "run 2026-11-01-0600" in html


def test_a_large_index_is_small_and_its_rows_lie_beside_it(site: Path):
    assert (site / "index.html").stat().st_size < 16 * KIB
    script = (site / "assets" / "index-1.js").read_text(encoding="utf-8")
    assert script.startswith("window.fleetsloIndex=[")
    assert len(script) < 750 * KIB  # 40 characters a service for its last twelve reports


def test_an_index_shows_what_it_has():
    shown = {"title": "Reports", "sentence": "One.", "services": [{"service": "a", "href": None}]}
    html = render_index(
        {**shown, "reports": [{"label": "Fleet", "href": "f.html", "says": "One."}]}
    )
    assert html.count("One.") == 1  # not said twice
    assert "Squad" not in html
    assert "No service has been reported yet" in render_index({**shown, "services": []})


def test_a_squads_feed_can_be_followed_from_its_page_and_from_the_index():
    html = page(demo.service_page(), context=Context(feed="../../feeds/payments.atom", run="r"))
    link = '<link rel="alternate" type="application/atom+xml" title="SLO report" '
    assert f'{link}href="../../feeds/payments.atom">' in html
    assert '<a href="../../feeds/payments.atom" type="application/atom+xml">Follow</a>' in html
    assert "application/atom+xml" not in page(demo.service_page())
    squads = [{"squad": "R&D", "href": "r.html", "feed": "Follow", "feed_href": "feeds/r-d.atom"}]
    html = render_index({**demo.index_site(3), "squads": squads})
    assert 'title="Reliability of R&amp;D" href="feeds/r-d.atom">' in html
    assert '<a href="feeds/r-d.atom">Follow</a>' in html


def test_the_place_of_a_page_is_told_with_what_changed():
    rank = "**Rank:** 3rd of 24 by budget spent."
    html = page(demo.service_page(), context=Context(standing=rank))
    (line,) = re.findall(r'<p class="changes">(.*?)</p>', html)
    assert line.endswith(" <strong>Rank:</strong> 3rd of 24 by budget spent.")
    assert "Rank" not in page(demo.service_page())


def test_an_error_of_a_hundred_megabytes_makes_a_small_page():
    notebook = demo.failed()
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                output.update(evalue="x" * 10**8, traceback=["y" * 10**8])
    html = render_failure(notebook, title="t", assets="a")
    assert len(html) < 100 * KIB
