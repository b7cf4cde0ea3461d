"""Files that are either there in full or not there."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fleetslo.errors import OutputError

# What to do about the errors that people meet.
_ADVICE = {
    errno.EROFS: "the file system is read-only; choose a folder that can be written",
    errno.EACCES: "permission is missing; choose another folder or change its owner",
    errno.EPERM: "permission is missing; choose another folder or change its owner",
    errno.ENOTDIR: "a file stands where a folder is needed; move it away or choose another folder",
    errno.EEXIST: "a file stands where a folder is needed; move it away or choose another folder",
    errno.EISDIR: "a folder stands where a file is needed; move it away or choose another name",
    errno.ENOSPC: "the disk is full; make room or choose another one",
    errno.EDQUOT: "the quota is used up; make room or choose another folder",
}


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError on the way to ``path`` into an OutputError that says what to do."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or path
        advice = _ADVICE.get(error.errno or 0, "choose another place")
        raise OutputError(f"{where}: cannot write: {error.strerror or error}; {advice}") from None


def folder(path: Path) -> Path:
    """Return a folder, made if it was not there.

    Raises:
        OutputError: it cannot be made, or nothing can be written in it.
    """
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".writable-{os.getpid()}"
        probe.touch()
        probe.unlink()
    return path


def write_file(path: Path, content: str | bytes) -> Path:
    """Write a file through a temporary one beside it, so that a reader never meets half of it.

    Raises:
        OutputError: it cannot be written.
    """
    beside = path.with_name(f".{path.name[:100]}.{os.getpid()}.part")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content.encode() if isinstance(content, str) else content)
            beside.replace(path)
        except OSError:
            beside.unlink(missing_ok=True)
            raise
    return path
