"""Removing what runs left long ago: their folders, what they told, notebooks nobody needs."""

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from fleetslo.reports.executed import forget
from fleetslo.reports.manifest import is_live
from fleetslo.reports.records.reading import record_path, runs_folder
from fleetslo.reports.scheduling.records import newest_batch
from fleetslo.reports.site import kept_releases, read_published


@dataclass(frozen=True)
class Gone:
    """The folder of a run that is removed: when the run ended, and how many bytes it holds."""

    run_id: str
    ended_at: datetime
    size_bytes: int


def prune_runs(
    home: Path, older_than: timedelta, now: datetime, *, dry_run: bool = False
) -> list[Gone]:
    """Remove the folders of runs that ended longer ago than that; return them, oldest first.

    The newest run stays, and the newest batch, which ``--failed`` goes by; so does every run that
    goes on or whose release is kept. Their executed notebooks have a second name under their key
    and go a month later, unless a published page came of them (``executed.forget``).
    """
    found = sorted(path for path in runs_folder(home).glob("[!.]*") if path.is_dir())
    newest = newest_batch(home)
    kept = {one.name for one in kept_releases(home / "site")}
    kept |= {newest.run_id if newest else "", found[-1].name if found else ""}
    gone = []
    for path in found:
        if path.name in kept:
            continue
        ended_at = _ended_at(home, path)
        if ended_at < now - older_than and not is_live(home, path.name):
            gone.append(Gone(path.name, ended_at, _size(path)))
    if not dry_run:
        for one in gone:
            shutil.rmtree(runs_folder(home) / one.run_id, ignore_errors=True)
            for name in (f"{one.run_id}.json", f".{one.run_id}.lock"):
                with suppress(OSError):
                    (home / "told" / name).unlink()
        forget(home, {page.key for page in read_published(home / "site").pages}, now)
    return gone


def _ended_at(home: Path, path: Path) -> datetime:
    """Return when a run last wrote its record, which may be large; without one, its folder."""
    try:
        changed = record_path(home, path.name).stat().st_mtime
    except OSError:
        changed = path.stat().st_mtime
    return datetime.fromtimestamp(changed, UTC)


def _size(root: Path) -> int:
    return sum(path.lstat().st_size for path in _files(root))


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root):
        yield from (Path(folder) / name for name in names)
