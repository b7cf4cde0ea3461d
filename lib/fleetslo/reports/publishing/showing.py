"""Which release of the storage readers see: one file that is switched, and what follows it."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import Pointer
from fleetslo.reports.publishing.reading import current
from fleetslo.reports.publishing.store import Store, packed

_ATTEMPTS = 5
"""How often a file at the top is written anew when another one was faster."""


@dataclass(frozen=True)
class Showing:
    """A release that lies in the storage in full, to be shown.

    Attributes:
        store: where it lies.
        run_id: its name.
        page_count: how many pages it has.
        index: its index as readers open it, above the release's folder.
        feeds: its feeds, with the MD5 of each one's stored bytes.
        read: returns one of these, by its path.
    """

    store: Store
    run_id: str
    page_count: int
    index: bytes
    feeds: Mapping[str, str]
    read: Callable[[str], bytes]

    def show(self, there: Pointer | None) -> None:
        """Let readers see the release, unless another one took the place of what was there.

        Raises:
            PreconditionFailed: one did.
        """
        if there is None or there.run_id != self.run_id:
            self._point(there)
        self._renew(layout.INDEX, self.index)
        lying = self.store.files(layout.FEEDS)
        feeds = [
            path for path, md5 in self.feeds.items() if path not in lying or lying[path].md5 != md5
        ]
        self.store.each(lambda path: self._renew(path, self.read(path)), feeds)

    def _point(self, there: Pointer | None) -> None:
        from google.api_core.exceptions import PreconditionFailed

        pointer = packed(Pointer(self.run_id, datetime.now(UTC), self.page_count).text())
        generation = there.generation if there else 0
        try:
            self.store.write(layout.POINTER, pointer, layout.KEPT_NEVER, generation)
        except PreconditionFailed:
            if not self._is_current():  # else it was written, and the answer was lost
                raise

    def _is_current(self) -> bool:
        shown = current(self.store)
        return shown is not None and shown.run_id == self.run_id

    def _renew(self, path: str, content: bytes) -> None:
        """Write a file at the top, unless another release has come and written its own."""
        from google.api_core.exceptions import PreconditionFailed

        small = packed(content)
        for _ in range(_ATTEMPTS):
            lies = self.store.files(path).get(path)
            if (lies and lies.md5 == small.md5) or not self._is_current():
                return
            with suppress(PreconditionFailed):
                generation = lies.generation if lies else 0
                self.store.write(path, small, layout.KEPT_NEVER, generation)
                return
