"""What the site knows of a page, and how pages find each other."""

import hashlib
import json
import posixpath
import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from html import escape
from itertools import islice
from typing import Any

from fleetslo.charts import cells, words
from fleetslo.periods import Period
from fleetslo.reports.jobs import Head, Job

# The document's head, as charts/markup.py writes it; whatever stands in it is escaped.
_FACTS = re.compile(r'(<ul class="facts">)(.*?)(</ul>)', re.DOTALL)
_NEIGHBOUR = re.compile(r'<li><a href="[^"]*" rel="(?:prev|next)">[^<]*</a></li>')
_END = re.compile(
    r'(?:<details class="history">.*?</details>)?'
    r'(?:<p class="note warning stale".*?</p>)?</header>',
    re.DOTALL,
)
MOST_EARLIER = 12
"""Earlier reports that a page lists, and that a sparkline shows with the newest."""


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
    def report(self) -> str:
        """The report that it is a page of: the first part of its name."""
        return self.name.partition("/")[0]

    @property
    def span(self) -> Period:
        """The period that the page covers."""
        return _span(self.period)

    @property
    def window(self) -> str:
        """What a window that shows the page is called: ``checkout · 4 Oct – 1 Nov 2026``."""
        return f"{self.title} · {self.span.label}" if self.period else self.title

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


def begun(run_id: str) -> datetime:
    """Return when a run began: its name starts with it.

    Raises:
        ValueError: it is no name of a run.
    """
    moment = datetime.strptime(run_id.partition("-")[0], "%Y%m%dT%H%M%S%z")
    return moment.astimezone(UTC)


def page_of(job: Job, head: Head, run_id: str) -> Page:
    """Return the page that an executed job makes, or one that failed was to be."""
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


def _kind(page: Page) -> tuple[str, str]:
    return page.report, page.period


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
        return next(iter(self.earlier(page, 1)), None)

    def next(self, page: Page) -> Page | None:
        """Return the nearest later page of the same series."""
        return next(iter(self.later(page, 1)), None)

    def series(self, page: Page) -> Sequence[Page]:
        """Return all pages of a page's name, the oldest first, whatever their length."""
        return self._by_name.get(page.name, ())

    def earlier(self, page: Page, most: int = MOST_EARLIER) -> list[Page]:
        """Return the nearest earlier pages of the same series, the newest first."""
        same = (other for other in reversed(self.series(page)) if page.follows(other))
        return list(islice(same, most))

    def later(self, page: Page, most: int = MOST_EARLIER) -> list[Page]:
        """Return the nearest later pages of the same series, the oldest first."""
        return list(islice((one for one in self.series(page) if one.follows(page)), most))

    def around(self, page: Page) -> str:
        """Return a digest of the pages that a page may speak of: those it can link to, the last.

        A page with the same key and the same pages around it is the same page.
        """
        last = self.previous(page)
        before = (last.path, last.key or last.run_id) if last else None
        return _digest([self._ending[page.span.end], before, self.standing(page)])

    def standing(self, page: Page) -> str:
        """Return a sentence on a page's place among its kind by budget spent, now and before.

        Compared are the same report of others over the same period; 1st has the least budget left.
        Empty where the page has no budget, or is the only one.
        """
        now, last = self._place(page), self.previous(page)
        before = self._place(last) if last else None
        if now is None:
            return ""
        place, count = now
        of = f"{words.ordinal(place)} of {count:,} by budget spent"
        if before is None:
            return f"**Rank:** {of}."
        if before == now:
            return f"**Rank:** still {of}."
        return f"**Rank:** {of}; {words.ordinal(before[0])} of {before[1]:,} in the report before."

    def _place(self, page: Page) -> tuple[int, int] | None:
        left, others = page.headline.get("budget_left"), self._lefts.get(_kind(page), ())
        if left is None or len(others) < 2:
            return None
        return bisect_left(others, left) + 1, len(others)

    @cached_property
    def _lefts(self) -> Mapping[tuple[str, str], Sequence[float]]:
        """The budget left of each page of a report and period, the least first."""
        found: dict[tuple[str, str], list[float]] = {}
        for page in self:
            if page.headline.get("budget_left") is not None:
                found.setdefault(_kind(page), []).append(page.headline["budget_left"])
        return {kind: sorted(lefts) for kind, lefts in found.items()}

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


def history(page: Page, pages: Pages) -> str:
    """Return the earlier reports of a page's series with their verdicts, folded; or nothing."""
    listed = [
        f'<li><a href="{escape(relative(one.path, page.path))}">{escape(one.span.label)}</a>'
        + (f" {cells.verdict(one.verdict)}" if one.verdict else "")
        + "</li>"
        for one in pages.earlier(page)
    ]
    if not listed:
        return ""
    return (
        f'<details class="history"><summary>{words.plural(len(listed), "earlier report")}</summary>'
        f"<ol>{''.join(listed)}</ol></details>"
    )


def with_end_of_head(html: str, history: str, banner: str = "") -> str:
    """Return a page of an earlier run with the end of its head brought up to date."""
    return _END.sub(lambda _: f"{history}{banner}</header>", html, count=1)
