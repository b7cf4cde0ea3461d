"""Pages of earlier runs, brought up to date with the pages that have come around them."""

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

from fleetslo.files import write_file
from fleetslo.reports.missed import Missed, banner
from fleetslo.reports.page import Page, Pages, history, relative, with_end_of_head, with_neighbours


def renew(
    folder: Path,
    pages: Pages,
    arrived: Sequence[Page],
    drawn: Collection[str],
    before: Iterable[Missed],
    missed: Iterable[Missed],
) -> None:
    """Bring links, histories and banners of a release's pages up to date, each only if need be.

    A page is replaced, never changed in place: it may be the same file as in the release before.

    Args:
        folder: of the release.
        pages: all of its pages.
        arrived: those that the release before did not have, or had in another version.
        drawn: paths of those that were drawn for this release: they know what is around them.
        before: what was missed in the release before; pages carry its banners.
        missed: what is missed now.
    """
    carried, banners = _banners(before), _banners(missed)
    around = {
        other.path
        for page in arrived
        for other in (page, pages.previous(page), *pages.later(page))
        if other is not None and other.path not in drawn
    }
    told_anew = {
        path
        for path in carried.keys() | banners.keys()
        if banners.get(path) != (None if path in drawn else carried.get(path))
    }
    for path in sorted(around | told_anew):
        page = pages.by_path[path]
        previous, following = pages.previous(page), pages.next(page)
        html = (folder / path).read_text(encoding="utf-8")
        renewed = with_neighbours(
            html,
            relative(previous.path, path) if previous else None,
            relative(following.path, path) if following else None,
        )
        renewed = with_end_of_head(renewed, history(page, pages), banners.get(path, ""))
        if renewed != html:
            write_file(folder / path, renewed)


def _banners(missed: Iterable[Missed]) -> dict[str, str]:
    return {one.shown_on: banner(one, one.shown_on) for one in missed if one.shown_on}
