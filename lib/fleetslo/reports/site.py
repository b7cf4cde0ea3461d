"""A site: what is published now, and the next release built beside it.

::

    site/
      current -> releases/20261124T073420Z-3fa9     switched in one step
      releases/<run>/
        index.html
        site.json                                   every page of the release, for the next one
        assets/                                     shared files, named by their content
        <period>/fleet_overview.html
        <period>/service_slo/<slug>.html
        failures/<path of a page>                   why a report could not be made; see missed.py
        feeds/<squad>.atom                          its reviews, for feed readers

A release holds the pages of earlier runs, too. They are hard links to the files of the release
before, so a file of a release is never changed in place. It also holds the shared files of earlier
releases: whoever opened a page just before the switch asks for its style and script after it.
"""

import json
import os
import shutil
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fleetslo.errors import OutputError
from fleetslo.files import folder, write_file, writing
from fleetslo.reports.check import check_page
from fleetslo.reports.feeds import feeds
from fleetslo.reports.missed import Missed, read_missed, still_missed
from fleetslo.reports.page import Page, Pages
from fleetslo.reports.publishing.retention import Kept, expired
from fleetslo.reports.renewing import renew

FORMAT = 1
STATE = "site.json"
"""The file of a release that says what it holds."""
INDEX_DATA = "index-"
"""How the files begin that hold the rows of an index; other shared files are carried for good."""
_INDEX_DATA_KEPT = timedelta(days=1)
"""How long the rows of an index outlive it, for readers who have it open."""
_MOST_HISTORY = 1000
"""Releases remembered; what another machine published longer ago than that is taken for foreign."""


@dataclass(frozen=True)
class Published:
    """What a site shows: its pages and, for its index, what the catalogue says of services.

    Attributes:
        pages: all of them, those of earlier runs included.
        services: what the catalogue says of each.
        release: the folder that holds the pages; None when nothing was published yet.
        history: names of the releases that came before this one, oldest first.
        outdated: files with the rows of earlier indexes, and since when no index asks for them.
        fetched: a folder with pages that lie there instead, brought from another machine's site.
        missed: the reports that could not be made, as its pages tell readers.
    """

    pages: Sequence[Page] = ()
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    release: Path | None = None
    history: Sequence[str] = ()
    outdated: Mapping[str, str] = field(default_factory=dict)
    fetched: Path | None = None
    missed: Sequence[Missed] = ()

    @property
    def known(self) -> set[str]:
        """Names of the releases whose pages this one has, or has newer ones of."""
        return {*self.history, *([self.release.name] if self.release else [])}

    def is_fetched(self, path: str) -> bool:
        """Return whether a file was brought from another machine's site."""
        return self.fetched is not None and (self.fetched / path).is_file()

    def file(self, path: str) -> Path:
        """Return a file of the site by its path in it.

        Raises:
            OutputError: nothing was published.
        """
        if self.fetched is not None and self.is_fetched(path):
            return self.fetched / path
        if self.release is None:
            raise OutputError(f"{path}: no release holds this page")
        return self.release / path


def read_published(site: Path) -> Published:
    """Return what a site shows now; an empty one when nothing was published yet.

    Raises:
        OutputError: the folder holds something that this version did not publish.
    """
    current = site / "current"
    if not current.is_symlink():
        if current.exists():
            raise OutputError(f"{current}: not a link to a release; move it away")
        return Published()
    release = current.resolve()
    try:
        return read_state((release / STATE).read_bytes(), release)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{release / STATE}: cannot be read ({error}); move {site} away to start anew"
        ) from None


def read_state(text: bytes, release: Path | None = None) -> Published:
    """Return what a release says of itself in ``site.json``.

    Raises:
        ValueError, KeyError, TypeError: it is damaged, or another version wrote it.
    """
    stored = json.loads(text)
    if stored["format"] != FORMAT:
        raise ValueError(f"format {stored['format']}")
    return Published(
        [Page(**page) for page in stored["pages"]],
        stored["services"],
        release,
        stored.get("history", ()),
        stored.get("outdated", {}),
        missed=read_missed(stored.get("missed", ())),
    )


