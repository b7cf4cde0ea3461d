"""What the workers of a batch do: run a notebook, draw its page."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from fleetslo.files import write_file
from fleetslo.reports.artefacts import made
from fleetslo.reports.check import Checked, check_page
from fleetslo.reports.engine.limits import Limits
from fleetslo.reports.failures import write_failure
from fleetslo.reports.feeds import feed_path
from fleetslo.reports.jobs import Failure, Head, Job, Result
from fleetslo.reports.page import Page, Pages, history, relative
from fleetslo.reports.pool import Broken
from fleetslo.reports.worker import Surroundings

_RANKED = "budget_left"
"""What pages of a report are ranked by."""


@dataclass(frozen=True)
class Execute:
    """Run a job's notebook. The result's notebook is kept in ``folder``; see ``kept_at``.

    Where ``home`` is given, a good one is kept there, too, under the key of the job.
    """

    job: Job
    folder: Path
    run_id: str
    environ: Mapping[str, str]
    start_in: Path
    limits: Limits
    engine: Literal["fork", "kernel"]
    home: Path | None = None

    @property
    def forks(self) -> bool:
        """Whether the worker is forked, and must have one thread only."""
        return self.engine == "fork"

    def run(self, surroundings: Surroundings) -> Result:
        """Return what became of the job; whatever goes wrong in the notebook is in there."""
        from fleetslo.reports.engine.executing import execute
        from fleetslo.reports.engine.outcomes import durations_s
        from fleetslo.reports.engine.saving import write
        from fleetslo.reports.executed import keep, stamp

        began = time.monotonic()
        job = self.job
        partial = partial_at(self.folder, job)
        executed = execute(
            read_notebook(job.source),
            job.parameters,
            engine=self.engine,
            name=job.notebook,
            environ=self.environ,
            folder=self.start_in,
            limits=self.limits,
            running=surroundings.running,
            on_cell=lambda cell, cells: surroundings.tell("cell", (cell, cells)),
            partial=partial,
            connection=surroundings.connection,
            lost=surroundings.lost,
        )
        result = Result(
            outcome=executed.outcome,
            duration_s=time.monotonic() - began,
            executed=kept_at(self.folder, job, good=executed.outcome == "ok"),
            failure=executed.failure,
            head=head_of(executed.notebook),
            cell_durations_s=durations_s(executed.notebook),
            peak_memory_bytes=executed.peak_memory_bytes,
        )
        assert result.executed is not None  # noqa: S101
        if result.outcome == "ok":
            stamp(executed.notebook, self.run_id, result)
        write(result.executed, executed.notebook)
        left = [made("notebook", result.executed)]
        if result.outcome == "ok" and job.key and self.home is not None:
            keep(result.executed, self.home, job.key)
        partial.unlink(missing_ok=True)
        if result.outcome != "ok":
            page = write_failure(
                self.folder,
                job,
                self.run_id,
                result,
                executed.notebook,
                in_site=self.home is not None,
            )
            left.append(made("error page", page))
        return replace(result, made=tuple(left))


def read_notebook(path: Path) -> Any:
    """Return the notebook in a file."""
    import nbformat

    reading: Any = nbformat.read
    return reading(path, as_version=4)


def kept_at(folder: Path, job: Job, *, good: bool) -> Path:
    """Return where the executed notebook of a job is kept in the folder of its run."""
    kind = "notebooks" if good else "failures"
    return (folder / kind / job.path).with_suffix(".ipynb")


def partial_at(folder: Path, job: Job) -> Path:
    """Return where the notebook of a job is kept in the folder of its run while it runs."""
    return (folder / "running" / job.path).with_suffix(".ipynb")


def head_of(notebook: Any) -> Head:
    """Return what the first verdict block among a notebook's outputs says."""
    from fleetslo.charts.blocks import MIMETYPE

    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            block = output.get("data", {}).get(MIMETYPE)
            if isinstance(block, dict) and block.get("block") == "verdict":
                return Head(
                    name=block["name"],
                    verdict=block["verdict"],
                    sentence=block["sentence"],
                    headline=block["headline"],
                    published=block.get("published", ()),
                )
    return Head()


@dataclass(frozen=True)
class Draw:
    """Turn an executed notebook into its page, written to ``target``, and look it over.

    ``pages`` is a file of all pages that the site will have (``write_pages``); without it the
    page stands alone and links to nothing.
    """

    page: Page
    executed: Path
    target: Path
    pages: Path | None = None
    standalone: bool = False
    assets: str | None = None

    def run(self, surroundings: Surroundings) -> Checked:
        """Return what is wrong with the page, and the files of the site that it needs."""
        from fleetslo.reports.html import Context, render
        from fleetslo.reports.publishing.whole import shortcomings

        page = self.page
        context = Context(run=page.run_id)
        if self.pages is not None:
            known = _read_pages(self.pages)
            before, after = known.previous(page), known.next(page)
            context = Context(
                links=known.links_from(page),
                previous=relative(before.path, page.path) if before else None,
                next=relative(after.path, page.path) if after else None,
                home=relative("index.html", page.path),
                run=page.run_id,
                feed=relative(feed_path(page.squad), page.path) if page.squad else None,
                history=history(page, known),
                standing=known.standing(page),
            )
        notebook = read_notebook(self.executed)
        html = render(
            notebook,
            title=page.title,
            window=page.window,
            assets=page.assets if self.assets is None else self.assets,
            standalone=self.standalone,
            context=context,
        )
        write_file(self.target, html)
        checked = check_page(html, page.path)
        checked.made = made("page", self.target)
        checked.problems += shortcomings(notebook, html, standalone=self.standalone)
        return checked


def as_result(task: Execute, answer: Result | Broken) -> Result:
    """Return the result of an ``Execute``, also where its worker did not live to give one.

    What had been kept of the notebook by then stays with the failures.
    """
    if isinstance(answer, Broken):
        trace = tuple(answer.detail.splitlines())
        failure = Failure(None, 0, "WorkerError", answer.says, traceback=trace, where="")
        partial = partial_at(task.folder, task.job)
        executed = kept_at(task.folder, task.job, good=False)
        if not partial.is_file():
            return Result("failed", 0.0, failure=failure)
        executed.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(executed)
        left = (made("notebook", executed),)
        return Result("failed", 0.0, executed=executed, failure=failure, made=left)
    return answer


def as_checked(answer: Checked | Broken) -> Checked:
    """Return what a ``Draw`` found, also where its worker did not live to say."""
    return Checked(problems=[answer.says]) if isinstance(answer, Broken) else answer


def write_pages(path: Path, pages: Pages) -> Path:
    """Write what workers need to know of the other pages, and return where."""
    # Most of headlines and sentences is left out: they make up most of it, and no page needs them.
    slim = [
        vars(replace(page, headline={_RANKED: page.headline.get(_RANKED)}, sentence=""))
        for page in pages
    ]
    return write_file(path, json.dumps(slim))


@lru_cache(maxsize=2)
def _read_pages(path: Path) -> Pages:
    return Pages(Page(**page) for page in json.loads(path.read_text(encoding="utf-8")))
