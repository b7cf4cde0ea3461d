"""Blocks as outputs of JupyterLab: the same HTML as on the site, with a small style of its own."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fleetslo.charts import markup, words

_MOST_ROWS = markup.INLINE_ROWS


def block(payload: Mapping[str, Any]) -> str:
    """Return a block as HTML for an output of JupyterLab; a long table is cut and says so."""
    kind, key = payload["block"], "block"
    match kind:
        case "verdict":
            inside = markup.head(payload)
        case "tiles":
            inside = markup.tiles(payload)
        case "changes":
            inside = markup.changes(payload)
        case "note":
            inside = markup.note(payload)
        case "table":
            inside = markup.table_card({**payload, "table": _cut(payload["table"])}, key)
            inside += _rest(payload["table"])
        case "sources":
            inside = markup.sources(payload, key)
        case _:
            raise ValueError(f"{kind!r} is no block")
    return _styled(inside)


def chart(payload: Mapping[str, Any]) -> tuple[str, str]:
    """Return what stands before a figure (finding, description) and after it (its numbers)."""
    before = (
        f"<h2>{markup.inline(payload['title'])}</h2>"
        f'<p class="says">{markup.inline(payload["says"])}</p>'
    )
    numbers = payload["numbers"]
    after = (
        f"<details><summary>The numbers</summary>{_rest(numbers)}"
        f"{markup.table(_cut(numbers), 'numbers', caption='The numbers')}</details>"
        f"{markup.made(payload['made'])}"
    )
    return _styled(before), _styled(after)


@cache
def _style() -> str:
    return files("fleetslo.charts").joinpath("lab.css").read_text(encoding="utf-8")


def _styled(inside: str) -> str:
    return f'<style>{_style()}</style><div class="fslo">{inside}</div>'


def _cut(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a table's first rows, as many as are shown without JavaScript."""
    lists = ("values", "texts", "pages", "verdicts", "sums")
    columns = [
        {key: value[:_MOST_ROWS] if key in lists else value for key, value in column.items()}
        for column in data["columns"]
    ]
    return {**data, "columns": columns, "count": min(data["count"], _MOST_ROWS)}


def _rest(data: Mapping[str, Any]) -> str:
    whole = data.get("of", data["count"])
    if whole <= _MOST_ROWS:
        return ""
    return f'<p class="cut">The first {_MOST_ROWS} of {words.plural(whole, "row")}.</p>'
