"""Pages: an executed notebook, a failed one and the site's index, each as one HTML text.

The pages are laid out by nbconvert with the template beside this module. It brings no style,
script or font of its own, and a page asks no other host for anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from nbconvert.exporters import TemplateExporter

from fleetslo.charts import cells, markup
from fleetslo.charts.markup import Links, no_links
from fleetslo.reports import index, outputs, shared
from fleetslo.reports.shared import write_assets

__all__ = ["Context", "render", "render_failure", "render_index", "write_assets"]

FEED = "application/atom+xml"
_MOST_REASON, _MOST_TRACEBACK = 2_000, 50_000
"""Characters of an error that a page shows: the first of its message, the last of its traceback."""


@dataclass(frozen=True)
class Context:
    """What a page knows of the site around it; all addresses are relative.

    Attributes:
        links: turns "page:service_slo/checkout" into an address, or None when the site has no
            such page.
        previous: address of the same report for the period before.
        next: address of the same report for the period after.
        home: address of the site's index.
        run: name of the run, such as ``2026-11-01-0600``.
        feed: address of the feed that the page is an entry of.
        history: HTML that lists earlier reports.
        standing: a sentence on the page's place among its kind, told with what changed.
    """

    links: Links = no_links
    previous: str | None = None
    next: str | None = None
    home: str | None = None
    run: str | None = None
    feed: str | None = None
    history: str = ""
    standing: str = ""


def render(
    notebook: Any,
    *,
    title: str,
    assets: str,
    window: str = "",
    standalone: bool = False,
    context: Context | None = None,
) -> str:
    """Return an executed notebook as a page.

    Args:
        notebook: an nbformat notebook that ran to its end.
        title: of the page, and of its feed.
        window: the title of the window; that of the page unless given.
        assets: relative address of the folder that ``write_assets`` filled.
        standalone: put style, script and plotly.js into the page itself, to send it to somebody;
            it then links to no other page.
        context: links to other pages; none of them unless given.
    """
    around = Context() if standalone or context is None else context
    parts = outputs.parts_of(notebook, around.links, around.standing)
    page = {
        "title": window or title,
        "description": parts.question,
        "head": _head(parts, title, around) + around.history,
        "feeds": [(title, around.feed)] if around.feed else [],
        "sections": parts.sections,
        "code": parts.code,
        "home": around.home,
    }
    return _fill("index.html.j2", notebook, page, assets, standalone, charts=parts.charts > 0)


def _head(parts: outputs.Parts, title: str, around: Context) -> str:
    facts = [f"run {escape(around.run)}"] if around.run else []
    if around.feed:
        facts.append(f'<a href="{escape(around.feed)}" type="{FEED}">Follow</a>')
    if around.previous:
        facts.append(f'<a href="{escape(around.previous)}" rel="prev">← previous</a>')
    if around.next:
        facts.append(f'<a href="{escape(around.next)}" rel="next">next →</a>')
    if parts.verdict:
        return markup.head(parts.verdict, around.links, facts)
    lead = outputs.markdown(parts.question, around.links) if parts.question else ""
    listed = "".join(f"<li>{fact}</li>" for fact in facts)
    return (
        f'<h1>{escape(parts.heading or title)}</h1><div class="lead">{lead}</div>'
        f'<ul class="facts">{listed}</ul>'
    )


def render_failure(
    notebook: Any,
    *,
    title: str,
    assets: str,
    standalone: bool = False,
    context: Context | None = None,
    reason: str | None = None,
) -> str:
    """Return the page of a notebook that failed: which cell, why, its traceback folded.

    Args:
        notebook: as far as it came; None where it is not to be shown.
        title: what was to be reported.
        assets: relative address of the shared files.
        standalone: as for ``render``.
        context: as for ``render``.
        reason: why it failed when no cell raised, such as "the kernel died in cell 4".
    """
    around = Context() if standalone or context is None else context
    failed = outputs.failing_cell(notebook) if notebook is not None else None
    page: dict[str, Any] = {
        "title": f"Failed: {title}",
        "name": title,
        "reason": reason or "The notebook did not run to its end.",
        "cell": None,
        "home": around.home,
        "run": around.run,
    }
    if failed:
        number, count, cell = failed
        page.update(cell=number, count=count, code=outputs.code(cell.source))
        if error := outputs.error_of(cell):
            page["reason"] = f"{error.ename}: {error.evalue}"[:_MOST_REASON]
            page["traceback"] = outputs.traceback_of(error)[-_MOST_TRACEBACK:]
    return _fill("failure.html.j2", notebook, page, assets, standalone, charts=False)


def render_index(
    site: Mapping[str, Any], *, assets: str = "assets", data: str | None = None
) -> str:
    """Return the site's index: the fleet's verdict, a search, every service's latest report.

    Args:
        site: what ``index.Site`` documents.
        assets: relative address of the shared files.
        data: relative address of the file that holds ``index.script(site)``; None puts it into
            the page.
    """
    page = index.page(site, data)
    return _fill("site_index.html.j2", None, page, assets, standalone=False, charts=False)


@cache
def _exporter() -> TemplateExporter:
    """Return nbconvert's exporter over our template; made once, since that takes a while."""
    exporter = TemplateExporter(  # type: ignore[no-untyped-call]
        template_name="fleetslo",
        template_file="index.html.j2",
        extra_template_basedirs=[str(Path(__file__).parent / "templates")],
        file_extension=".html",
    )
    exporter.environment.filters["e"] = lambda value: escape(str(value))
    exporter.environment.globals["verdict"] = cells.verdict
    exporter.environment.globals["inline"] = markup.inline
    exporter.environment.globals["feed_type"] = FEED
    return exporter


def _fill(
    template: str,
    notebook: Any,
    page: Mapping[str, Any],
    assets: str,
    standalone: bool,
    *,
    charts: bool,
) -> str:
    """Return a template filled with a page, its shared files linked or put in."""
    named = shared.names()
    folder = assets.rstrip("/")
    held = shared.contents() if standalone else {}
    files = {
        "style": f"{folder}/{named.style}",
        "script": f"{folder}/{named.script}",
        "plotly": f"{folder}/{named.plotly}",
        "inline": standalone,
        "style_text": held.get("style", ""),
        "script_text": held.get("script", "").replace("</script", "<\\/script"),
        "plotly_text": held.get("plotly", "").replace("</script", "<\\/script"),
        "charts": charts,
    }
    layout = _exporter().environment.get_template(template)
    return str(layout.render(nb=notebook, page=page, files=files))
