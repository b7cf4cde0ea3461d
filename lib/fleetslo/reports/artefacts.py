"""Files that a job leaves, told by what is in them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["notebook", "page", "error page"]


@dataclass(frozen=True)
class Made:
    """A file as it was when it had just been written."""

    kind: Kind
    path: Path
    sha256: str
    size_bytes: int


def made(kind: Kind, path: Path) -> Made:
    """Return what is in a file.

    Raises:
        OSError: it cannot be read.
    """
    content = path.read_bytes()
    return Made(kind, path, hashlib.sha256(content).hexdigest(), len(content))
