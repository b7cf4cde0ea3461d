"""Cells of a table as escaped HTML; ``site.js`` draws the same for tables of thousands of rows."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from fleetslo.charts import tables, words

_SPARK_STEP = 4  # pixels from one bar to the next; a bar is 3 wide
_SPARK_HEIGHT = 22
_LEAST_BAR = 1.5  # per cent of the track, so that a little is seen to be more than nothing


def verdict(key: str) -> str:
    """Return a verdict as shape and word; its class gives the colour."""
    shape, word = words.verdict_mark(key)
    return (
        f'<span class="verdict {key}"><span class="shape" aria-hidden="true">{shape}</span>'
        f"{word}</span>"
    )


def link(text: str, page: str | None, links: Callable[[str], str | None]) -> str:
    """Return a link to a page, or the escaped text where there is no such page."""
    address = links(page) if page else None
    if address is None:
        return escape(text)
    return f'<a href="{escape(address)}">{escape(text)}</a>'


def classes(column: Mapping[str, Any]) -> str:
    """Return the classes of a column's cells: kind, side and priority."""
    side = " r" if column["align"] == "right" else ""
    low = f" p{column['priority']}" if column["priority"] > 1 else ""
    short = " short" if column.get("short") else ""
    return f"k-{column['kind']}{side}{low}{short}"


def choices(column: Mapping[str, Any]) -> list[tuple[Any, str]]:
    """Return each value of a column once with its text, in reading order; verdicts worst first."""
    texts = column.get("texts") or column["values"]
    if column["kind"] == "verdict":
        found = {value for value in column["values"] if value is not None}
        return [(key, words.verdict_mark(key).word) for key in tables.VERDICT_ORDER if key in found]
    pairs = {
        value: str(text)
        for value, text in zip(column["values"], texts, strict=True)
        if value is not None
    }
    numbers = all(isinstance(value, int | float) for value in pairs)
    return sorted(pairs.items(), key=lambda pair: pair[0] if numbers else pair[1].casefold())


def row(
    columns: Sequence[Mapping[str, Any]], position: int, links: Callable[[str], str | None]
) -> str:
    """Return one row of a table."""
    return f"<tr>{''.join(cell(column, position, links) for column in columns)}</tr>"


def cell(column: Mapping[str, Any], position: int, links: Callable[[str], str | None]) -> str:
    """Return one cell; what it is sorted by stands in ``data-v`` where the text would not do."""
    value = column["values"][position]
    text = column["texts"][position] if "texts" in column else _text(value)
    inside, sorted_by = _inside(column, position, value, text, links)
    mark = f' data-v="{escape(str(sorted_by))}"' if sorted_by is not None else ""
    tag, scope = ("th", ' scope="row"') if column.get("head") else ("td", "")
    return f'<{tag}{scope} class="{classes(column)}"{mark}>{inside}</{tag}>'


def _text(value: Any) -> str:
    return words.NOTHING if value is None else str(value)


def _inside(
    column: Mapping[str, Any],
    position: int,
    value: Any,
    text: str,
    links: Callable[[str], str | None],
) -> tuple[str, Any]:
    """Return a cell's HTML and what it is sorted by, None where that is its text."""
    kind = column["kind"]
    given = column["verdicts"][position] if "verdicts" in column else None
    if kind == "spark":
        says = column["says"][position] if "says" in column else None
        return spark(value, says), column["sums"][position]
    if value is None:
        return words.NOTHING, ""
    match kind:
        case "verdict" if value in words.MARKS:
            return verdict(value), tables.VERDICT_ORDER[value]
        case "bar":
            return bar(value, column["full"], zero(column), given, text), value
        case "link":
            page = column["pages"][position] if "pages" in column else None
            return link(text, page, links), None
        case "badge":
            return f'<span class="badge">{escape(text)}</span>', None
        case "code":
            return f"<code>{escape(text)}</code>", None
        case "number" | "percent" | "time":
            inside = f'<span class="{given}">{escape(text)}</span>' if given else escape(text)
            return inside, value
    return escape(text), None if text == str(value) else value


def zero(column: Mapping[str, Any]) -> float:
    """Return where a bar column's zero is, in per cent of its track; 0 when nothing is negative."""
    least = min((value for value in column["values"] if value is not None), default=0.0)
    below = min(max(-least / column["full"], 0.0), 1.0)
    return _tenth(below / (1 + below) * 100)


def bar(value: float, full: float, zero_at: float, given: str | None, text: str) -> str:
    """Return a bar from zero to the right, or to the left when negative, and its number.

    Both sides have the same scale; a value past the end of its side is cut there, and marked.
    """
    room = zero_at if value < 0 else 100 - zero_at
    wanted = abs(value) / full * (100 - zero_at)
    width = _tenth(min(max(wanted, _LEAST_BAR if value else 0.0), room))
    left = _tenth(zero_at - width) if value < 0 else zero_at
    over = " over" if wanted > room + 0.1 else ""
    colour = f" {given}" if given else ""
    return (
        f'<span class="bar"><span class="track" style="--zero:{zero_at:g}%">'
        f'<span class="fill{colour}{over}" style="left:{left:g}%;width:{width:g}%"></span></span>'
        f'<span class="n">{escape(text)}</span></span>'
    )


def _tenth(value: float) -> float:
    """Return a value to one decimal, halves up, as JavaScript does it."""
    return math.floor(value * 10 + 0.5) / 10


def spark(heights: Sequence[int | None] | None, told: str | None = None) -> str:
    """Return a sparkline of bars; a missing stretch is left out, nothing at all is a flat mark.

    ``told`` says it in words; unless given, these are where it is highest.
    """
    if not heights:
        return words.NOTHING
    steps = "".join(
        f"M{position * _SPARK_STEP + 1.5:g} 22v-"
        f"{max(_tenth(height * _SPARK_HEIGHT / tables.SPARK_STEPS), 0.6):g}"
        for position, height in enumerate(heights)
        if height is not None
    )
    title = f"<title>{escape(told)}</title>" if told else ""
    known = [(height, -position) for position, height in enumerate(heights) if height is not None]
    highest = -max(known)[1] + 1 if known else 0
    says = f"highest at {highest} of {len(heights)}" if any(one[0] for one in known) else "flat"
    return (
        f'<svg class="spark" viewBox="0 0 {len(heights) * _SPARK_STEP} 22" aria-hidden="true">'
        f'{title}<path d="{steps}"/></svg><span class="hidden">{escape(told or says)}</span>'
    )
