"""``fleetslo report`` and ``fleetslo run``."""

from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import pairs, progress, say, table
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
        typer.Option("--output", "-o", help="the page; default: under .fleetslo/reports"),
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

    if notebook is None:
        rows = [(name, says) for name, says in list_notebooks()]
        table(["notebook", "what it answers"], rows)
        return
    if parameters:
        found = describe(notebook)
        rows = [(p.name, p.type, repr(p.default), p.help) for p in found]
        table(["parameter", "type", "default", "what it is"], rows)
        return
    from fleetslo.publishing import one_report

    with progress() as show:
        page = one_report(
            notebook,
            pairs(parameter or []),
            output,
            standalone=standalone,
            warehouse=warehouse,
            progress=show,
        )
    say(str(page))


def run(
    as_of: Annotated[
        str, typer.Option(help="the day that periods end on; default: the newest whole day of data")
    ] = "",
    only: Annotated[
        list[str] | None, typer.Option(help="only this notebook, or notebook/service; repeatable")
    ] = None,
    jobs: Annotated[int | None, typer.Option(help="notebooks run at once")] = None,
    warehouse: Address = None,
) -> None:
    """Run every report of notebooks/schedule.yaml and publish the site."""
    from fleetslo.publishing import run_schedule

    with progress() as show:
        outcome = run_schedule(as_of, only or [], jobs=jobs, warehouse=warehouse, progress=show)
    say(f"{outcome.pages} pages in {outcome.seconds:.0f} s")
    say(f"open {outcome.index}")


def register(app: typer.Typer) -> None:
    """Add the commands to the tool."""
    app.command()(report)
    app.command()(run)
