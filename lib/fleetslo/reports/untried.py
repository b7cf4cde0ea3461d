"""What readers are told when a run broke off before it could make any report."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from shutil import rmtree
from typing import Any

from fleetslo.errors import FleetsloError
from fleetslo.reports.failures import drawn_at, write_missed
from fleetslo.reports.jobs import Failure, Head, Job
from fleetslo.reports.missed import Missed
from fleetslo.reports.page import Page, page_of
from fleetslo.reports.publishing.lock import publishing
from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.publishing.store import open_store
from fleetslo.reports.site import Release, prune, read_published, switch
from fleetslo.settings import Settings


def planned_pages(jobs: Sequence[Job], run_id: str) -> list[Page]:
    """Return the pages that a run was to make."""
    return [page_of(job, Head(), run_id) for job in jobs]


def newest_pages(settings: Settings, reports: Collection[str], run_id: str) -> list[Page]:
    """Return the published pages that a run would have followed, had it come to have a plan.

    Those are the pages of each report's newest period.

    Args:
        settings: say where the site lies.
        reports: the first parts of the pages' names.
        run_id: the run, which becomes the pages'.
    """
    newest: dict[str, datetime] = {}
    published = read_published(settings.home / "site").pages
    found = [page for page in published if page.report in reports]
    for page in found:
        newest[page.report] = max(newest.get(page.report, page.span.end), page.span.end)
    return [replace(page, run_id=run_id) for page in found if page.span.end == newest[page.report]]


def tell_untried(
    pages: Sequence[Page],
    settings: Settings,
    run_id: str,
    error: FleetsloError,
    catalogue: Mapping[str, Mapping[str, Any]],
) -> None:
    """Publish a release in which these pages are stale, because of an error.

    Where nothing was published yet, there is nobody to tell.

    Raises:
        OutputError: it cannot be written, or not be uploaded.
    """
    site = settings.home / "site"
    if read_published(site).release is None or not pages:
        return
    reason = str(Failure(None, 0, type(error).__name__, str(error), where=""))
    folder = settings.home / "runs" / run_id
    missed = [Missed(page, reason, run_id) for page in pages]
    write_missed(folder, missed)
    release = Release(site, run_id)
    with publishing(site):
        try:
            release.build(read_published(site), (), catalogue, missed, explained=drawn_at(folder))
            release.check(())
            switch(release)
        finally:
            release.discard()
            rmtree(drawn_at(folder), ignore_errors=True)
            with suppress(OSError):  # unless something else of the run is in it
                folder.rmdir()
        kept_for = timedelta(days=settings.keep_releases_days)
        prune(site, settings.keep_releases, older_than=kept_for)
    if settings.publish:
        publish_site(site, open_store(settings))
