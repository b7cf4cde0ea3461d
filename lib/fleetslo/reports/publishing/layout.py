"""How a site lies in the storage.

::

    <prefix>/
      index.html                          what readers open; its links lead into the release
      current.json                        which release that is: the one switch
      feeds/<squad>.atom                  as of that release
      <period>/service_slo/<slug>.html    leads on to this page of the current release
      releases/<run>/                     never changed once it is complete
        files.json                        written last: what the release holds
        index.html                        leads back to the index that readers open
        at-top.html                       that index, for when readers are to see this release
        site.json assets/ feeds/ <period>/

Pages link to each other inside their release, and have their style and scripts from it, so a
reader never meets a mixture. An address without ``releases/`` never changes; it is the one to pass
on.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from fleetslo.reports.page import relative

POINTER = "current.json"
INDEX = "index.html"
FEEDS = "feeds/"
RELEASES = "releases/"
FILES = "files.json"
AT_TOP = "at-top.html"

KEPT_FOREVER = "max-age=31536000, immutable"
"""For what is named by its content."""
KEPT_AN_HOUR = "max-age=3600"
"""For pages of a release: they do not change, and can be taken back within the hour."""
KEPT_NEVER = "no-cache"
"""For what a switch changes."""


@dataclass(frozen=True)
class Pointer:
    """Which release readers see, since when, and the generation of the file that says so."""

    run_id: str
    published_at: datetime
    page_count: int
    generation: int = 0

    def text(self) -> bytes:
        """Return the file's content."""
        said = {
            "format": 1,
            "run_id": self.run_id,
            "release": release_of(self.run_id),
            "published_at": self.published_at.isoformat(timespec="seconds"),
            "pages": self.page_count,
        }
        return json.dumps(said).encode()


def read_pointer(content: bytes, generation: int) -> Pointer:
    """Return what the pointer's file says.

    Raises:
        ValueError, KeyError, TypeError: it is none, or another version wrote it.
    """
    said = json.loads(content)
    if said["format"] != 1:
        raise ValueError(f"format {said['format']}")
    since = datetime.fromisoformat(said["published_at"])
    return Pointer(said["run_id"], since, said["pages"], generation)


@dataclass(frozen=True)
class Contents:
    """What a complete release holds.

    ``files`` has of each file the MD5 of its bytes and that of its stored ones; ``history`` the
    releases that came before.
    """

    run_id: str
    history: Sequence[str]
    files: Mapping[str, Sequence[str]]

    def text(self) -> bytes:
        """Return the content of ``files.json``."""
        return json.dumps({"format": 1, **vars(self)}).encode()


def read_contents(content: bytes) -> Contents:
    """Return what ``files.json`` of a release says.

    Raises:
        ValueError, KeyError, TypeError: it is none, or another version wrote it.
    """
    said = json.loads(content)
    if said["format"] != 1:
        raise ValueError(f"format {said['format']}")
    return Contents(said["run_id"], said["history"], said["files"])


def release_of(run_id: str) -> str:
    """Return the folder of a release, with a slash at its end."""
    return f"{RELEASES}{run_id}/"


def files_of(release: Path) -> list[str]:
    """Return the files of a release that are stored as they are, shared ones first.

    The index is not among them: readers open it at the top.
    """
    found = sorted(
        path.relative_to(release).as_posix()
        for path in release.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    )
    return sorted((path for path in found if path != INDEX), key=lambda path: not _is_asset(path))


def _is_asset(path: str) -> bool:
    return path.startswith("assets/")


def kept(path: str) -> str:
    """Return how long a browser may keep a file of a release."""
    return KEPT_FOREVER if _is_asset(path) else KEPT_AN_HOUR


def index_at_top(html: str, run_id: str) -> str:
    """Return the index of a release as readers open it, above the release's folder."""
    up = relative(INDEX, release_of(run_id) + INDEX)
    inside = re.sub(r'href="#', f'href="{up}#', html)  # a place on the page itself
    inside = inside.replace(f'href="{FEEDS}', f'href="{relative(FEEDS, release_of(run_id))}/')
    head = '<meta charset="utf-8">'
    return inside.replace(head, f'{head}\n<base href="{release_of(run_id)}">', 1)


def way_back(run_id: str) -> str:
    """Return the page that lies where pages of a release look for the index, and leads there."""
    up = relative(INDEX, release_of(run_id) + INDEX)
    return _leading(
        f'<meta http-equiv="refresh" content="0; url={up}">', f'<a href="{up}">All reports</a>'
    )


def way_in(path: str) -> str:
    """Return the page at an address that never changes, which leads to the current release.

    Where that has no such page, it leads to the index.
    """
    pointer, index = relative(POINTER, path), relative(INDEX, path)
    root = pointer.removesuffix(POINTER)
    script = (
        f'<script>fetch("{pointer}", {{cache: "no-store"}}).then((one) => one.json())'
        f'.then((current) => "{root}" + current.release + "{path}")'
        '.then((page) => fetch(page, {method: "HEAD"}).then((found) => location.replace('
        f'found.ok ? page + location.hash : "{index}")))'
        f'.catch(() => location.replace("{index}"))</script>'
    )
    return _leading(script, f'<a href="{index}">All reports</a>')


def _leading(how: str, link: str) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Report</title>\n'
        f"{how}</head>\n<body><p>{link}</p></body></html>\n"
    )
