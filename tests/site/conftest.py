"""A small site of demo pages, and what opens them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from fleetslo.reports import index
from fleetslo.reports.html import Context, render, render_failure, render_index, write_assets

SERVICES = 3_000


def _links(page: str) -> str | None:
    name = page.removeprefix("page:")
    return "fleet.html" if name == "fleet_overview" else f"{abs(hash(name))}.html"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a site: index.html and, under pages/, one page of each kind."""
    import demo

    folder = tmp_path_factory.mktemp("site")
    (folder / "pages").mkdir()
    write_assets(folder / "assets")
    around = Context(links=_links, previous="before.html", home="../index.html", run="2026-11-01")
    pages = {
        "service": demo.service_page(),
        "fleet": demo.fleet_page(60),
        "fleet_large": demo.fleet_page(SERVICES),
    }
    for name, notebook in pages.items():
        html = render(notebook, title="SLO report", assets="../assets", context=around)
        (folder / "pages" / f"{name}.html").write_text(html, encoding="utf-8")
    alone = render(pages["service"], title="SLO report", assets="nowhere", standalone=True)
    (folder / "alone.html").write_text(alone, encoding="utf-8")
    failed = render_failure(demo.failed(), title="lyrics", assets="../assets", context=around)
    (folder / "pages" / "failure.html").write_text(failed, encoding="utf-8")
    shown = demo.index_site(SERVICES)
    (folder / "assets" / "index-1.js").write_text(index.script(shown) or "", encoding="utf-8")
    (folder / "index.html").write_text(
        render_index(shown, data="assets/index-1.js"), encoding="utf-8"
    )
    return folder


class Visit:
    """A page in Chromium that remembers what it asked for and what went wrong."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.foreign: list[str] = []
        self.errors: list[str] = []
        page.on("request", self._request)
        page.on(
            "console", lambda one: one.type in ("error", "warning") and self.errors.append(one.text)
        )
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def _request(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.foreign.append(request.url)

    def scroll_through(self) -> None:
        """Scroll down as far as charts go, and wait until the last one is drawn."""
        self.page.evaluate(
            "async () => { const end = Math.min(document.body.scrollHeight, 12000);"
            " for (let y = 0; y < end; y += 500) {"
            " scrollTo(0, y); await new Promise((done) => setTimeout(done, 40)); } }"
        )
        self.page.wait_for_function(
            "[...document.querySelectorAll('.plot')].every((one) => one.querySelector('.main-svg'))"
        )
        self.page.evaluate("scrollTo(0, 0)")


@pytest.fixture
def visit(chromium: Any, site: Path) -> Iterator[Any]:
    """Return a function that opens a page of the site: ``visit("pages/service.html", width=360)``."""
    contexts = []

    def open_page(path: str, *, width: int = 1280, scheme: str = "light", **options: Any) -> Visit:
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, **options
        )
        contexts.append(context)
        seen = Visit(context.new_page())
        seen.page.goto((site / path).as_uri())
        return seen

    yield open_page
    for context in contexts:
        context.close()
