"""What is published where, for the one who looks after the site."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fleetslo.charts import words
from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import release_of
from fleetslo.reports.publishing.pruning import kept_releases as kept_in
from fleetslo.reports.publishing.reading import current
from fleetslo.reports.publishing.retention import Kept
from fleetslo.reports.publishing.store import open_store
from fleetslo.reports.site import kept_releases, read_published
from fleetslo.settings import Settings

_MOST_NAMED = 10


@dataclass(frozen=True)
class Place:
    """What readers see at one place, and the releases kept there, oldest first.

    ``size`` is that of the release that is shown, in bytes; ``run_id`` is None, and ``since`` too,
    where nothing is published.
    """

    where: str
    index: str
    run_id: str | None
    since: datetime | None
    page_count: int
    size: int
    kept: Sequence[Kept]


def overview(settings: Settings) -> list[Place]:
    """Return what is published in the home folder and, if the settings name one, in the bucket.

    Raises:
        OutputError: either cannot be read.
    """
    places = [_folder(settings.home / "site")]
    return [*places, _bucket(settings)] if settings.publish else places


def _folder(site: Path) -> Place:
    here, kept = read_published(site), kept_releases(site)
    release = here.release
    files = [path for path in release.rglob("*") if path.is_file()] if release else []
    return Place(
        str(site),
        str(site / "current" / "index.html"),
        release.name if release else None,
        datetime.fromtimestamp((site / "current").lstat().st_mtime, UTC) if release else None,
        len(here.pages),
        sum(path.stat().st_size for path in files),
        kept,
    )


def _bucket(settings: Settings) -> Place:
    store = open_store(settings)
    shown = current(store)
    files = store.files(release_of(shown.run_id)) if shown else {}
    return Place(
        store.address,
        f"{store.address}/{layout.INDEX}",
        shown.run_id if shown else None,
        shown.published_at if shown else None,
        shown.page_count if shown else 0,
        sum(one.size for one in files.values()),
        kept_in(store),
    )


def stale(home: Path) -> list[str]:
    """Return in lines which reports could not be made, since when and why, as the site tells it."""
    missed = read_published(home / "site").missed
    if not missed:
        return []
    lines = [
        f"  {one.page.name}, {one.page.span.label}: "
        + (f"stale since {words.moment(one.since, year=True)} UTC" if one.shown_on else "not made")
        + f" ({one.reason})"
        for one in missed[:_MOST_NAMED]
    ]
    more = [f"  and {len(missed) - _MOST_NAMED} more"] if len(missed) > _MOST_NAMED else []
    count = words.plural(len(missed), "report")
    said = f"{count} could not be made; readers see an earlier page, or none:"
    return [said, *lines, *more]
