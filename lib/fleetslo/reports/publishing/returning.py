"""Showing readers a release of an earlier day again, here and in the storage."""

import os
from contextlib import suppress
from pathlib import Path

from fleetslo.errors import OutputError
from fleetslo.files import writing
from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import release_of
from fleetslo.reports.publishing.lock import publishing
from fleetslo.reports.publishing.pruning import kept_releases as kept_in
from fleetslo.reports.publishing.reading import contents_of, current
from fleetslo.reports.publishing.retention import Kept
from fleetslo.reports.publishing.showing import Showing
from fleetslo.reports.publishing.store import Store
from fleetslo.reports.site import STATE, kept_releases, point_to, read_state


def show_again(site: Path, store: Store | None, run_id: str) -> list[str]:
    """Let readers see a release that is kept, and return where they do: folder and storage.

    The next run builds upon it, so that pages which only later releases had are made anew or stay
    away. A folder in which nothing was ever published is left alone.

    Raises:
        OutputError: the release is not kept in both places, and then nothing is changed; or the
            storage refused, or the folder cannot be written.
    """
    with publishing(site):
        here = kept_releases(site)
        if here or store is None:
            _must_have(str(site), here, run_id)
        if store is not None:
            _must_have(store.address, kept_in(store), run_id)
            _in_store(store, run_id)  # first: what is there can come back here, as a newer page
        if here:
            _in_folder(site, run_id)
    return [*([store.address] if store else []), *([str(site)] if here else [])]


def _must_have(where: str, kept: list[Kept], run_id: str) -> None:
    if run_id not in {one.name for one in kept}:
        names = ", ".join(one.name for one in reversed(kept)) or "none"
        raise OutputError(f"{where}: release {run_id} is not kept there; kept are: {names}")


def _in_folder(site: Path, run_id: str) -> None:
    """Switch the link, after the release has what readers of the present one may still ask for."""
    release = site / "releases" / run_id
    with writing(release):
        for path in (site / "current" / "assets").glob("*"):
            with suppress(FileExistsError):
                os.link(path.resolve(), release / "assets" / path.name)
    point_to(site, run_id)


def _in_store(store: Store, run_id: str) -> None:
    from google.api_core.exceptions import PreconditionFailed

    def read(path: str) -> bytes:
        found = store.read(release_of(run_id) + path)
        if found is None:
            raise OutputError(
                f"{store.address}/{release_of(run_id)}{path}: is gone; choose another"
            )
        return found[0]

    contents = contents_of(store, run_id)
    files = contents.files if contents else {}
    feeds = {path: md5 for path, (_, md5) in files.items() if path.startswith(layout.FEEDS)}
    pages = read_state(read(STATE)).pages
    showing = Showing(store, run_id, len(pages), read(layout.AT_TOP), feeds, read)
    try:
        showing.show(current(store))
    except PreconditionFailed:
        raise OutputError(
            f"{store.address}: another release was published there at this moment; look with "
            "'fleetslo site show', and try again"
        ) from None
