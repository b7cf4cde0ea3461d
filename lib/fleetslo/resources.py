"""Where notebooks and queries lie: the user's project over the packaged ones.

A project folder (one with a ``fleetslo.toml``) may hold ``notebooks/`` and ``queries/`` of its
own. A file there hides the packaged file of the same relative name, so upgrading the package
never touches what a user wrote.
"""

from collections.abc import Iterator
from pathlib import Path

PROJECT_FILE = "fleetslo.toml"


def project_folder(start: Path | None = None) -> Path:
    """Return the nearest folder at or above ``start`` with a fleetslo.toml, else ``start``."""
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return here


def packaged(kind: str) -> Path:
    """Return the folder ``queries`` or ``notebooks`` that came with fleetslo.

    In a wheel it lies inside the package, in a checkout at its top level.
    """
    inside = Path(__file__).parent / kind
    return inside if inside.is_dir() else Path(__file__).parents[2] / kind


def folders(kind: str) -> tuple[Path, ...]:
    """Return where files of a kind are looked for, the project's own folder first."""
    own = project_folder() / kind
    theirs = packaged(kind)
    if own.is_dir() and own.resolve() != theirs.resolve():
        return (own, theirs)
    return (theirs,)


def find(kind: str, relative: str) -> Path | None:
    """Return the file of this relative name, the project's before the packaged one, or None."""
    for folder in folders(kind):
        root = folder.resolve()
        path = (root / relative).resolve()
        if path.is_file() and path.is_relative_to(root):
            return path
    return None


def listing(kind: str, pattern: str) -> Iterator[tuple[str, Path]]:
    """Yield (relative name, file) for a glob pattern, each relative name once, sorted."""
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in folder.glob(pattern):
            if path.is_file() and ".ipynb_checkpoints" not in path.parts:
                found.setdefault(path.relative_to(folder).as_posix(), path)
    yield from sorted(found.items())
