"""What a page must be before readers may see it."""

import posixpath
import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

from fleetslo.reports.artefacts import Made

# Elements that make up a page; an unclosed one swallows what comes after it.
_STRUCTURE = frozenset(
    (
        *("html", "head", "body", "title", "header", "main", "nav", "footer", "section"),
        *("article", "figure", "table", "details", "script", "style", "svg"),
    )
)
_LOADING = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
    ("embed", "src"),
    ("form", "action"),
}
_STYLE_LOADS = re.compile(r"(?:url\(\s*['\"]?|@import\s+['\"])\s*((?:https?:)?//[^'\")\s]+)", re.I)


@dataclass
class Checked:
    """A page that was looked at: what is wrong with it, and which files of the site it needs.

    ``made`` is its file, where it was drawn.
    """

    problems: list[str] = field(default_factory=list)
    needs: set[str] = field(default_factory=set)
    made: Made | None = None


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.open: Counter[str] = Counter()
        self.doctype = False
        self.title = ""
        self._inside: str | None = None
        self.styles: list[str] = []

    def handle_decl(self, decl: str) -> None:
        self.doctype |= decl.lower().strip() == "doctype html"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _STRUCTURE:
            self.open[tag] += 1
        self._inside = tag
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.ids.add(value)
            elif (tag, name) in _LOADING:
                self.loads.append(value)
            elif (tag, name) in {("a", "href"), ("area", "href")}:
                self.links.append(value)
            elif name == "style":
                self.styles.append(value)

    def handle_endtag(self, tag: str) -> None:
        if tag in _STRUCTURE:
            self.open[tag] -= 1
        self._inside = None

    def handle_data(self, data: str) -> None:
        if self._inside == "title" and not self.open["svg"]:
            self.title += data
        elif self._inside == "style":
            self.styles.append(data)


def check_page(html: str, path: str) -> Checked:
    """Return what is wrong with a page and the files it needs, as paths in the site.

    A page is whole (a document type, a title, every part closed), asks no other host for
    anything, runs no script from a link, and each link inside it has its place.
    """
    reader = _Reader()
    reader.feed(html)
    reader.close()
    checked = Checked()
    say = checked.problems.append
    if not reader.doctype:
        say("it has no document type")
    if not reader.title.strip():
        say("it has no title")
    if not html.rstrip().endswith("</html>"):
        say("it is cut short")
    for tag, count in sorted(reader.open.items()):
        if count:
            say(f"<{tag}> is not closed" if count > 0 else f"</{tag}> closes nothing")
    for style in reader.styles:
        reader.loads += _STYLE_LOADS.findall(style)
    for address in reader.loads:
        _follow(address, path, reader.ids, checked, loads=True)
    for address in reader.links:
        _follow(address, path, reader.ids, checked, loads=False)
    return checked


def _follow(address: str, path: str, ids: set[str], checked: Checked, *, loads: bool) -> None:
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        checked.problems.append(f"{address!r} is no address")
        return
    if parts.scheme or parts.netloc:
        if loads and parts.scheme != "data":
            checked.problems.append(f"it asks another host: {address}")
        elif parts.scheme not in {"http", "https", "mailto", "data", ""}:
            checked.problems.append(f"it has a link that is no page: {address}")
        return
    if not parts.path:
        anchor = unquote(parts.fragment)
        if anchor and anchor != "top" and anchor not in ids:
            checked.problems.append(f"it has a dead link: #{anchor}")
        return
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(parts.path)))
    if parts.path.startswith("/") or target.startswith("../"):
        checked.problems.append(f"it has a link that leads out of the site: {address}")
        return
    checked.needs.add(target)
