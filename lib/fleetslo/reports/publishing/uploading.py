"""One release on its way into the storage."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from fleetslo.errors import OutputError
from fleetslo.reports.publishing import layout
from fleetslo.reports.publishing.layout import Contents, Pointer, release_of
from fleetslo.reports.publishing.showing import Showing
from fleetslo.reports.publishing.store import Store, packed
from fleetslo.reports.site import Published

Step = Callable[[int, int], None]


class Upload:
    """A release, uploaded file by file, then shown.

    Args:
        store: where to.
        site: what the release holds.
        release: its folder here.
        before: the release that readers see now, if it is whole.
        step: told how many files have been seen to.

    Attributes:
        uploaded: files that were sent.
        copied: files that the release before had, copied inside the storage.
    """

    def __init__(
        self, store: Store, site: Published, release: Path, before: Contents | None, step: Step
    ) -> None:
        self._store, self._site, self._release, self._step = store, site, release, step
        self._run = release.name
        self._folder = release_of(release.name)
        self._before = before
        self._files: dict[str, tuple[str, str]] = {}
        self.uploaded: list[str] = []
        self.copied: list[str] = []

    def send(self) -> None:
        """Bring every file of the release there, and see that all of them have arrived.

        Raises:
            OutputError: one of them has not.
        """
        lying = self._lying()
        self._store.each(
            lambda path: self._bring(path, lying.get(path)),
            layout.files_of(self._release),
            self._step,
        )
        lying = self._lying()
        if amiss := [path for path, (_, md5) in self._files.items() if lying.get(path) != md5]:
            raise OutputError(
                f"{self._store.address}: {len(amiss)} files did not arrive there whole, such as "
                f"{min(amiss)}; 'fleetslo site publish' tries again"
            )
        contents = Contents(self._run, list(self._site.history), dict(sorted(self._files.items())))
        for name, text in (
            (layout.INDEX, layout.way_back(self._run).encode()),
            (layout.AT_TOP, self._at_top()),
            (layout.FILES, contents.text()),
        ):
            if name not in lying:
                self._store.write(self._folder + name, packed(text), layout.KEPT_AN_HOUR)
        known = self._before.files if self._before else {}
        new = [page.path for page in self._site.pages if page.path not in known]
        self._store.each(self._lead_in, new)

    def _bring(self, path: str, lies: str | None) -> None:
        """See that a file lies in the release's folder: as it is, as a copy, or sent from here."""
        content = (self._release / path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if self._before and self._before.files.get(path, ("",))[0] == digest:
            self._files[path] = (digest, self._before.files[path][1])
            if lies != self._files[path][1]:
                self._store.copy(release_of(self._before.run_id) + path, self._folder + path)
                self.copied.append(path)
            return
        small = packed(content)
        self._files[path] = (digest, small.md5)
        if lies != small.md5:
            self._store.write(self._folder + path, small, layout.kept(path))
            self.uploaded.append(path)

    def _lying(self) -> dict[str, str]:
        """Return the MD5 of each file that lies in the release's folder."""
        found = self._store.files(self._folder)
        return {name.removeprefix(self._folder): one.md5 for name, one in found.items()}

    def _lead_in(self, path: str) -> None:
        self._store.write(path, packed(layout.way_in(path).encode()), layout.KEPT_AN_HOUR)

    def switch(self, there: Pointer | None) -> None:
        """Let readers see the release, unless another one took the place of what was there.

        Raises:
            PreconditionFailed: one did.
        """
        feeds = {
            path: md5 for path, (_, md5) in self._files.items() if path.startswith(layout.FEEDS)
        }
        Showing(
            self._store,
            self._run,
            len(self._site.pages),
            self._at_top(),
            feeds,
            lambda path: (self._release / path).read_bytes(),
        ).show(there)

    def _at_top(self) -> bytes:
        index = (self._release / layout.INDEX).read_text(encoding="utf-8")
        return layout.index_at_top(index, self._run).encode()
