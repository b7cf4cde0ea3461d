"""One report, for a person who asks for it: run the notebook, write its page."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleetslo.errors import Cancelled, NotebookFailed, OutputError, PeriodError
from fleetslo.files import folder, write_file
from fleetslo.periods import Period
from fleetslo.reports.engine.choice import engine_of, limits_of
from fleetslo.reports.environ import notebook_environ
from fleetslo.reports.failures import error_page
from fleetslo.reports.jobs import BatchProgress, Job, Result, Silent
from fleetslo.reports.manifest import Manifest, new_run_id
from fleetslo.reports.notebooks import Value, check_parameters, describe, find_notebook
from fleetslo.reports.page import page_of, relative
from fleetslo.reports.pool import Pool, Stop, stops
from fleetslo.reports.slugs import page_path
from fleetslo.reports.tasks import Draw, Execute, as_checked, as_result
from fleetslo.settings import Settings

# Starting the kernel, saving and drawing are not the notebook's own time.
_MARGIN_S = 120.0


def run_report(
    notebook: str,
    parameters: Mapping[str, object],
    settings: Settings,
    *,
    output: Path | None = None,
    standalone: bool = False,
    progress: BatchProgress | None = None,
) -> Path:
    """Run one notebook and return the path of its page.

    Without ``output`` the page lies under ``reports`` in the home folder, where the next one of
    the same service and period replaces it. Shared files lie in ``assets`` beside the page, or,
    ``standalone``, in the page itself.

    Raises:
        UnknownNotebook, UnknownParameter, ParameterError, PeriodError: before anything runs.
        OutputError: the page cannot be written; found before the notebook runs.
        NotebookFailed: a cell raised or the run was cut short; no page is written.
        Cancelled: SIGINT or SIGTERM; no process is left.
    """
    found = find_notebook(notebook)
    given = check_parameters(found, parameters)
    values = {**{parameter.name: parameter.default for parameter in describe(found)}, **given}
    period = _period(values)
    service, squad = values.get("service"), values.get("squad")
    subject = service or squad
    name = f"{found.short}/{subject}" if subject else found.short
    path = page_path(name, period.slug if period else "latest")
    root = settings.home / "reports" if output is None else output.parent
    target = root / path if output is None else output
    folder(target.parent)
    if target.is_dir():
        raise OutputError(f"{target}: a folder is in the way; name the page's file")
    job = Job(
        notebook=found.name,
        source=found.path,
        page=name,
        path=path,
        report=found.short,
        service=str(service) if service else None,
        period=str(period or ""),
        as_of=str(values.get("as_of") or ""),
        parameters=given,
        squad=str(squad) if squad and not service else None,
    )
    from fleetslo.reports.html import write_assets

    manifest = Manifest(
        settings.home, new_run_id(), settings.project, as_of=job.as_of, jobs={path: job}
    )
    with manifest, stops() as stop, Pool[Any](1, manifest.folder / "workers.log") as pool:
        try:
            result = _execute(job, manifest, settings, progress or Silent(), pool, stop)
            if result.outcome == "ok":
                page = _drawn(job, manifest, target, root, standalone, pool, stop)
                if not standalone:
                    write_assets(root / "assets")
                write_file(target, page.read_bytes())
        except Cancelled:
            manifest.results[path] = Result("cancelled", 0.0)
            raise
        manifest.write("ok" if result.outcome == "ok" else "failed")
    if result.outcome != "ok":
        kept = error_page(manifest.folder, job)
        more = f"\n  {kept}" if kept.is_file() else ""
        raise NotebookFailed(f"{name}: {result.says}{more}")
    return target


def _period(values: Mapping[str, Value]) -> Period | None:
    """Return the period that a report covers, or None where only the notebook can tell.

    Raises:
        PeriodError: the text names no period, whatever day it ends on.
    """
    text, as_of = values.get("period"), values.get("as_of")
    if not isinstance(text, str):
        return None
    if as_of:
        return Period.parse(text, as_of=str(as_of))
    Period.parse(text, as_of="2000-01-01")
    with suppress(PeriodError):
        return Period.parse(text)
    return None


def _execute(
    job: Job,
    manifest: Manifest,
    settings: Settings,
    progress: BatchProgress,
    pool: Pool[Any],
    stop: Stop,
) -> Result:
    timeout_s = settings.notebook_timeout_s
    environ = notebook_environ(settings)
    task = Execute(
        job,
        manifest.folder,
        manifest.run_id,
        environ,
        settings.project,
        limits_of(settings),
        engine_of(settings),
    )

    def told(_: Execute, what: str, value: Any) -> None:
        progress.cell(job, *value)

    progress.planned([job])
    progress.started(job)
    ((_, answer),) = pool.run([task], limit_s=timeout_s + _MARGIN_S, stop=stop, told=told)
    result = as_result(task, answer)
    manifest.note(job.path, result)
    progress.finished(job, result)
    return result


def _drawn(
    job: Job,
    manifest: Manifest,
    target: Path,
    root: Path,
    standalone: bool,
    pool: Pool[Any],
    stop: Stop,
) -> Path:
    """Return the page of a good result in the run's folder, once it has been looked over."""
    result = manifest.results[job.path]
    assert result.executed is not None  # noqa: S101 - a good result has kept its notebook
    drawn = manifest.folder / "pages" / job.path
    assets = relative("assets", target.relative_to(root).as_posix())
    page = page_of(job, result.head, manifest.run_id)
    task = Draw(page, result.executed, drawn, standalone=standalone, assets=assets)
    ((_, answer),) = pool.run([task], limit_s=_MARGIN_S, stop=stop)
    checked = as_checked(answer)
    if problems := checked.problems:
        raise NotebookFailed(f"{job.page}: its page: {'; '.join(problems)}")
    if checked.made:
        manifest.pages = {job.path: replace(checked.made, path=target)}
    return drawn
