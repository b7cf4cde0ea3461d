"""Two sites, held against each other field by field: every text, attribute and number."""

import base64
import json
import math
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np

_TOLERANCE = 1e-9
"""Of numbers in charts: sums of durations depend on the order in which an engine adds them."""


class _Fields(HTMLParser):
    """The fields of a page, in order: (where, value)."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: list[tuple[str, Any]] = []
        self._inside = ""
        self._is_json = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self._inside, self._is_json = tag, given.get("type") == "application/json"
        self.fields += [(f"<{tag} {name}>", value) for name, value in attrs]

    def handle_data(self, data: str) -> None:
        if self._is_json:
            self.fields += list(_leaves(json.loads(data), f"<{self._inside}>"))
        elif data.strip():
            self.fields.append((f"<{self._inside}>", " ".join(data.split())))
        self._is_json = False


def _leaves(value: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield the values of a JSON document, arrays that Plotly packed unpacked."""
    if isinstance(value, dict) and {"dtype", "bdata"} <= value.keys():
        value = np.frombuffer(base64.b64decode(value["bdata"]), value["dtype"]).tolist()
    if isinstance(value, dict):
        for key in value:
            yield from _leaves(value[key], f"{where}.{key}")
    elif isinstance(value, list):
        for place, one in enumerate(value):
            yield from _leaves(one, f"{where}[{place}]")
    else:
        yield where, value


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float | int):
        both_missing = math.isnan(one) and math.isnan(other)
        return both_missing or math.isclose(one, other, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return bool(one == other)


def page_differences(one: str, other: str, aliases: Mapping[str, str] = {}) -> list[str]:
    """Return what differs between two pages, and how many fields were held against each other.

    Args:
        one: a page.
        other: the page that should say the same.
        aliases: what the other calls things that the first calls otherwise, such as addresses.
    """
    for theirs, ours in aliases.items():
        other = other.replace(theirs, ours)
    fields: list[list[tuple[str, Any]]] = []
    for text in (one, other):
        parser = _Fields()
        parser.feed(text)
        fields.append(parser.fields)
    nothing = ("nothing", None)
    return [
        f"{ours[0]}: {ours[1]!r} here, {theirs[1]!r} there"
        for ours, theirs in zip_longest(*fields, fillvalue=nothing)
        if ours[0] != theirs[0] or not _same(ours[1], theirs[1])
    ]


def fields_of(page: str) -> int:
    """Return how many fields a page has."""
    parser = _Fields()
    parser.feed(page)
    return len(parser.fields)


def site_differences(one: Path, other: Path, aliases: Mapping[str, str] = {}) -> list[str]:
    """Return what differs between the pages of two sites, each with its page."""
    ours, theirs = (
        {path.relative_to(site).as_posix(): path for path in sorted(site.rglob("*.html"))}
        for site in (one, other)
    )
    found = [f"{path}: only in {one}" for path in sorted(ours.keys() - theirs.keys())]
    found += [f"{path}: only in {other}" for path in sorted(theirs.keys() - ours.keys())]
    for path in sorted(ours.keys() & theirs.keys()):
        texts = [each[path].read_text(encoding="utf-8") for each in (ours, theirs)]
        found += [f"{path}: {one}" for one in page_differences(*texts, aliases)]
    return found