@dataclass(frozen=True)
class Drawn:
    """A page of this run, the file that holds it until it is published, and what it needs."""

    page: Page
    file: Path
    needs: frozenset[str] = frozenset()


class Release:
    """The next release of a site, built in a folder that no reader sees."""

    def __init__(self, site: Path, run_id: str) -> None:
        self.run_id = run_id
        self.site = site
        self.final = site / "releases" / run_id
        self.folder = site / "releases" / f".{run_id}.building"

    def build(
        self,
        before: Published,
        drawn: Sequence[Drawn],
        catalogue: Mapping[str, Mapping[str, Any]],
        missed: Sequence[Missed] = (),
        *,
        good: Collection[str] = (),
        explained: Path | None = None,
        step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Pages:
        """Fill the folder with the pages of this run and of earlier ones; return all of them.

        Args:
            before: what the site shows now.
            drawn: the new pages.
            catalogue: what is known of each service.
            missed: what this run could not make.
            good: paths of pages that this run found to be good as they are.
            explained: the folder in which the pages of ``missed`` lie, each at its path.
            step: told how many pages are in place.

        Raises:
            OutputError: the folder cannot be written, or a page of an earlier run is gone.
        """
        from fleetslo.reports.html import write_assets

        new = {one.page.path: one for one in drawn}
        pages = Pages([*before.pages, *(one.page for one in drawn)])
        folder(self.folder)
        self._carry_assets(before)
        write_assets(self.folder / "assets")
        for done, page in enumerate(pages, start=1):
            source = new[page.path].file if page.path in new else before.file(page.path)
            self._place(source, page.path)
            step(done, len(pages.by_path))
        told = still_missed(before.missed, missed, pages, {*new, *good}, datetime.now(UTC))
        for one in told:
            fresh = explained if one.page.run_id == self.run_id else None
            self._place(fresh / one.path if fresh else before.file(one.path), one.path)
        arrived = [page for page in pages if page.path in new or before.is_fetched(page.path)]
        renew(self.folder, pages, arrived, new.keys(), before.missed, told)
        services = {**before.services, **catalogue}
        data = self._write_index(pages, services, told)
        for path, xml in feeds(pages).items():
            write_file(self.folder / path, xml)
        state = {
            "format": FORMAT,
            "run_id": self.run_id,
            "pages": [vars(page) for page in pages],
            "services": services,
            "history": [*before.history, *([before.release.name] if before.release else [])][
                -_MOST_HISTORY:
            ],
            "outdated": self._carry_index_data(before, data),
            "missed": [one.stored() for one in told],
        }
        write_file(self.folder / STATE, json.dumps(state, ensure_ascii=False) + "\n")
        return pages

    def _carry_assets(self, before: Published) -> None:
        """Take over the shared files of the pages, and what outlives an earlier index."""
        for root in (before.release, before.fetched):
            for path in (root / "assets").glob("*") if root else ():
                if not path.name.startswith(INDEX_DATA):
                    self._place(path, f"assets/{path.name}")

    def _carry_index_data(self, before: Published, own: str | None) -> dict[str, str]:
        """Take over the rows of earlier indexes for a while; return which, and since when."""
        if before.release is None:
            return {}
        now = datetime.now(UTC)
        outdated = {}
        for path in (before.release / "assets").glob(f"{INDEX_DATA}*"):
            since = before.outdated.get(path.name, now.isoformat())
            if (
                f"assets/{path.name}" == own
                or datetime.fromisoformat(since) < now - _INDEX_DATA_KEPT
            ):
                continue
            self._place(path, f"assets/{path.name}")
            outdated[path.name] = since
        return outdated

    def _place(self, source: Path, path: str) -> None:
        """Put a file into the release: the same file under another name, or a copy of it."""
        target = self.folder / path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():  # a shared file that two sites have
                return
            try:
                os.link(source, target)
            except OSError:  # another file system, or one without hard links
                shutil.copy2(source, target)

    def _write_index(
        self,
        pages: Pages,
        services: Mapping[str, Mapping[str, Any]],
        missed: Sequence[Missed],
    ) -> str | None:
        """Write the index; return the path of the file that holds its rows, if one does."""
        from fleetslo.reports import index
        from fleetslo.reports.contents import contents
        from fleetslo.reports.html import render_index
        from fleetslo.reports.shared import digest

        shown = contents(pages, services, missed)
        script = index.script(shown)
        name = f"assets/{INDEX_DATA}{digest(script)}.js" if script is not None else None
        if script is not None and name is not None:
            write_file(self.folder / name, script)
        write_file(self.folder / "index.html", render_index(shown, data=name))
        return name

    def check(self, drawn: Sequence[Drawn]) -> None:
        """Refuse a release in which a page of this run, or the index, needs what is not there.

        Raises:
            OutputError: names the page and the file.
        """
        index = (self.folder / "index.html").read_text(encoding="utf-8")
        looked = check_page(index, "index.html")
        problems = [f"index.html: {problem}" for problem in looked.problems]
        needs = {**{one.page.path: one.needs for one in drawn}, "index.html": looked.needs}
        known: dict[str, bool] = {}
        for page, paths in needs.items():
            for path in sorted(paths):
                if path not in known:
                    known[path] = (self.folder / path).is_file()
                if not known[path]:
                    problems.append(f"{page}: {path} is missing")
        if problems:
            raise OutputError("not published: " + "; ".join(problems[:5]))

    def discard(self) -> None:
        """Remove the folder; what is published stays as it is."""
        shutil.rmtree(self.folder, ignore_errors=True)


def switch(release: Release) -> Path:
    """Publish a finished release, in one step, and return the path of its index.

    Raises:
        OutputError: it cannot be put in place; the site is as it was.
    """
    with writing(release.site):
        release.folder.replace(release.final)
    try:
        point_to(release.site, release.run_id)
    except OutputError:
        shutil.rmtree(release.final, ignore_errors=True)
        raise
    return release.site / "current" / "index.html"


def point_to(site: Path, run_id: str) -> None:
    """Let the link that readers follow lead to a release that is in place.

    Raises:
        OutputError: it cannot be written; it leads where it led.
    """
    link = site / f".current-{run_id}"
    with writing(site):
        try:
            if link.is_symlink():  # of one that was killed between the two
                link.unlink()
            link.symlink_to(Path("releases") / run_id)
            link.replace(site / "current")
        except OSError:
            with suppress(OSError):
                link.unlink()
            raise


def kept_releases(site: Path) -> list[Kept]:
    """Return every release in the folder of a site, oldest first."""
    return [
        Kept(path.name, datetime.fromtimestamp((path / STATE).stat().st_mtime, UTC))
        for path in sorted((site / "releases").glob("[!.]*"))
        if (path / STATE).is_file()
    ]


def prune(
    site: Path,
    keep: int,
    *,
    older_than: timedelta | None = None,
    dry_run: bool = False,
) -> list[str]:
    """Remove all but the newest ``keep`` releases besides the current one; return their names.

    Only those made longer ago than ``older_than``, if that is given. No page is lost: whatever is
    still published lies in the current release, too. What runs that were killed left unfinished
    goes with them. Call it while no other run publishes.
    """
    releases = site / "releases"
    current = (site / "current").resolve().name
    kept = kept_releases(site)
    unfinished = sorted(
        path.name
        for path in releases.iterdir()
        if path.is_dir() and path.name not in {one.name for one in kept}
    )
    old = expired(kept, {current}, keep=keep, older_than=older_than, now=datetime.now(UTC))
    gone = [*unfinished, *old]
    for name in () if dry_run else gone:
        with suppress(OSError):
            shutil.rmtree(releases / name)
    return gone
