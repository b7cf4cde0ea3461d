"""A project on a small disk of its own that fills up; started in a mount namespace by the tests.

    python full_disk.py FOLDER DISK SIZE LEFT

makes a project in FOLDER, mounts SIZE of disk at DISK inside it and publishes one report. Then it
leaves LEFT bytes of the disk, runs a report of 400 kB and one of nothing, makes room again and runs
both once more. Standard output is one JSON document of what happened.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from fault_project import Project

LARGE = "if service == 'large':\n    print('x' * 400_000)"


def digests(project: Project) -> dict[str, str]:
    return {path: hashlib.sha256(text).hexdigest() for path, text in project.site().items()}


def fill(disk: Path, left: int) -> Path:
    """Write a file that leaves so many bytes."""
    path = disk / "filler"
    at = os.statvfs(disk)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, at.f_bavail * at.f_frsize - left)
    return path


def main() -> None:
    folder, disk = Path(sys.argv[1]), Path(sys.argv[1]) / sys.argv[2]
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={sys.argv[3]}", "none", str(disk)]
    if subprocess.run(mount, check=False).returncode:
        sys.exit(77)
    project = Project(folder)
    first = project.run("2026-11-01", "first")
    before = digests(project)
    filler = fill(disk, int(sys.argv[4]))
    project.report("service", LARGE)
    full = project.run("2026-11-01", "large", "small")
    after = digests(project)
    parts = [str(path.relative_to(folder)) for path in disk.rglob("*.part")]
    releases = sorted(path.name for path in (project.home / "site/releases").iterdir())
    filler.unlink()
    again = project.run("2026-11-01", "large", "small")
    pages = sorted(path for path in project.site() if path.endswith(".html"))
    told = {"first": first, "before": before, "full": full, "after": after, "parts": parts,
            "releases": releases, "again": again, "pages": pages}  # fmt: skip
    print(json.dumps(told))


if __name__ == "__main__":
    main()
