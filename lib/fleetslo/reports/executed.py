"""Executed notebooks that are kept under their key, so that no work is done twice.

::

    <home>/executed/<key>.ipynb     the same file as in the folder of its run, where links are to
                                    be had

A worker keeps a notebook as soon as it has run to its end. A batch that is killed afterwards has
lost nothing: the next one finds it here.
"""

import os
import shutil
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from fleetslo.files import writing
from fleetslo.reports.artefacts import made
from fleetslo.reports.jobs import Head, Job, Result
from fleetslo.reports.page import Page

METADATA = "fleetslo_run"
"""Where a notebook says which run executed it, how long that took, and with how much memory."""
_KEPT = timedelta(days=35)
"""A page of last month is made again without its notebook being run again."""


def kept_notebook(home: Path, key: str) -> Path:
    """Return where the executed notebook of a key is kept."""
    return home / "executed" / f"{key}.ipynb"


def is_kept(job: Job, home: Path) -> bool:
    """Return whether a notebook was executed under the key of a job before."""
    return bool(job.key) and kept_notebook(home, job.key).is_file()


def stamp(notebook: Any, run_id: str, result: Result) -> None:
    """Write the facts of a result into its notebook, to be read by ``result_of``."""
    notebook.metadata[METADATA] = {
        "run_id": run_id,
        "duration_s": round(result.duration_s, 3),
        "peak_memory_bytes": result.peak_memory_bytes,
    }


def keep(executed: Path, home: Path, key: str) -> None:
    """Keep an executed notebook under its key, in one step.

    Raises:
        OutputError: it cannot be written.
    """
    _link(executed, kept_notebook(home, key))


def result_of(job: Job, home: Path, target: Path) -> Result | None:
    """Return the result of an earlier run, its notebook put to ``target``; None if there is none.

    A kept notebook that cannot be read counts as none.
    """
    from fleetslo.reports.engine.outcomes import durations_s
    from fleetslo.reports.tasks import head_of, read_notebook

    kept = kept_notebook(home, job.key)
    try:
        notebook = read_notebook(kept)
        facts = notebook.metadata[METADATA]
        result = Result(
            "ok",
            facts["duration_s"],
            executed=target,
            head=head_of(notebook),
            cell_durations_s=durations_s(notebook),
            peak_memory_bytes=facts["peak_memory_bytes"],
            reused_from=facts["run_id"],
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return None
    _link(kept, target)
    return replace(result, made=(made("notebook", target),))


def carried(page: Page) -> Result:
    """Return the result of a page that stays published as it is."""
    head = Head(page.title, page.verdict, page.sentence, page.headline)
    return Result("ok", 0.0, head=head, reused_from=page.run_id)


def forget(home: Path, published: set[str], now: datetime) -> None:
    """Remove what was kept longer ago than a month, but for what published pages came of."""
    before = now - _KEPT
    for path in (home / "executed").glob("*"):
        with suppress(OSError):
            if path.stem not in published and path.stat().st_mtime < before.timestamp():
                path.unlink()


def _link(source: Path, target: Path) -> None:
    """Let a file have a second name, or a copy where the file system has no such names."""
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        beside.unlink(missing_ok=True)
        try:
            os.link(source, beside)
        except OSError:
            shutil.copyfile(source, beside)
        beside.replace(target)
        beside.unlink(missing_ok=True)  # renaming to another name of the same file does nothing
