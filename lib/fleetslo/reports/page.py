"""What the site knows of a page, and how pages find each other."""

import hashlib
import json
import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from html import escape
from typing import Any

from fleetslo.periods import Period
from fleetslo.reports.jobs import Head, Job

# The document's head, as charts/markup.py writes it; whatever stands in it is escaped.
_FACTS = re.compile(r'(<ul class="facts">)(.*?)(</ul>)', re.DOTALL)
_NEIGHBOUR = re.compile(r'<li><a href="[^"]*" rel="(?:prev|next)">[^<]*</a></li>')


@dataclass(frozen=True)
class Page:
    """One page of the site. ``path`` is its file, ``name`` what links call it.

    ``service`` or ``squad`` is what it is about; both None where that is the fleet.
    ``key`` is the one of its job, ``around`` that of the pages it may link to (``Pages.around``).
    """

    path: str
    name: str
    notebook: str
    service: str | None
    period: str
    run_id: str
    title: str
    verdict: str | None = None
    sentence: str = ""
    headline: Mapping[str, Any] = field(default_factory=dict)
    squad: str | None = None
    key: str = ""
    around: str = ""

    @property
    def span(self) -> Period:
        """The period that the page covers."""
        return _span(self.period)

    @property
    def assets(self) -> str:
        """The relative address of the shared files."""
        return relative("assets", self.path)

    def follows(self, other: "Page") -> bool:
        """Return whether another page is an earlier one of the same series.

        That is the same report of the same length; months count as equally long.
        """
        mine, theirs = self.span, other.span
        alike = mine.length == theirs.length or (_is_month(mine) and _is_month(theirs))
        return self.name == other.name and alike and theirs.end < mine.end


@lru_cache(maxsize=4096)
def _span(text: str) -> Period:
    return Period.parse(text)


def page_of(job: Job, head: Head, run_id: str) -> Page:
    """Return the page that an executed job makes."""
    return Page(
        path=job.path,
        name=job.page,
        notebook=job.notebook,
        service=job.service,
        period=job.period,
        run_id=run_id,
        title=head.name or job.page,
        verdict=head.verdict,
        sentence=head.sentence,
        headline=head.headline,
        squad=job.squad,
        key=job.key,
    )


def _digest(parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _is_month(period: Period) -> bool:
    return period.start.day == period.end.day == 1 and 28 <= period.days <= 31


def relative(target: str, source: str) -> str:
    """Return the address of one path of the site as a link on the page at another writes it."""
    return posixpath.relpath(target, posixpath.dirname(source) or ".")


class Pages:
    """All pages of a site, looked up by what they cover."""

    def __init__(self, pages: Iterable[Page]) -> None:
        self.by_path = {page.path: page for page in pages}
        self._by_name: dict[str, list[Page]] = {}
        for page in sorted(self.by_path.values(), key=lambda page: page.span.end):
            self._by_name.setdefault(page.name, []).append(page)

    def __iter__(self) -> Iterator[Page]:
        """Yield every page."""
        return iter(self.by_path.values())

    def previous(self, page: Page) -> Page | None:
        """Return the nearest earlier page of the same series."""
        same = reversed(self._by_name.get(page.name, []))
        return next((other for other in same if page.follows(other)), None)

    def next(self, page: Page) -> Page | None:
        """Return the nearest later page of the same series."""
        same = self._by_name.get(page.name, [])
        return next((other for other in same if other.follows(page)), None)

    def around(self, page: Page) -> str:
        """Return a digest of the pages that a page may speak of: those it can link to, the last.

        A page with the same key and the same pages around it is the same page.
        """
        last = self.previous(page)
        before = (last.path, last.key or last.run_id) if last else None
        return _digest([self._ending[page.span.end], before])

    @cached_property
    def _ending(self) -> Mapping[datetime, str]:
        """A digest of the pages that end at each instant."""
        found: dict[datetime, list[tuple[str, ...]]] = {}
        for page in self:
            found.setdefault(page.span.end, []).append((page.name, page.path, page.period))
        return {end: _digest(sorted(pages)) for end, pages in found.items()}

    def links_from(self, page: Page) -> Callable[[str], str | None]:
        """Return what turns ``page:service_slo/checkout`` into an address on a page, or None.

        A page of the same period is meant; failing that, one that ends at the same instant.
        """

        def address(name: str) -> str | None:
            named = self._by_name.get(name.removeprefix("page:"), [])
            same = [other for other in named if other.period == page.period]
            ending = [other for other in named if other.span.end == page.span.end]
            found = next(iter(same or ending), None)
            return relative(found.path, page.path) if found else None

        return address


def with_neighbours(html: str, previous: str | None, following: str | None) -> str:
    """Return a page of an earlier run with its links to other periods brought up to date."""

    def renewed(found: re.Match[str]) -> str:
        facts = _NEIGHBOUR.sub("", found[2])
        if previous:
            facts += f'<li><a href="{escape(previous)}" rel="prev">← previous</a></li>'
        if following:
            facts += f'<li><a href="{escape(following)}" rel="next">next →</a></li>'
        return found[1] + facts + found[3]

    return _FACTS.sub(renewed, html, count=1)
