"""``fleetslo report`` and ``fleetslo run``."""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from fleetslo.commands.screen import batch_progress, complain, pairs, say, table
from fleetslo.commands.telling import told_afterwards
from fleetslo.commands.warehouse import Address


def report(
    notebook: Annotated[
        str | None, typer.Argument(help="a notebook, such as service_slo; none lists them")
    ] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("-p", metavar="NAME=VALUE", help="a parameter of the notebook"),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="the page's file; default: under .fleetslo/reports"),
    ] = None,
    standalone: Annotated[
        bool, typer.Option("--standalone", help="one self-contained file, to send to somebody")
    ] = False,
    parameters: Annotated[
        bool, typer.Option("--parameters", help="show the notebook's parameters and stop")
    ] = False,
    warehouse: Address = None,
) -> None:
    """Run one notebook and write its page."""
    from fleetslo.reports.notebooks import describe, list_notebooks
    from fleetslo.settings import load_settings

    if notebook is None:
        table(["notebook", "what it answers"], [(n.name, n.question) for n in list_notebooks()])
        return
    if parameters:
        rows = [(p.name, p.type, repr(p.default), p.help) for p in describe(notebook)]
        table(["parameter", "type", "default", "what it is"], rows)
        return
    from fleetslo.reports.running import one_report

    settings = load_settings({"warehouse": warehouse}).settings
    with batch_progress() as watch:
        page = one_report(
            notebook,
            pairs(parameter or []),
            settings,
            output=output,
            standalone=standalone,
            progress=watch,
        )
    say(str(page))


def run(
    as_of: Annotated[
        str,
        typer.Option(
            help="the day that periods end on, or 'today' where the reports are due; default: the "
            "newest whole day of data"
        ),
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(help="only this report, notebook, or service_slo/SERVICE; may be repeated"),
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="only the reports made every day, week or month")
    ] = None,
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="only the I-th of N parts, by a hash of each page")
    ] = "",
    retry: Annotated[
        str, typer.Option(metavar="RUN", help="only the pages that failed in an earlier run")
    ] = "",
    failed: Annotated[
        bool, typer.Option("--failed", help="only the pages that failed in the newest run")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="run every notebook, also where nothing changed")
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="wait for a batch that runs, instead of giving up")
    ] = False,
    tell: Annotated[
        bool, typer.Option("--tell", help="tell the people in notebooks/recipients.yaml of it")
    ] = False,
    plan: Annotated[bool, typer.Option("--plan", help="show what would run, and stop")] = False,
    jobs: Annotated[int | None, typer.Option(help="notebooks run at once")] = None,
    warehouse: Address = None,
    run_id: Annotated[str | None, typer.Option(hidden=True, help="the name of the run")] = None,
    trigger: Annotated[
        Literal["manual", "schedule", "backfill", "export"],
        typer.Option(hidden=True, help="what began the run, for its record"),
    ] = "manual",
    attempt: Annotated[
        int, typer.Option(hidden=True, min=1, help="which try this is, for its record")
    ] = 1,
    leash: Annotated[
        int | None, typer.Option(hidden=True, help="stop when this descriptor's other end closes")
    ] = None,
) -> None:
    """Run every report of notebooks/schedule.yaml and publish the site."""
    from fleetslo.charts import words
    from fleetslo.errors import UsageError
    from fleetslo.reports.executed import is_kept
    from fleetslo.reports.manifest import Occasion, new_run_id
    from fleetslo.reports.running import plan_schedule, run_schedule
    from fleetslo.reports.scheduling.leash import stop_when_closed
    from fleetslo.reports.scheduling.planning import Choice
    from fleetslo.settings import load_settings

    settings = load_settings({"warehouse": warehouse, "jobs": jobs}).settings
    if plan:
        planned = plan_schedule(settings, Choice(as_of, only or [], every, shard, retry, failed))
        table(["report", "due", "for", "pages", "period", "parameters"], planned.table())
        kept = sum(is_kept(job, settings.home) for job in planned.jobs)
        say(f"{words.plural(len(planned.jobs), 'page')}, {0 if again else kept} of them unchanged")
        return
    if leash is not None:
        stop_when_closed(leash)
    if tell and shard:
        raise UsageError(
            "shards do not know of each other, so a squad would hear of each; leave --tell out, "
            "and run 'fleetslo tell --only REPORT' when all of them are done"
        )
    run_id = run_id or new_run_id()
    telling = told_afterwards(run_id, only or [], every) if tell else nullcontext()
    with telling, batch_progress() as watch:
        done = run_schedule(
            settings,
            as_of=as_of,
            only=only or [],
            every=every,
            shard=shard,
            retry=retry,
            failed=failed,
            again=again,
            wait=wait,
            progress=watch,
            note=complain,
            run_id=run_id,
            occasion=Occasion(trigger, attempt),
        )
    made = len(done.results) - done.unchanged
    say(
        f"{words.plural(len(done.results), 'report')} in {done.duration_s:.0f} s: "
        f"{done.unchanged} unchanged, {made} made"
    )
    if done.index is not None:
        say(f"open {done.index}")
    if done.shared:
        say(f"{settings.publish} shows it")


def register(app: typer.Typer) -> None:
    """Add the commands to the tool."""
    app.command()(report)
    app.command()(run)
