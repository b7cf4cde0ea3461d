"""Payloads of blocks turned into escaped HTML, one way for the site and for JupyterLab.

Whatever came from data is escaped here: a service named ``<script>…`` is shown as text. The
names of classes and attributes are a contract with ``style.css``, ``site.js`` and ``lab.css``.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from fleetslo.charts import cells, words

Links = Callable[[str], str | None]
"""Turns a page's name ("page:service_slo/checkout") into a relative address, or None."""

INLINE_ROWS = 200
"""Tables up to this size are HTML, and readable without JavaScript; longer ones are drawn by it."""


def no_links(page: str) -> str | None:
    """Return None: nothing is linked, as in JupyterLab."""
    return None


def inline(sentence: str) -> str:
    """Return a sentence escaped, with ``**strong**`` and `` `names` `` marked."""
    text = escape(sentence)
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", text)
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text)


def json_text(value: Any) -> str:
    """Return JSON that may stand inside a script element, whatever texts it holds."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def head(payload: Mapping[str, Any], links: Links = no_links, more: Sequence[str] = ()) -> str:
    """Return the page's head of a verdict block: path, name, verdict sentence, what it covers.

    Args:
        payload: of a ``Verdict``.
        links: resolves the pages of the path.
        more: further facts as HTML, such as links to the periods before and after.
    """
    facts = [f"<li>{inline(fact)}</li>" for fact in payload["covers"]]
    facts += [f"<li>{fact}</li>" for fact in more]
    mark = cells.verdict(payload["verdict"]) + " " if payload["verdict"] else ""
    return (
        f"{path(payload['path'], links)}<h1>{escape(payload['name'])}</h1>"
        f'<p class="sentence">{mark}{inline(payload["sentence"])}</p>'
        f'<ul class="facts">{"".join(facts)}</ul>'
    )


def path(steps: Sequence[Sequence[str | None]], links: Links = no_links) -> str:
    """Return the way from the fleet down to this page, as navigation."""
    if not steps:
        return ""
    items = []
    for position, (label, page) in enumerate(steps):
        here = ' aria-current="page"' if position == len(steps) - 1 else ""
        items.append(f"<li{here}>{cells.link(str(label), page, links)}</li>")
    return f'<nav class="path" aria-label="Path"><ol>{"".join(items)}</ol></nav>'


def tiles(payload: Mapping[str, Any]) -> str:
    """Return the four numbers as a description list, and folded how each is made."""
    parts, folded = [], []
    for tile in payload["tiles"]:
        verdict = tile["verdict"]
        spoken = ""
        if verdict:
            spoken = f'<span class="hidden"> ({words.verdict_mark(verdict).word})</span>'
        detail = f'<dd class="detail">{inline(tile["detail"])}</dd>' if tile["detail"] else ""
        parts.append(
            f'<div class="tile"><dt>{inline(tile["label"])}</dt>'
            f'<dd class="value{" " + verdict if verdict else ""}">{escape(tile["value"])}'
            f"{spoken}</dd>{detail}</div>"
        )
        if tile["made"]:
            value = f"<strong>{escape(tile['value'])}</strong>"
            folded.append(f"<p>{inline(tile['label'])}: {value}</p>{_formula(tile['made'])}")
    return f'<dl class="tiles">{"".join(parts)}</dl>{_fold("".join(folded))}'


def changes(payload: Mapping[str, Any]) -> str:
    """Return the line of what changed."""
    return f'<p class="changes">{inline(payload["sentence"])}</p>{made(payload["made"])}'


def note(payload: Mapping[str, Any]) -> str:
    """Return a banner."""
    return f'<p class="note {payload["tone"]}" role="note">{inline(payload["sentence"])}</p>'


def made(payload: Mapping[str, Any] | None) -> str:
    """Return the folded "How these numbers are made", or nothing."""
    return _fold(_formula(payload)) if payload else ""


def _fold(inside: str) -> str:
    if not inside:
        return ""
    return f'<details class="made"><summary>How these numbers are made</summary>{inside}</details>'


def _formula(payload: Mapping[str, Any]) -> str:
    counts = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in payload["counts"]
    )
    queries = ", ".join(f"<code>{escape(name)}</code>" for name in payload["queries"])
    return (
        f'<p class="formula">{inline(payload["formula"])}</p>'
        + (f'<dl class="counts">{counts}</dl>' if counts else "")
        + (f'<p class="queries">From {queries}</p>' if queries else "")
    )


def chart(payload: Mapping[str, Any], key: str, drawing: str, look: str = "") -> str:
    """Return a chart: finding, description, drawing, folded numbers and how they are made.

    Args:
        payload: of a ``Chart``.
        key: an id that no other part of the page has.
        drawing: the HTML of the figure, or of the place where it will be drawn.
        look: HTML that says what to look for.
    """
    numbers = payload["numbers"]
    cut = ""
    if numbers["of"] > numbers["count"]:
        cut = f'<p class="cut">The first {numbers["count"]:,} of {numbers["of"]:,} rows.</p>'
    caption = f"The numbers of this chart, {words.plural(numbers['count'], 'row')}"
    return (
        f'<figure class="card chart {payload["width"]}" id="{key}" aria-labelledby="{key}-title" '
        f'aria-describedby="{key}-says {key}-caption">'
        f"{_title(payload, key, look)}{drawing}"
        f'<details class="numbers" id="{key}-numbers"><summary>The numbers</summary>{cut}'
        f"{table(numbers, f'{key}-table', caption=caption, caption_id=f'{key}-caption')}</details>"
        f"{made(payload['made'])}</figure>"
    )


def plot_place(key: str, height: int, figure: Mapping[str, Any]) -> str:
    """Return the place where site.js draws a figure, and the figure's JSON beside it."""
    return (
        f'<div class="plot" id="{key}-plot" style="height:{int(height)}px" role="img" '
        f'aria-labelledby="{key}-title" aria-describedby="{key}-says">'
        '<p class="undrawn">The numbers below tell what this chart shows.</p></div>'
        f'<script type="application/json" id="{key}-figure">{json_text(figure)}</script>'
    )


