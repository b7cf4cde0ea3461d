"""What the storage shows now."""

from contextlib import suppress

from fleetslo.errors import OutputError
from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import Contents, Pointer, release_of
from fleetslo.reports.publishing.store import Store


def current(store: Store) -> Pointer | None:
    """Return which release readers see, or None where nothing was published yet.

    Raises:
        OutputError: there is no such bucket, or it holds what another version published.
    """
    # Asking for one file of a bucket that is not there says no more than that the file is not.
    found = store.read(layout.POINTER) if layout.POINTER in store.files(layout.POINTER) else None
    if found is None:
        return None
    try:
        return layout.read_pointer(*found)
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{store.address}/{layout.POINTER}: cannot be read ({error}); publish under another "
            "prefix, or move it away"
        ) from None


def contents_of(store: Store, run_id: str) -> Contents | None:
    """Return what a release in the storage holds; None where it is not there, or not whole.

    Raises:
        OutputError: the storage refused or did not answer.
    """
    found = store.read(release_of(run_id) + layout.FILES)
    with suppress(ValueError, KeyError, TypeError):
        return layout.read_contents(found[0]) if found else None
    return None
