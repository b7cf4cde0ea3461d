"""The pages that say why a report could not be made: one to keep by itself, one for the site."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fleetslo.charts import words
from fleetslo.files import write_file
from fleetslo.reports.check import check_page
from fleetslo.reports.jobs import Head, Job, Result
from fleetslo.reports.missed import Missed
from fleetslo.reports.page import page_of, relative

_MOST_REASONS = 20
_MOST_NAMED = 3
"""Pages that failed for the same reason and are named."""


def error_page(folder: Path, job: Job) -> Path:
    """Return where the error page of a job is kept in the folder of its run."""
    return folder / "failures" / job.path


def drawn_at(folder: Path) -> Path:
    """Return where the pages of a run lie, at their paths in the site, until it publishes them."""
    return folder / "pages"


def write_failure(
    folder: Path, job: Job, run_id: str, result: Result, notebook: Any, *, in_site: bool
) -> Path:
    """Write the page that says why a job failed, and return its file; write one for the site, too.

    Args:
        folder: of the run.
        job: what was to be reported.
        run_id: the run.
        result: what became of it.
        notebook: as far as it came.
        in_site: whether the run publishes a site.

    Raises:
        OutputError: they cannot be written.
    """
    from fleetslo.reports.html import Context, render_failure

    says = result.says[0].upper() + result.says[1:]
    html = render_failure(
        notebook,
        title=job.page,
        assets="assets",
        standalone=True,
        context=Context(run=run_id),
        reason=says,
    )
    kept = write_file(error_page(folder, job), html)
    if in_site:
        _write_for_site(folder, _missed(job, run_id, result), says, notebook)
    return kept


def missed_in(folder: Path, run_id: str, failed: Mapping[str, tuple[Job, Result]]) -> list[Missed]:
    """Return the reports that a run could not make, each with its page for the site written.

    Raises:
        OutputError: one cannot be written.
    """
    found = [_missed(job, run_id, result) for job, result in failed.values()]
    write_missed(folder, found)
    return found


def write_missed(folder: Path, missed: Iterable[Missed]) -> None:
    """Write the pages for the site of reports that did not fail in their notebooks.

    Raises:
        OutputError: one cannot be written.
    """
    for one in missed:
        if not (drawn_at(folder) / one.path).is_file():
            _write_for_site(folder, one, one.reason, None)


def _missed(job: Job, run_id: str, result: Result) -> Missed:
    return Missed(page_of(job, Head(), run_id), result.says, run_id)


def _write_for_site(folder: Path, missed: Missed, says: str, notebook: Any) -> None:
    from fleetslo.reports.html import Context, render_failure

    path = missed.path
    context = Context(home=relative("index.html", path), run=missed.page.run_id)

    def drawn(notebook: Any) -> str:
        return render_failure(
            notebook,
            title=f"{missed.page.name}, {missed.page.span.label}",
            assets=relative("assets", path),
            context=context,
            reason=says,
        )

    html = drawn(notebook)
    if check_page(html, path).problems:
        html = drawn(None)
    write_file(drawn_at(folder) / path, html)


def told(failed: Mapping[str, tuple[Job, Result]], total: int, run_folder: Path) -> str:
    """Return the message about failed reports: each reason with notebook, cell and error, once."""
    good = total - len(failed)
    others = "the other one is" if good == 1 else f"the other {good} are"
    site = f"{others} published" if good else "nothing was published"
    lines = [f"{words.count(len(failed))} of {words.plural(total, 'report')} failed; {site}"]
    by_reason: dict[tuple[str, str], list[Job]] = {}
    for job, result in failed.values():
        by_reason.setdefault((job.notebook, result.says), []).append(job)
    for (notebook, says), jobs in list(by_reason.items())[:_MOST_REASONS]:
        pages = ", ".join(job.page for job in jobs[:_MOST_NAMED])
        more = len(jobs) - _MOST_NAMED
        pages += f" and {more} more" if more > 0 else ""
        lines.append(f"  {pages} ({notebook}): {says}")
        kept = (error_page(run_folder, job) for job in jobs[:_MOST_NAMED])
        lines += [f"    {page}" for page in kept if page.is_file()]
    if len(by_reason) > _MOST_REASONS:
        more = len(by_reason) - _MOST_REASONS
        lines.append(f"  and {more} more reasons: {run_folder / 'manifest.json'}")
    return "\n".join(lines)
