"""Taking over what another machine has published."""

import shutil
from dataclasses import replace
from pathlib import Path

from fleetslo.errors import OutputError
from fleetslo.files import write_file
from fleetslo.reports.manifest import new_run_id
from fleetslo.reports.page import Pages
from fleetslo.reports.publishing.layout import release_of
from fleetslo.reports.publishing.store import Store
from fleetslo.reports.site import (
    INDEX_DATA,
    STATE,
    Published,
    Release,
    read_published,
    read_state,
    switch,
)


def joined(site: Path, here: Published, store: Store, run_id: str) -> Published:
    """Return a site with the pages of a release in the storage; of two, the newer page stays.

    It is published in the folder, where earlier pages are linked to those that came, and the other
    way round. Call it while no other process changes the site.

    Raises:
        OutputError: the storage refused or did not answer, or the folder cannot be written.
    """
    there = release_of(run_id)
    release = Release(site, new_run_id())
    fetched = site / "releases" / f".{release.run_id}.fetched"

    def fetch(path: str) -> None:
        if ".." in path.split("/") or path.startswith("/"):
            raise OutputError(
                f"{store.address}/{there}: names a file outside of itself, {path!r}; see who may "
                "write there, and publish under another prefix"
            )
        found = store.read(there + path)
        if found is None:
            raise OutputError(f"{store.address}/{there}{path}: is gone; publish again")
        write_file(fetched / path, found[0])

    try:
        fetch(STATE)
        theirs = _state(fetched / STATE, f"{store.address}/{there}{STATE}")
        mine = {page.path: page.run_id for page in here.pages}
        come = [page for page in theirs.pages if page.run_id > mine.get(page.path, "")]
        assets = [
            name.removeprefix(there)
            for name in store.files(f"{there}assets/")
            if not name.startswith(f"{there}assets/{INDEX_DATA}")
        ]
        missed = {one.page.path: one for one in here.missed}
        brought = [
            replace(one, shown_on=None)  # a page that lies here does not tell it yet
            for one in theirs.missed
            if one.page.path not in missed or one.page.run_id > missed[one.page.path].page.run_id
        ]
        missed |= {one.page.path: one for one in brought}
        store.each(fetch, [*(one.path for one in come), *(one.path for one in brought), *assets])
        both = replace(
            here,
            pages=list(Pages([*here.pages, *come])),
            services={**theirs.services, **here.services},
            history=list(dict.fromkeys([*theirs.history, run_id, *here.history])),
            fetched=fetched,
            missed=list(missed.values()),
        )
        release.build(both, [], {})
        release.check([])
        switch(release)
    finally:
        release.discard()
        shutil.rmtree(fetched, ignore_errors=True)
    return read_published(site)


def _state(path: Path, origin: str) -> Published:
    try:
        return read_state(path.read_bytes())
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{origin}: cannot be read ({error}); publish under another prefix"
        ) from None
