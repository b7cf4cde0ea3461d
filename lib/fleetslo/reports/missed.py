"""Reports that could not be made, and what readers are told of them until they are.

::

    failures/<path of the page>     why: the cell, the error, its traceback
    <path of the last good page>    that page, under a banner that says since when it is stale

What is missed is told until its page is made, or a later one of the same series.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from html import escape
from typing import Any

from fleetslo.charts import words
from fleetslo.reports.page import Page, Pages, begun, relative

FOLDER = "failures"
_FORGOTTEN = timedelta(days=40)
"""What no run has tried for more than a month is not scheduled any more."""


@dataclass(frozen=True)
class Missed:
    """A report that a run could not make.

    Attributes:
        page: what it was to be; its run is the newest that tried.
        reason: why it could not be made, in one line.
        first_run: the run that first could not make it, since when readers see an older page.
        shown_on: path of the page that tells readers; None where none was ever good, or a later
            one is.
    """

    page: Page
    reason: str
    first_run: str
    shown_on: str | None = None

    @property
    def path(self) -> str:
        """Where the page lies that says why."""
        return f"{FOLDER}/{self.page.path}"

    @property
    def since(self) -> datetime:
        """Since when readers see an older page."""
        return begun(self.first_run)

    def stored(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)


def read_missed(stored: Iterable[Mapping[str, Any]]) -> list[Missed]:
    """Return what ``Missed.stored`` has written."""
    return [Missed(**{**one, "page": Page(**one["page"])}) for one in stored]


def still_missed(
    before: Iterable[Missed],
    now: Sequence[Missed],
    pages: Pages,
    good: Collection[str],
    at: datetime,
) -> list[Missed]:
    """Return what readers are told as of a release, the newest first; one of each page.

    Args:
        before: what they were told so far.
        now: what this run could not make.
        pages: all pages of the release.
        good: paths of the pages that this run made, or found to be good as they are.
        at: when the release is made.
    """
    found = {one.page.path: one for one in now}
    for old in before:
        path = old.page.path
        if path in good or _is_made(old.page, pages):
            continue
        later = [one for one in now if one.page.path == path or one.page.follows(old.page)]
        for one in later:
            first = min(found[one.page.path].first_run, old.first_run)
            found[one.page.path] = replace(found[one.page.path], first_run=first)
        if not later and begun(old.page.run_id) >= at - _FORGOTTEN:
            found.setdefault(path, old)
    told = [replace(one, shown_on=_stale(one.page, pages)) for one in found.values()]
    return sorted(told, key=lambda one: (one.page.run_id, one.page.path), reverse=True)


def _is_made(page: Page, pages: Pages) -> bool:
    """Return whether a run after the one that missed a page made it, or a later one."""
    return any(
        other.run_id > page.run_id and (other.path == page.path or other.follows(page))
        for other in pages.series(page)
    )


def _stale(page: Page, pages: Pages) -> str | None:
    """Return the path of the page that readers see in place of one that was missed."""
    if page.path in pages.by_path:
        return page.path
    last = pages.previous(page)
    return last.path if last is not None and pages.next(last) is None else None


def banner(missed: Missed, path: str) -> str:
    """Return what a stale page, at a path, says at its top."""
    since, last = missed.since, begun(missed.page.run_id)
    run = "the run of that time" if last == since else f"the run of {_moment(last)}"
    anew = missed.page.path == path
    what = "make it anew" if anew else f"report on {escape(missed.page.span.label)}"
    return (
        f'<p class="note warning stale" role="note"><strong>Stale since {_moment(since)}</strong>: '
        f"{run} failed to {what} ({escape(missed.reason)}). "
        f'<a href="{escape(relative(missed.path, path))}">Why it failed</a></p>'
    )


def _moment(at: datetime) -> str:
    return f"{words.moment(at, year=True)} UTC"
