"""A batch of reports: run the notebooks, draw the pages, publish them in one step.

One failure does not stop the others. Pages that are good are published; where one is not, the
page of that period that an earlier run published stays.
"""

import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleetslo.errors import Cancelled, NotebookFailed
from fleetslo.files import folder
from fleetslo.published import record
from fleetslo.reports import site as sites
from fleetslo.reports.artefacts import Made
from fleetslo.reports.check import Checked
from fleetslo.reports.engine.choice import engine_of, limits_of
from fleetslo.reports.environ import notebook_environ
from fleetslo.reports.executed import carried, is_kept, result_of
from fleetslo.reports.failures import drawn_at, missed_in, told
from fleetslo.reports.feeds import feed_path
from fleetslo.reports.jobs import BatchProgress, Failure, Job, Result, Silent
from fleetslo.reports.manifest import Manifest, new_run_id
from fleetslo.reports.page import Page, Pages, page_of
from fleetslo.reports.pool import Pool, Stop, stops
from fleetslo.reports.publishing.lock import publishing
from fleetslo.reports.publishing.pruning import prune_store
from fleetslo.reports.publishing.sharing import Shared, catch_up, publish_site
from fleetslo.reports.publishing.store import Store, open_store
from fleetslo.reports.records.model import Publication
from fleetslo.reports.records.pruning import prune_runs
from fleetslo.reports.site import Drawn, Published, Release, read_published
from fleetslo.reports.tasks import (
    Draw,
    Execute,
    as_checked,
    as_result,
    kept_at,
    write_pages,
)
from fleetslo.settings import Settings

# Starting the kernel, saving and the error page are not the notebook's own time.
_MARGIN_S = 120.0
# A page is drawn in about 0.2 s; one that takes this long never ends.
_DRAW_LIMIT_S = 300.0


@dataclass(frozen=True)
class BatchReport:
    """What a batch came to. ``index`` is the site's, or None when nothing was published.

    ``shared`` says what was published to the storage, where the settings name one.
    """

    run_id: str
    folder: Path
    results: Mapping[str, Result]
    index: Path | None
    duration_s: float
    shared: Shared | None = None

    @property
    def unchanged(self) -> int:
        """How many reports were taken from earlier runs."""
        return sum(result.reused_from is not None for result in self.results.values())


def run_batch(
    jobs: Sequence[Job],
    settings: Settings,
    *,
    catalogue: Mapping[str, Mapping[str, Any]] | None = None,
    progress: BatchProgress | None = None,
    manifest: Manifest | None = None,
    again: bool = False,
) -> BatchReport:
    """Run the jobs, ``settings.jobs`` at a time, and publish their pages.

    Executed notebooks, error pages and ``manifest.json`` are kept under ``runs/<run id>`` in the
    home folder, the site under ``site``, what pages said in numbers under ``published``.
    ``catalogue`` says squad and tier of each service, for the index; ``manifest`` is the record of
    the run where it is open by now.
    A notebook that an earlier run executed under the same key is not run again, nor its page drawn
    if it is published, unless ``again`` says so.

    Raises:
        NotebookFailed: at least one report failed; the good ones are published all the same.
        Cancelled: SIGINT or SIGTERM; no process is left, and the site is as it was.
        OutputError: the home folder cannot be written, or holds a site of another kind; or the
            storage cannot be published to, and then the site in the home folder is the new one.
    """
    if manifest is None:
        with Manifest(settings.home, new_run_id(), settings.project) as manifest:
            return run_batch(
                jobs,
                settings,
                catalogue=catalogue,
                progress=progress,
                manifest=manifest,
                again=again,
            )
    began = time.monotonic()
    manifest.jobs = {job.path: job for job in jobs}
    manifest.as_of = next((job.as_of for job in jobs), manifest.as_of)
    site = folder(settings.home / "site")
    folder(site / "releases")
    published = read_published(site)  # one that cannot be read is found before the work
    store = open_store(settings) if settings.publish else None
    if store:
        catch_up(site, store)
    batch = _Batch(settings, manifest, site, progress or Silent(), dict(catalogue or {}))
    if not again:
        batch.reuse(published)
    manifest.write("running")
    shared = None
    try:
        with stops() as stop, Pool[Any](settings.jobs, batch.log) as pool:
            batch.execute(pool, stop)
            index = batch.publish(pool, stop)
            if store and index:
                shared = batch.share(store, stop)
    except Cancelled:
        batch.cancel()
        raise
    finally:
        batch.clear()
    failed = batch.failed()
    manifest.write("failed" if failed else "ok")
    prune_runs(settings.home, timedelta(days=settings.keep_runs_days), datetime.now(UTC))
    if failed:
        raise NotebookFailed(told(failed, len(manifest.jobs), manifest.folder))
    return BatchReport(
        manifest.run_id, manifest.folder, manifest.results, index, time.monotonic() - began, shared
    )


