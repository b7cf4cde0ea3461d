"""A site of small pages that tells of each page, style and index which release it is of."""

import hashlib
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urljoin

from fleetslo.reports.missed import Missed
from fleetslo.reports.page import Page
from fleetslo.reports.site import Drawn, Release, read_published, switch

SLUG = "2026-10-01_2026-11-01"
HTML = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{name}</title>
<meta name="release" content="{run_id}">
<link rel="stylesheet" href="../assets/{style}"></head>
<body><header class="head"><ul class="facts"></ul></header><p><a href="../index.html">All</a> {text}</p></body></html>
"""


def style_of(run_id: str) -> tuple[str, str]:
    """Name and text of the style that only one release's pages use, as after an upgrade."""
    text = f"/* release {run_id} */\n"
    return f"style-{hashlib.sha256(text.encode()).hexdigest()[:10]}.css", text


class SmallSite:
    """A folder of releases; the index is large, so that its rows lie in a file of their own."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        self.folder = folder / "site"
        self.folder.mkdir(parents=True)

    def publish(self, run_id: str, names: Iterable[str] = ("fleet",), *, text: str = "",
                failed: Iterable[str] = ()) -> Path:  # fmt: skip
        """Publish pages of a run; one that was published before is drawn anew.

        The page ``review`` is that of a squad, which has a feed. ``failed`` could not be made.
        """
        style, css = style_of(run_id)
        drawn = []
        root = self.home / "drawn" / run_id
        missed = [Missed(self._page(name, run_id), "it broke", run_id) for name in failed]
        for one in missed:
            (root / one.path).parent.mkdir(parents=True, exist_ok=True)
            (root / one.path).write_text(f"<!doctype html>{one.reason} in {run_id}")
        for name in names:
            file = root / f"{name}.html"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(HTML.format(name=name, run_id=run_id, style=style, text=text))
            page = self._page(name, run_id)
            drawn.append(Drawn(page, file, frozenset([f"assets/{style}", "index.html"])))
        catalogue = {f"service-{number:03}": {"squad": "s"} for number in range(260)}
        release = Release(self.folder, run_id)
        known = {**catalogue, f"new-{run_id}": {}}
        release.build(read_published(self.folder), drawn, known, missed, explained=root)
        (release.folder / "assets" / style).write_text(css)
        release.check(drawn)
        index = switch(release)
        return index.parent.resolve()

    def _page(self, name: str, run_id: str) -> Page:
        squad = "payments" if name == "review" else None
        path = f"{SLUG}/{name}.html"
        return Page(path, name, "reports/one", None, "2026-10", run_id, name, squad=squad)

    def files(self) -> dict[str, bytes]:
        """Every published file by its path."""
        current = (self.folder / "current").resolve()
        return {
            path.relative_to(current).as_posix(): path.read_bytes()
            for path in sorted(current.rglob("*"))
            if path.is_file()
        }


def asked_by(address: str, html: str) -> list[str]:
    """Addresses of what a browser loads for a page: its styles and scripts."""
    base = re.search(r'<base href="([^"]+)"', html)
    root = urljoin(address, base[1]) if base else address
    found = re.findall(r'<(?:link rel="stylesheet" href|script defer src)="([^"]+)"', html)
    return [urljoin(root, one) for one in found]


def linked_from(address: str, html: str) -> list[str]:
    """Addresses that a page links to."""
    base = re.search(r'<base href="([^"]+)"', html)
    root = urljoin(address, base[1]) if base else address
    return [urljoin(root, one) for one in re.findall(r'<a [^>]*href="([^"#]+)"', html)]