def table_card(
    payload: Mapping[str, Any], key: str, links: Links = no_links, look: str = ""
) -> str:
    """Return a table with its finding, search and filters."""
    data = payload["table"]
    if data["count"] == 0:
        body = f'<p class="empty">{inline(payload["empty"])}</p>'
    else:
        body = _controls(payload, key) + table(
            data,
            f"{key}-table",
            links,
            caption=payload["title"],
            sort=payload["sort"],
            most=payload["most"],
            source=payload.get("source"),
        )
    return (
        f'<section class="card tabled {payload["width"]}" id="{key}" aria-labelledby="{key}-title">'
        f"{_title(payload, key, look)}{body}{made(payload['made'])}</section>"
    )


def sources(payload: Mapping[str, Any], key: str, look: str = "") -> str:
    """Return where the numbers come from, how fresh they are, and the line for JupyterLab."""
    more = f'<div class="look">{look}</div>' if look else ""
    run = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>"
        for label, value in payload["run"]
    )
    lab = ""
    if payload["lab"]:
        lab = (
            '<p class="lab">Look closer in JupyterLab: '
            f'<code class="line">{escape(payload["lab"])}</code></p>'
        )
    rows = ""
    if payload["table"]["count"]:
        rows = table(payload["table"], f"{key}-table", caption="Sources and their freshness")
    return (
        f'<section class="card sources full" id="{key}" aria-labelledby="{key}-title">'
        f'<h2 id="{key}-title">Sources</h2>{more}{lab}{rows}'
        + (f'<dl class="counts">{run}</dl>' if run else "")
        + "</section>"
    )


def _title(payload: Mapping[str, Any], key: str, look: str) -> str:
    return (
        f'<h2 id="{key}-title">{inline(payload["title"])}</h2>'
        f'<p class="says" id="{key}-says">{inline(payload["says"])}</p>'
        + (f'<div class="look">{look}</div>' if look else "")
    )