class _Batch:
    """One batch while it goes on."""

    def __init__(
        self,
        settings: Settings,
        manifest: Manifest,
        site: Path,
        progress: BatchProgress,
        catalogue: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._settings = settings
        self._manifest = manifest
        self._site = site
        self._progress = progress
        self._catalogue = catalogue
        self._jobs = manifest.jobs
        self._results = manifest.results
        self._published: Mapping[str, Page] = {}
        self._made: dict[str, Made] = {}
        self.log = manifest.folder / "workers.log"

    def reuse(self, published: Published) -> None:
        """Take over what earlier runs have executed under the same keys."""
        home = self._settings.home
        self._published = {page.path: page for page in published.pages}
        for path, job in self._jobs.items():
            if not is_kept(job, home):
                continue
            page = self._published.get(path)
            result = carried(page) if page and page.key == job.key else None
            result = result or result_of(job, home, kept_at(self._manifest.folder, job, good=True))
            if result is not None:
                self._results[path] = result

    def execute(self, pool: Pool[Any], stop: Stop) -> None:
        """Run every notebook that is to be run; afterwards each job has a result."""
        common = notebook_environ(self._settings)
        tasks = [
            Execute(
                job,
                self._manifest.folder,
                self._manifest.run_id,
                {**common, "FLEETSLO_REPORT": job.notebook, "FLEETSLO_PAGE": job.page},
                self._settings.project,
                limits_of(self._settings, job.time_limit_s),
                engine_of(self._settings),
                self._settings.home,
            )
            for path, job in self._jobs.items()
            if path not in self._results
        ]
        self._progress.planned(list(self._jobs.values()))
        for path, result in self._results.items():
            self._progress.finished(self._jobs[path], result)
        for task, answer in pool.run(
            tasks,
            limit_s=max((task.limits.timeout_s for task in tasks), default=0) + _MARGIN_S,
            stop=stop,
            started=lambda task: self._progress.started(task.job),
            told=lambda task, what, value: self._progress.cell(task.job, *value),
            looked=self._manifest.keep_up,
        ):
            self._finish(task.job, as_result(task, answer))

    def _finish(self, job: Job, result: Result) -> None:
        self._manifest.note(job.path, result)
        self._progress.finished(job, result)

    def failed(self) -> dict[str, tuple[Job, Result]]:
        """Return the jobs that came to no page, by path."""
        return {
            path: (self._jobs[path], result)
            for path, result in self._results.items()
            if result.outcome != "ok"
        }

    def cancel(self) -> None:
        """Record that the jobs without a result were stopped."""
        for path in self._jobs:
            self._results.setdefault(path, Result("cancelled", 0.0))

    def publish(self, pool: Pool[Any], stop: Stop) -> Path | None:
        """Draw the pages of the good results, and publish them with what is to be told of others.

        Where nothing was ever published, and nothing is good, there is nothing to publish.
        """
        published = read_published(self._site)
        drawn = self._draw(published, pool, stop)
        if not drawn and published.release and self._says_the_same(published):
            self._manifest.publication = Publication(release=published.release.name)
            return self._site / "current" / "index.html"
        failed = self.failed()
        if len(failed) == len(self._jobs) and published.release is None:
            return None
        folder, run_id = self._manifest.folder, self._manifest.run_id
        missed = missed_in(folder, run_id, failed)
        release = Release(self._site, run_id)
        with publishing(self._site):
            # Another batch may have published since: what it added must not be lost.
            published = read_published(self._site)
            try:
                release.build(
                    published,
                    drawn,
                    self._catalogue,
                    missed,
                    good=self._jobs.keys() - failed.keys(),
                    explained=drawn_at(folder),
                    step=lambda done, total: self._progress.stage("publishing", done, total),
                )
                release.check(drawn)
                stop.check()
                index = sites.switch(release)
            finally:
                release.discard()
            self._record(drawn)
            sites.prune(self._site, self._settings.keep_releases, older_than=self._kept_for)
        self._manifest.publication = Publication(release=release.run_id)
        self._manifest.pages = {
            one.page.path: replace(self._made[one.page.path], path=release.final / one.page.path)
            for one in drawn
        }
        return index

    def clear(self) -> None:
        """Remove the pages that were drawn: the site has those that readers see."""
        shutil.rmtree(drawn_at(self._manifest.folder), ignore_errors=True)

    def _says_the_same(self, published: Published) -> bool:
        """Return whether a release would be the one that is published: no failure, no news."""
        services = {**published.services, **self._catalogue}
        made_good = any(one.page.path in self._jobs for one in published.missed)
        return not (self.failed() or made_good) and services == published.services

    def share(self, store: Store, stop: Stop) -> Shared:
        """Publish the site to the storage, and take out of it what is old."""

        def step(done: int, total: int) -> None:
            self._progress.stage("uploading", done, total)
            if stop.asked:
                raise Cancelled(f"stopped; {store.address} shows what it showed before")

        shared = publish_site(self._site, store, step)
        keep, now = self._settings.keep_releases, datetime.now(UTC)
        prune_store(store, keep=keep, older_than=self._kept_for, now=now)
        self._manifest.publication = Publication(release=shared.run_id, store=store.address)
        return shared

    @property
    def _kept_for(self) -> timedelta:
        return timedelta(days=self._settings.keep_releases_days)

    def _record(self, drawn: Sequence[Drawn]) -> None:
        """Keep what the pages say of each objective, for later reports to be held against."""
        heads = [self._results[one.page.path].head for one in drawn]
        record(
            self._settings.home,
            self._manifest.run_id,
            datetime.now(UTC),
            [row for head in heads for row in head.published],
        )

    def _draw(self, published: Published, pool: Pool[Any], stop: Stop) -> list[Drawn]:
        """Return the pages that may be published.

        A page that turns out to be wrong leaves the plan, and then those that link to it are
        drawn again, without the link.
        """
        run_id = self._manifest.run_id
        wanted = {
            path: page_of(self._jobs[path], result.head, run_id)
            for path, result in self._results.items()
            if result.outcome == "ok"
        }
        checked: dict[str, Checked] = {}
        for attempt in range(len(wanted) + 1):
            pages = Pages([*published.pages, *wanted.values()])
            todo = [
                page
                for path, page in wanted.items()
                if (
                    _dead(checked[path], page, pages)
                    if path in checked
                    else self._is_new(page, pages)
                )
            ]
            if not todo:
                break
            known = write_pages(drawn_at(self._manifest.folder) / f".known-{attempt}.json", pages)
            tasks = [self._drawing(page, known) for page in todo]
            keep_up = self._manifest.keep_up
            answers = pool.run(tasks, limit_s=_DRAW_LIMIT_S, stop=stop, looked=keep_up)
            for done, (task, answer) in enumerate(answers, start=1):
                path = task.page.path
                checked[path] = as_checked(answer)
                if drawn := checked[path].made:
                    self._made[path] = drawn
                problems = list(checked[path].problems)
                if attempt:  # drawn knowing what the site will hold
                    problems += _dead(checked[path], task.page, pages)
                if problems:
                    del wanted[path]
                    self._reject(path, problems)
                self._progress.stage("drawing pages", done, len(tasks))
        return [
            Drawn(
                replace(page, around=pages.around(page)),
                self._file(page),
                frozenset(checked[path].needs),
            )
            for path, page in wanted.items()
            if path in checked
        ]

    def _is_new(self, page: Page, pages: Pages) -> bool:
        """Return whether a page is to be drawn: it is not published, or with other pages around.

        For one that is published the notebook is fetched; without it, it stays as it is.
        """
        result = self._results[page.path]
        if result.executed is not None:
            return True
        if self._published[page.path].around == pages.around(page):
            return False
        job, home = self._jobs[page.path], self._settings.home
        found = result_of(job, home, kept_at(self._manifest.folder, job, good=True))
        if found is not None:
            self._results[page.path] = found
        return found is not None

    def _file(self, page: Page) -> Path:
        return drawn_at(self._manifest.folder) / page.path

    def _drawing(self, page: Page, known: Path) -> Draw:
        executed = self._results[page.path].executed
        assert executed is not None  # noqa: S101 - a good result has kept its notebook
        return Draw(page, executed, self._file(page), known)

    def _reject(self, path: str, problems: Sequence[str]) -> None:
        failure = Failure(None, 0, "PageError", "; ".join(problems), where="")
        failed = replace(self._results[path], outcome="failed", failure=failure)
        self._finish(self._jobs[path], failed)


def _dead(checked: Checked, page: Page, pages: Pages) -> list[str]:
    """Return a problem for each page that a page needs and the site will not have."""
    made = {"index.html", feed_path(page.squad or "")}
    return [
        f"it has a dead link: {path}"
        for path in sorted(checked.needs - made)
        if path not in pages.by_path and not path.startswith("assets/")
    ]
