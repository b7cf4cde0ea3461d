"""An Atom feed per squad: each review of its services, with its verdict, newest first (RFC 4287).

::

    site/current/feeds/<squad>.atom

A feed lies in the site and is published with it. Its links are relative, as those of pages are, so
that a site reads the same wherever it is put; its ids are not addresses and never change.
"""

import re
from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, tostring

from fleetslo.charts import words
from fleetslo.reports.page import Page, begun, relative
from fleetslo.reports.slugs import slug

_ATOM = "http://www.w3.org/2005/Atom"
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document may hold, however they are written."""
_MOST = 52
"""Reviews in a feed: a year of weeks."""


def feed_path(squad: str) -> str:
    """Return where the feed of a squad lies in the site."""
    return f"feeds/{slug(squad)}.atom"


def feeds(pages: Iterable[Page]) -> dict[str, bytes]:
    """Return every feed by its path in the site, one per squad that has a page of its own."""
    by_squad: dict[str, list[Page]] = {}
    for page in pages:
        if page.squad is not None:
            by_squad.setdefault(page.squad, []).append(page)
    return {feed_path(squad): feed(squad, mine) for squad, mine in sorted(by_squad.items())}


def feed(squad: str, pages: Iterable[Page]) -> bytes:
    """Return the feed of a squad's pages as XML."""
    newest = sorted(pages, key=lambda page: (page.span.end, page.run_id), reverse=True)[:_MOST]
    path = feed_path(squad)
    root = Element("feed", {"xmlns": _ATOM, "xml:lang": "en"})
    SubElement(root, "title").text = _clean(f"Reliability of {squad}")
    SubElement(root, "id").text = f"urn:fleetslo:{path}"
    SubElement(root, "updated").text = max(map(_updated, newest))
    SubElement(root, "link", {"rel": "self", "href": relative(path, path)})
    SubElement(root, "link", {"rel": "alternate", "href": relative("index.html", path)})
    author = SubElement(root, "author")
    SubElement(author, "name").text = "fleetslo"
    for page in newest:
        entry = SubElement(root, "entry")
        SubElement(entry, "title").text = _clean(_title(page))
        SubElement(entry, "id").text = f"urn:fleetslo:{page.path}:{page.run_id}"
        SubElement(entry, "updated").text = _updated(page)
        SubElement(entry, "link", {"rel": "alternate", "href": relative(page.path, path)})
        SubElement(entry, "summary").text = _clean(page.sentence.replace("**", "").replace("`", ""))
    text: bytes = tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text


def _title(page: Page) -> str:
    mark = f"{words.verdict_mark(page.verdict).word}: " if page.verdict else ""
    return f"{mark}{page.title}, {page.span.label}"


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _updated(page: Page) -> str:
    """Return when the run of a page began."""
    return begun(page.run_id).strftime("%Y-%m-%dT%H:%M:%SZ")