def _controls(payload: Mapping[str, Any], key: str) -> str:
    """Return the search field and the choices above a table; they need JavaScript to be seen."""
    columns = {column["key"]: column for column in payload["table"]["columns"]}
    parts = []
    if payload["search"]:
        parts.append(
            f'<label class="search"><span class="hidden">Search this table</span>'
            f'<input type="search" placeholder="Search" autocomplete="off" spellcheck="false" '
            f'aria-controls="{key}-table"></label>'
        )
    for name in payload["filters"]:
        column = columns[name]
        options = "".join(
            f'<option value="{escape(str(value))}">{escape(text)}</option>'
            for value, text in cells.choices(column)
        )
        parts.append(
            f'<label class="filter"><span class="hidden">{escape(column["label"])}</span>'
            f'<select data-key="{escape(name)}" aria-controls="{key}-table">'
            f'<option value="">{escape(column["label"])}: all</option>{options}</select></label>'
        )
    if not parts:
        return ""
    return (
        f'<div class="controls" role="search" aria-labelledby="{key}-title">{"".join(parts)}'
        '<span class="found" role="status" aria-live="polite"></span></div>'
    )


def table(
    data: Mapping[str, Any],
    key: str,
    links: Links = no_links,
    *,
    caption: str,
    caption_id: str | None = None,
    sort: Sequence[Any] | None = None,
    most: int | None = None,
    source: str | None = None,
) -> str:
    """Return a table: its rows as HTML, or as JSON beside it when there are many.

    Args:
        data: as ``tables.table_payload`` returns it.
        key: id of the table element.
        links: resolves the pages of link columns.
        caption: said by screen readers; not seen.
        caption_id: id of the caption, for a description that points at it.
        sort: key of the column by which the rows are sorted, and whether downwards.
        most: rows seen at first.
        source: global of a script beside the page that holds the rows, when there are many.
    """
    columns = data["columns"]
    heads = "".join(_column_head(column, sort) for column in columns)
    many = data["count"] > INLINE_ROWS
    body = carried = ""
    if many:
        rows = "" if source else json_text(carried_columns(columns, links))
        script = f'<script type="application/json" id="{key}-rows">{rows}</script>'
        carried = (
            f"{'' if source else script}"
            '<noscript><p class="cut">This table is long and needs JavaScript.</p></noscript>'
        )
    else:
        body = "".join(cells.row(columns, position, links) for position in range(data["count"]))
    named = f' id="{caption_id}"' if caption_id else ""
    limit = f' data-most="{most}"' if most else ""
    if many and source:
        limit += f' data-source="{escape(source)}"'
    return (
        f'<div class="scroll" tabindex="0" role="group" aria-label="{escape(caption)}">'
        f'<table id="{key}" class="sortable"{limit} aria-rowcount="{data["count"] + 1}">'
        f'<caption class="hidden"{named}>{escape(caption)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div>{carried}"
    )


def _column_head(column: Mapping[str, Any], sort: Sequence[Any] | None) -> str:
    order = "none"
    if sort and sort[0] == column["key"]:
        order = "descending" if sort[1] else "ascending"
    unit = f' <span class="unit">{escape(column["unit"])}</span>' if "unit" in column else ""
    width = f' style="width:{escape(column["width"])}"' if "width" in column else ""
    return (
        f'<th scope="col" class="{cells.classes(column)}" aria-sort="{order}" '
        f'data-key="{escape(column["key"])}" data-kind="{column["kind"]}"{width}>'
        f'<button type="button">{escape(column["label"])}{unit}</button></th>'
    )


def carried_columns(columns: Sequence[Mapping[str, Any]], links: Links) -> list[dict[str, Any]]:
    """Return columns as site.js draws them: page names turned into addresses."""
    result = []
    for column in columns:
        one = {key: value for key, value in column.items() if key not in ("priority", "align")}
        one["class"] = cells.classes(column)
        if column["kind"] == "bar":
            one["zero"] = cells.zero(column)
        if "pages" in column:
            one["pages"] = [page and links(page) for page in column["pages"]]
        result.append(one)
    return result
