"""Cells of an executed notebook turned into the parts of a page."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from html import escape
from typing import Any

import bleach  # type: ignore[import-untyped]
import mistune
from pygments import highlight  # type: ignore[import-untyped]
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]
from pygments.lexers import PythonLexer  # type: ignore[import-untyped]

from fleetslo.charts import markup
from fleetslo.charts.blocks import LAB_ONLY, MIMETYPE, PLOTLY_MIMETYPE
from fleetslo.charts.markup import Links

_TAGS = frozenset(
    (
        *("a", "abbr", "b", "br", "caption", "code", "col", "colgroup", "dd", "div", "dl", "dt"),
        *("em", "h2", "h3", "h4", "i", "li", "ol", "p", "pre", "small", "span", "strong", "sub"),
        *("sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul"),
    )
)
_ATTRIBUTES = {"*": ["title"], "td": ["colspan", "rowspan"], "th": ["colspan", "rowspan", "scope"]}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")
_IMAGES = ("image/png", "image/jpeg", "image/svg+xml")


@dataclass
class Parts:
    """What a page is put together from, in the order of the notebook.

    Attributes:
        heading: the first heading of the notebook, for a page without a verdict block.
        question: the text under it.
        verdict: payload of the verdict block, if there is one.
        sections: HTML of everything else.
        code: HTML of each code cell.
        charts: how many figures there are.
    """

    heading: str = ""
    question: str = ""
    verdict: Mapping[str, Any] | None = None
    sections: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    charts: int = 0


def parts_of(notebook: Any, links: Links, standing: str = "") -> Parts:
    """Return the parts of an executed notebook; ``standing`` is told with what changed.

    Text before a chart or a table goes into its card, as what to look for; other text stands
    alone. Code is kept apart.
    """
    parts = Parts()
    look = ""
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            source = cell.source
            if not parts.heading and (found := re.match(r"\s*#\s+(.+)\n*", source)):
                parts.heading = found[1].strip()
                parts.question = source[found.end() :].strip()
            else:
                look += markdown(source, links)
        elif cell.cell_type == "code":
            if cell.source.strip():
                parts.code.append(code(cell.source))
            outputs = [_with_standing(one, standing) for one in cell.get("outputs", [])]
            look = _add_outputs(parts, outputs, f"c{position}", look, links)
    _add_look(parts, look)
    return parts


def _with_standing(output: Any, standing: str) -> Any:
    payload = output.get("data", {}).get(MIMETYPE)
    if not (standing and payload and payload["block"] == "changes"):
        return output
    told = {**payload, "sentence": f"{payload['sentence']} {standing}"}
    return {**output, "data": {**output["data"], MIMETYPE: told}}


def _add_look(parts: Parts, look: str, *, before: bool = False) -> None:
    """Add text that stands alone; smaller when it only leads to the numbers right after it."""
    if look:
        extra = " before" if before else ""
        parts.sections.append(f'<div class="text full{extra}">{look}</div>')


def _add_outputs(parts: Parts, outputs: Sequence[Any], key: str, look: str, links: Links) -> str:
    """Add a cell's outputs to the parts; return the text that still waits for a card."""
    for position, output in enumerate(outputs):
        if output.get("metadata", {}).get("fleetslo") == LAB_ONLY["fleetslo"]:
            continue
        name = f"{key}-{position}"
        data = output.get("data", {})
        payload = data.get(MIMETYPE)
        if payload and payload["block"] == "verdict" and parts.verdict is None:
            parts.verdict = payload
            _add_look(parts, look)
            look = ""
        elif payload and payload["block"] in ("chart", "table", "sources"):
            parts.sections.append(_card(payload, data, name, look, links))
            parts.charts += payload["block"] == "chart"
            look = ""
        else:
            html = _block(payload, name, links) if payload else _plain_output(output, name)
            parts.charts += PLOTLY_MIMETYPE in data
            if html:
                _add_look(parts, look, before=payload is not None)
                look = ""
                parts.sections.append(html)
    return look


def _card(
    payload: Mapping[str, Any], data: Mapping[str, Any], key: str, look: str, links: Links
) -> str:
    if payload["block"] == "table":
        return markup.table_card(payload, key, links, look)
    if payload["block"] == "sources":
        return markup.sources(payload, key, look)
    drawing = markup.plot_place(key, payload["height"], bare(data[PLOTLY_MIMETYPE]))
    return markup.chart(payload, key, drawing, look)


def _block(payload: Mapping[str, Any], key: str, links: Links) -> str:
    match payload["block"]:
        case "verdict":
            return f'<section class="again full">{markup.head(payload, links)}</section>'
        case "tiles":
            return markup.tiles(payload)
        case "changes":
            return markup.changes(payload)
        case "note":
            return markup.note(payload)
    return ""


