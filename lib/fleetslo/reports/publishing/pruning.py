"""Taking old releases out of the storage."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import RELEASES, release_of
from fleetslo.reports.publishing.reading import current
from fleetslo.reports.publishing.retention import Kept, expired
from fleetslo.reports.publishing.store import Store, Stored

GRACE = timedelta(days=1)
"""How long a release outlives the next one, and what broke off half-way is left to be resumed."""


def kept_releases(store: Store) -> list[Kept]:
    """Return every whole release in the storage, oldest first.

    Raises:
        OutputError: the storage refused or did not answer.
    """
    return sorted(_whole(_by_release(store)), key=lambda one: one.name)


def prune_store(
    store: Store,
    *,
    keep: int,
    now: datetime,
    older_than: timedelta | None = None,
    grace: timedelta = GRACE,
    dry_run: bool = False,
) -> list[str]:
    """Delete old releases from the storage, and return their names, oldest first.

    Which ones, ``expired`` says. The release that readers see stays, and so does the one that the
    index leads to, should a switch have broken off between the two. What an upload that broke off
    left goes after ``grace``.

    Raises:
        OutputError: the storage refused or did not answer.
    """
    shown = _shown(store)
    found = _by_release(store)
    broken = [
        name
        for name, files in found.items()
        if layout.FILES not in files
        and name not in shown
        and max(one.made_at for one in files.values()) < now - grace
    ]
    gone = expired(_whole(found), shown, keep=keep, older_than=older_than, now=now, grace=grace)
    gone = sorted([*gone, *broken])
    if not dry_run:
        for name in gone:
            # First what makes it whole: cut short, this is taken up again next time.
            store.delete(release_of(name) + layout.FILES)
            store.each(store.delete, [release_of(name) + path for path in found[name]])
    return gone


def _shown(store: Store) -> set[str]:
    """Return the releases that readers can come to: by the pointer and by the index."""
    pointer, index = current(store), store.read(layout.INDEX)
    shown = {pointer.run_id} if pointer else set()
    if index is not None:
        shown.update(re.findall(rf'<base href="{RELEASES}([^"/]+)/">', index[0].decode()))
    return shown


def _by_release(store: Store) -> dict[str, dict[str, Stored]]:
    found: dict[str, dict[str, Stored]] = {}
    for name, stored in store.files(RELEASES).items():
        run_id, _, path = name.removeprefix(RELEASES).partition("/")
        found.setdefault(run_id, {})[path] = stored
    return found


def _whole(found: Mapping[str, Mapping[str, Stored]]) -> list[Kept]:
    return [
        Kept(name, files[layout.FILES].made_at)
        for name, files in found.items()
        if layout.FILES in files
    ]
