"""Running the schedule, or one report, on the fleet that the settings name."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from fleetslo.fleet import open_fleet
from fleetslo.periods import Period
from fleetslo.reports.batch import BatchReport, run_batch
from fleetslo.reports.jobs import BatchProgress
from fleetslo.reports.notebooks import describe, find_notebook
from fleetslo.reports.schedule import read_schedule
from fleetslo.reports.scheduling.planning import Choice, Plan, plan_run
from fleetslo.reports.single import run_report
from fleetslo.settings import Settings


def plan_schedule(settings: Settings, choice: Choice) -> Plan:
    """Return what ``run_schedule`` would run, for whom and over what period; nothing runs.

    Raises:
        WarehouseMissing, WarehouseEmpty, PeriodError, NoData: the fleet has no such period.
        FleetsloError: see ``plan_run``.
    """
    return plan_run(open_fleet(settings.warehouse), read_schedule(), choice, settings.home)


def run_schedule(
    settings: Settings,
    *,
    as_of: str = "",
    only: Sequence[str] = (),
    every: str | None = None,
    shard: str = "",
    retry: str = "",
    progress: BatchProgress | None = None,
    note: Callable[[str], None] | None = None,
    run_id: str | None = None,
) -> BatchReport:
    """Run the reports of ``notebooks/schedule.yaml`` and publish the site.

    What is kept of the schedule is said by ``Choice``. ``note`` is told what a reader should know
    before it runs.

    Raises:
        WarehouseMissing, WarehouseEmpty, PeriodError, NoData: before anything runs.
        NotebookFailed, Cancelled, OutputError: see ``run_batch``.
    """
    fleet = open_fleet(settings.warehouse)
    if (late := fleet.warehouse.pending()) and note is not None:
        note(
            f"{max(late.values())} days changed since the last rollup and are not in these "
            "reports; run 'fleetslo warehouse rollup' first"
        )
    choice = Choice(as_of, only, every, shard, retry)
    plan = plan_run(fleet, read_schedule(), choice, settings.home)
    return run_batch(
        plan.jobs,
        settings,
        catalogue=plan.catalogue,
        progress=progress,
        run_id=run_id,
        planned=plan.planned,
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
