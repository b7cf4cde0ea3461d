"""What readers are told when a run broke off before it could make any report."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from shutil import rmtree
from typing import Any

from fleetslo.errors import FleetsloError
from fleetslo.reports.failures import drawn_at, missed_in
from fleetslo.reports.jobs import Failure, Job, Result
from fleetslo.reports.publishing.lock import publishing
from fleetslo.reports.publishing.sharing import publish_site
from fleetslo.reports.publishing.store import open_store
from fleetslo.reports.site import Release, prune, read_published, switch
from fleetslo.settings import Settings


def tell_untried(
    jobs: Sequence[Job],
    settings: Settings,
    run_id: str,
    error: FleetsloError,
    catalogue: Mapping[str, Mapping[str, Any]],
) -> None:
    """Publish a release in which the pages of these jobs are stale, because of an error.

    Where nothing was published yet, there is nobody to tell.

    Raises:
        OutputError: it cannot be written, or not be uploaded.
    """
    site = settings.home / "site"
    if read_published(site).release is None:
        return
    failure = Failure(None, 0, type(error).__name__, str(error), where="")
    result = Result("failed", 0.0, failure=failure)
    folder = settings.home / "runs" / run_id
    missed = missed_in(folder, run_id, {job.path: (job, result) for job in jobs})
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