def bare(figure: Mapping[str, Any]) -> dict[str, Any]:
    """Return a figure without its template, which site.js has, and without Plotly's settings."""
    layout = {
        name: value
        for name, value in figure.get("layout", {}).items()
        if name not in ("template", "width")
    }
    return {"data": figure["data"], "layout": layout}


def _plain_output(output: Mapping[str, Any], key: str) -> str:
    """Return an output that is no block: a figure, an image, a frame or text."""
    if output["output_type"] == "stream":
        return _pre(output["text"]) if output["name"] == "stdout" else ""
    if output["output_type"] == "error":
        return _pre("\n".join(output["traceback"]), "error")
    data = output.get("data", {})
    if PLOTLY_MIMETYPE in data:
        figure = bare(data[PLOTLY_MIMETYPE])
        return _bare_chart(figure, key)
    for kind in _IMAGES:
        if kind in data:
            return _image(kind, data[kind])
    if "text/html" in data:
        return f'<div class="output full">{sanitised(data["text/html"])}</div>'
    if "text/markdown" in data:
        return f'<div class="text full">{markdown(data["text/markdown"], markup.no_links)}</div>'
    return _pre(data["text/plain"]) if "text/plain" in data else ""


def _bare_chart(figure: dict[str, Any], key: str) -> str:
    title = figure["layout"].pop("title", None)
    text = title.get("text") if isinstance(title, dict) else title
    height = figure["layout"].get("height") or 320
    return (
        f'<figure class="card chart full" id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">{escape(text or "Figure")}</h2>'
        f'<p class="says" id="{key}-says"></p>'
        f"{markup.plot_place(key, height, figure)}</figure>"
    )


def _image(kind: str, content: str) -> str:
    from base64 import b64encode

    encoded = b64encode(content.encode()).decode() if kind == "image/svg+xml" else content
    source = f"data:{kind};base64,{escape(encoded.strip())}"
    return (
        f'<div class="output full"><img src="{source}" alt="Picture without a description"></div>'
    )


def _pre(text: str, extra: str = "") -> str:
    plain = _ANSI.sub("", text).rstrip()
    return f'<pre class="output full {extra}" tabindex="0">{escape(plain)}</pre>' if plain else ""


def sanitised(html: str) -> str:
    """Return HTML of a notebook's output with nothing in it that acts, loads or styles."""
    still = re.sub(r"(?is)<(style|script)\b.*?</\1\s*>", "", html)
    return str(bleach.clean(still, tags=_TAGS, attributes=_ATTRIBUTES, strip=True))


def markdown(source: str, links: Links) -> str:
    """Return Markdown as HTML; HTML inside it is shown, not run, and pages become links."""

    class Renderer(mistune.HTMLRenderer):
        """Mistune's own, with headings below the page's and pages resolved."""

        def heading(self, text: str, level: int, **attributes: Any) -> str:
            """Return a heading of at least the second level."""
            return super().heading(text, max(level, 2), **attributes)

        def link(self, text: str, url: str, title: str | None = None) -> str:
            """Return a link; one to a page that is not part of the site is plain text."""
            if url.startswith("page:"):
                address = links(url)
                return super().link(text, address, title) if address else text
            return super().link(text, url, title)

    read = mistune.create_markdown(renderer=Renderer(escape=True), plugins=["table"])
    return str(read(source))


@cache
def _formatter() -> Any:
    return HtmlFormatter(nowrap=True, classprefix="s-")


def code(source: str) -> str:
    """Return Python source as HTML with classes for its parts."""
    marked = highlight(source, PythonLexer(), _formatter())
    return f'<pre tabindex="0"><code>{marked}</code></pre>'


def failing_cell(notebook: Any) -> tuple[int, int, Any] | None:
    """Return number (from 1), count of cells and the cell that failed, or None.

    It is the first one that raised, or in which the run was cut short.
    """
    cells = list(numbered(notebook))
    for number, cell in cells:
        cut_short = cell.metadata.get("papermill", {}).get("status") == "failed"
        if cut_short or error_of(cell) is not None:
            return number, cells[-1][0], cell
    return None


def numbered(notebook: Any) -> Iterator[tuple[int, Any]]:
    """Yield each cell with its number in the author's notebook, from 1.

    The cell of parameters that a run adds has no number of its own: it has that of the cell before.
    """
    number = 0
    for cell in notebook.cells:
        number += not _is_injected(cell)
        yield number, cell


def _is_injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


def error_of(cell: Any) -> Any:
    """Return the error output of a cell, or None."""
    return next((one for one in _outputs(cell) if one.output_type == "error"), None)


def _outputs(cell: Any) -> Iterator[Any]:
    yield from cell.get("outputs", [])


def traceback_of(error: Any) -> str:
    """Return the traceback of an error output, without terminal colours."""
    return _ANSI.sub("", "\n".join(error.traceback))
