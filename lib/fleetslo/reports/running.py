"""Running the schedule, or one report, on the fleet that the settings name."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleetslo.errors import (
    Cancelled,
    FleetsloError,
    OutputError,
    PeriodError,
    UnknownName,
    UsageError,
)
from fleetslo.fleet import Fleet, open_fleet
from fleetslo.periods import Period
from fleetslo.reports.batch import BatchReport, run_batch
from fleetslo.reports.executed import is_kept
from fleetslo.reports.jobs import BatchProgress, Silent
from fleetslo.reports.keys import keyed
from fleetslo.reports.manifest import Manifest, Occasion, new_run_id
from fleetslo.reports.notebooks import describe, find_notebook
from fleetslo.reports.page import Page
from fleetslo.reports.questions import ask_beforehand
from fleetslo.reports.records.model import DataRecord, TableRecord
from fleetslo.reports.schedule import choose, read_schedule
from fleetslo.reports.scheduling.entries import Entry
from fleetslo.reports.scheduling.planning import Choice, Plan, day_of, plan_run
from fleetslo.reports.single import run_report
from fleetslo.reports.turns import turn
from fleetslo.reports.untried import newest_pages, planned_pages, tell_untried
from fleetslo.settings import Settings
from fleetslo.warehouse.base import open_warehouse
from fleetslo.warehouse.extracts import Extracts, extracted


def plan_schedule(settings: Settings, choice: Choice) -> Plan:
    """Return what ``run_schedule`` would run, for whom and over what period; nothing runs.

    Raises:
        WarehouseMissing, WarehouseEmpty, PeriodError, NoData: the fleet has no such period.
        FleetsloError: see ``plan_run``.
    """
    fleet = open_fleet(settings.warehouse)
    plan = plan_run(fleet, read_schedule(), choice, settings.home)
    return replace(plan, jobs=keyed(plan.jobs, settings, fleet.warehouse))


def run_schedule(
    settings: Settings,
    *,
    as_of: str = "",
    only: Sequence[str] = (),
    every: str | None = None,
    shard: str = "",
    retry: str = "",
    failed: bool = False,
    again: bool = False,
    wait: bool = False,
    progress: BatchProgress | None = None,
    note: Callable[[str], None] | None = None,
    run_id: str | None = None,
    occasion: Occasion | None = None,
) -> BatchReport:
    """Run the reports of ``notebooks/schedule.yaml`` and publish the site.

    What earlier runs have made of the same inputs is taken over, unless it is to be made
    ``again``. One batch runs at a time: another is refused, or ``wait`` s for its turn.
    What their notebooks declare is asked once for the whole fleet, before the first one runs.
    ``Choice`` says what is kept of the schedule, ``occasion`` what began the run. ``note`` is told
    what a reader should know before it runs.

    What fails once it has its turn is in the record of the run, but for what a person mistyped.

    Raises:
        WarehouseMissing, WarehouseEmpty, PeriodError, NoData: before anything runs.
        BatchUnderWay: another batch runs in the home folder.
        NotebookError, WarehouseError: what is declared is wrong, or would read too much.
        NotebookFailed, Cancelled, OutputError: see ``run_batch``.
    """
    choice = Choice(as_of, only, every, shard, retry, failed)
    run_id = run_id or new_run_id()
    note = note or _silent
    with (
        turn(settings.home, run_id, shard=shard, wait=wait),
        Manifest(settings.home, run_id, settings.project, occasion or Occasion()) as manifest,
        _readers_told(settings, choice, manifest, note),
        extracted(settings.home, open_warehouse(settings.warehouse), run_id) as extracts,
    ):
        manifest.batch = extracts.folder
        try:
            return _run(settings, extracts, choice, progress or Silent(), note, manifest, again)
        except BaseException as error:
            mistyped = isinstance(error, UsageError | UnknownName | PeriodError)
            if mistyped and not manifest.jobs and manifest.occasion == Occasion():
                manifest.discard()  # a person mistyped something, and sees so
            manifest.fail(error)  # what it asked is gone in a moment
            raise


@contextmanager
def _readers_told(
    settings: Settings, choice: Choice, manifest: Manifest, note: Callable[[str], None]
) -> Iterator[None]:
    """Call the newest pages stale where a run that is due breaks off before it has a plan.

    Where a person asked for the run, or it makes up for an earlier one, nothing is stale. What the
    run is to make is in its record from the beginning, for those who are told of it.
    """
    kept: Sequence[Entry] = ()
    with suppress(FleetsloError):  # a mistake is met again by the plan
        kept = choose(read_schedule(), every=choice.every, only=choice.only)
        manifest.reports = [entry.name for entry in kept]
        manifest.as_of = day_of(choice.as_of, kept)
    try:
        yield
    except Cancelled:
        raise
    except FleetsloError as error:
        if not manifest.jobs and manifest.occasion.trigger in ("schedule", "export"):
            with suppress(FleetsloError):  # the site cannot be read: then as it is
                pages = newest_pages(settings, {entry.page for entry in kept}, manifest.run_id)
                _tell_untried(pages, settings, manifest.run_id, error, {}, note)
        raise


def _tell_untried(
    pages: Sequence[Page],
    settings: Settings,
    run_id: str,
    error: FleetsloError,
    catalogue: Mapping[str, Mapping[str, Any]],
    note: Callable[[str], None],
) -> None:
    try:
        tell_untried(pages, settings, run_id, error, catalogue)
    except OutputError as why:
        note(f"readers of the site are not told that this run failed: {why}")


def _silent(_: str) -> None:
    """Tell nobody."""


def _run(
    settings: Settings,
    extracts: Extracts,
    choice: Choice,
    progress: BatchProgress,
    note: Callable[[str], None],
    manifest: Manifest,
    again: bool,
) -> BatchReport:
    fleet = Fleet(settings, extracts)
    if late := fleet.warehouse.pending():
        note(
            f"{max(late.values())} days changed since the last rollup and are not in these "
            "reports; run 'fleetslo warehouse rollup' first"
        )
    manifest.data = _held(extracts)
    plan = plan_run(fleet, read_schedule(), choice, settings.home)
    manifest.planned = plan.planned
    jobs = keyed(plan.jobs, settings, fleet.warehouse)
    manifest.jobs = {job.path: job for job in jobs}
    running = [job for job in jobs if again or not is_kept(job, settings.home)]
    try:
        ask_beforehand(jobs, fleet, extracts, settings, progress, note, running=running)
    except Cancelled:
        raise
    except FleetsloError as error:
        pages = planned_pages(jobs, extracts.run)
        _tell_untried(pages, settings, extracts.run, error, plan.catalogue, note)
        raise
    return run_batch(
        jobs,
        settings.model_copy(update={"batch": extracts.folder}),
        catalogue=plan.catalogue,
        progress=progress,
        manifest=manifest,
        again=again,
    )


def _held(extracts: Extracts) -> DataRecord:
    """Return what the warehouse of a batch holds, for its record."""
    return DataRecord(
        warehouse=extracts.url,
        fingerprint=extracts.fingerprint(),
        complete_until=extracts.complete_until(),
        tables=[TableRecord(table=table, newest_at=at) for table, at in extracts.newest().items()],
    )


def one_report(
    notebook: str,
    parameters: Mapping[str, object],
    settings: Settings,
    *,
    output: Path | None = None,
    standalone: bool = False,
    progress: BatchProgress | None = None,
) -> Path:
    """Run one notebook on the fleet and return the path of its page.

    Where the notebook takes ``as_of`` and none is given, it is the newest whole day of data, so
    that the page says which period it covers. A service, a squad and a period that do not exist
    are refused before a kernel starts.

    Raises:
        UnknownNotebook, UnknownParameter, ParameterError, PeriodError, NoData, UnknownService,
            UnknownSquad: before anything runs.
        NotebookFailed, Cancelled, OutputError: see ``run_report``.
    """
    defaults = {one.name: one.default for one in describe(find_notebook(notebook))}
    given = dict(parameters)
    values = {**defaults, **given}
    if set(given) <= set(defaults) and isinstance(values.get("period"), str):
        fleet = open_fleet(settings.warehouse)
        period = fleet.period(str(values["period"]), str(values.get("as_of") or ""))
        if "as_of" in defaults and not values["as_of"]:
            given["as_of"] = f"{fleet.last_day:%Y-%m-%d}"
        if isinstance(values.get("service"), str):
            fleet.service(str(values["service"]), Period(period.start, period.end))
        if isinstance(values.get("squad"), str):
            fleet.squad(str(values["squad"]), period)
    return run_report(
        notebook, given, settings, output=output, standalone=standalone, progress=progress
    )
