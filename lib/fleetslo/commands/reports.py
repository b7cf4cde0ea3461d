"""``fleetslo report`` and ``fleetslo run``."""

from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import batch_progress, complain, pairs, say, table
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
        str, typer.Option(help="the day that periods end on; default: the newest whole day of data")
    ] = "",
    only: Annotated[
        list[str] | None,
        typer.Option(help="only this notebook, or service_slo/SERVICE; may be repeated"),
    ] = None,
    every: Annotated[
        str | None, typer.Option(help="only the reports made every day, week or month")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="notebooks run at once")] = None,
    warehouse: Address = None,
) -> None:
    """Run every report of notebooks/schedule.yaml and publish the site."""
    from fleetslo.reports.running import run_schedule
    from fleetslo.settings import load_settings

    settings = load_settings({"warehouse": warehouse, "jobs": jobs}).settings
    with batch_progress() as watch:
        done = run_schedule(
            settings, as_of=as_of, only=only or [], every=every, progress=watch, note=complain
        )
    say(f"{len(done.results)} reports in {done.duration_s:.0f} s")
    say(f"open {done.index}")
    if done.shared:
        say(f"{settings.publish} shows it")


def register(app: typer.Typer) -> None:
    """Add the commands to the tool."""
    app.command()(report)
    app.command()(run)
