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
        feeds/<squad>.atom                          its reviews, for feed readers

A release holds the pages of earlier runs, too. They are hard links to the files of the release
before, so a file of a release is never changed in place.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fleetslo.errors import OutputError
from fleetslo.files import folder, write_file, writing
from fleetslo.reports.check import check_page
from fleetslo.reports.feeds import feeds
from fleetslo.reports.jobs import Job, Result
from fleetslo.reports.page import Page, Pages, relative, with_neighbours

FORMAT = 1
_STATE = "site.json"
# Assets that belong to one release only; the others are carried from release to release.
_OWN_ASSETS = "index-"


@dataclass(frozen=True)
class Published:
    """What a site shows: its pages and, for its index, what the catalogue says of services."""

    pages: Sequence[Page] = ()
    services: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    release: Path | None = None


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
        stored = json.loads((release / _STATE).read_text(encoding="utf-8"))
        if stored["format"] != FORMAT:
            raise ValueError(f"format {stored['format']}")
        pages = [Page(**page) for page in stored["pages"]]
        return Published(pages, stored["services"], release)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{release / _STATE}: cannot be read ({error}); move {site} away to start anew"
        ) from None


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
        failed: Mapping[str, tuple[Job, Result]],
        step: Callable[[int, int], None] = lambda done, total: None,
    ) -> Pages:
        """Fill the folder with the pages of this run and of earlier ones; return all of them.

        Raises:
            OutputError: the folder cannot be written, or a page of an earlier run is gone.
        """
        from fleetslo.reports.html import write_assets

        new = {one.page.path: one for one in drawn}
        pages = Pages([*before.pages, *(one.page for one in drawn)])
        folder(self.folder)
        self._carry_assets(before.release)
        write_assets(self.folder / "assets")
        for done, page in enumerate(pages, start=1):
            if page.path in new:
                self._place(new[page.path].file, page.path)
            elif before.release is not None:
                self._place(before.release / page.path, page.path)
            step(done, len(pages.by_path))
        self._renew_neighbours(pages, new)
        services = {**before.services, **catalogue}
        self._write_index(pages, services, failed)
        for path, xml in feeds(pages).items():
            write_file(self.folder / path, xml)
        state = {
            "format": FORMAT,
            "run_id": self.run_id,
            "pages": [vars(page) for page in pages],
            "services": services,
        }
        write_file(self.folder / _STATE, json.dumps(state, ensure_ascii=False) + "\n")
        return pages

    def _carry_assets(self, release: Path | None) -> None:
        if release is None or not (release / "assets").is_dir():
            return
        for path in (release / "assets").iterdir():
            if not path.name.startswith(_OWN_ASSETS):
                self._place(path, f"assets/{path.name}")

    def _place(self, source: Path, path: str) -> None:
        """Put a file into the release: the same file under another name, or a copy of it."""
        target = self.folder / path
        with writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, target)
            except OSError:  # another file system, or one without hard links
                shutil.copy2(source, target)

    def _renew_neighbours(self, pages: Pages, new: Mapping[str, Drawn]) -> None:
        """Link pages of earlier runs to the new pages before and after them."""
        for one in new.values():
            for page in (pages.previous(one.page), pages.next(one.page)):
                if page is None or page.path in new:
                    continue
                before, after = pages.previous(page), pages.next(page)
                html = (self.folder / page.path).read_text(encoding="utf-8")
                write_file(
                    self.folder / page.path,
                    with_neighbours(
                        html,
                        relative(before.path, page.path) if before else None,
                        relative(after.path, page.path) if after else None,
                    ),
                )

    def _write_index(
        self,
        pages: Pages,
        services: Mapping[str, Mapping[str, Any]],
        failed: Mapping[str, tuple[Job, Result]],
    ) -> None:
        from fleetslo.reports import index
        from fleetslo.reports.contents import contents
        from fleetslo.reports.html import render_index
        from fleetslo.reports.shared import digest

        shown = contents(pages, services, failed)
        script = index.script(shown)
        name = f"assets/{_OWN_ASSETS}{digest(script)}.js" if script is not None else None
        if script is not None and name is not None:
            write_file(self.folder / name, script)
        write_file(self.folder / "index.html", render_index(shown, data=name))

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
    link = release.site / f".current-{release.run_id}"
    with writing(release.site):
        release.folder.replace(release.final)
        try:
            link.symlink_to(Path("releases") / release.run_id)
            link.replace(release.site / "current")
        except OSError:
            with suppress(OSError):
                link.unlink()
            shutil.rmtree(release.final, ignore_errors=True)
            raise
    return release.site / "current" / "index.html"


def prune(site: Path, keep: int) -> list[str]:
    """Remove all but the newest ``keep`` releases besides the current one; return their names.

    What runs that were killed left unfinished goes, too. Call it while no other run publishes.
    """
    current = (site / "current").resolve().name
    releases = site / "releases"
    names = sorted(path.name for path in releases.iterdir() if path.is_dir())
    unfinished = [name for name in names if name.startswith(".")]
    old = [name for name in names if not name.startswith(".") and name != current]
    gone = [*unfinished, *old[: max(len(old) - keep, 0)]]
    for name in gone:
        with suppress(OSError):
            shutil.rmtree(releases / name)
    return gone
