"""``fleetslo demo`` and ``fleetslo query``."""

from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import bytes_text, frame_table, pairs, progress, say, table
from fleetslo.commands.warehouse import Address


class Size(StrEnum):
    """How large a demo fleet is made."""

    tiny = "tiny"
    small = "small"
    medium = "medium"
    large = "large"


class Format(StrEnum):
    """How an answer is written."""

    table = "table"
    csv = "csv"
    parquet = "parquet"
    json = "json"


def demo(
    size: Annotated[
        Size, typer.Option(help="small: 24 services; medium: 200; large: 1,000; tiny: for tests")
    ] = Size.small,
    seed: Annotated[int, typer.Option(help="the same seed gives the same bytes")] = 1,
    warehouse: Address = None,
) -> None:
    """Make a fleet that looks like a real one, with the planted truth beside it."""
    from fleetslo.measuring import make_demo
    from fleetslo.settings import load_settings

    settings = load_settings({"warehouse": warehouse}).settings
    with progress() as show:
        report = make_demo(settings, size.value, seed, progress=show)
    say(
        f"{report.services} services, {report.rows:,} rows, {bytes_text(report.bytes)} in "
        f"{settings.warehouse}"
    )
    say(f"what was planted: {report.truth}")


def query(
    name: Annotated[
        str | None,
        typer.Argument(help="a question under queries/, such as slo/days; none lists them"),
    ] = None,
    period: Annotated[
        str, typer.Option(help="28d, 2026-10, 2026-W44 or 2026-10-01/2026-11-01")
    ] = "28d",
    as_of: Annotated[
        str, typer.Option(help="where 28d ends; default: the newest whole day of data")
    ] = "",
    services: Annotated[
        str, typer.Option(help="names with commas between them; default: all")
    ] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="another parameter")
    ] = None,
    form: Annotated[Format, typer.Option("--format", help="how to write it")] = Format.table,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="a file; default: the screen")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="only say what BigQuery would read, and its price")
    ] = False,
    warehouse: Address = None,
) -> None:
    """Ask one question of the warehouse."""
    if name is None:
        _list_queries()
        return
    from fleetslo.commands.asking import TerminalWatcher
    from fleetslo.errors import UsageError
    from fleetslo.fleet import open_fleet
    from fleetslo.writing import write_frame

    if form is Format.parquet and output is None:
        raise UsageError("--format parquet needs a file; add --output FILE")
    names = [service.strip() for service in services.split(",") if service.strip()]
    if dry_run:
        _estimate(name, period, as_of, names, pairs(parameter or []), warehouse)
        return
    fleet = open_fleet(warehouse)
    watcher = TerminalWatcher(fleet.settings.price_per_tib)
    fleet.warehouse.watch(watcher)
    with closing(watcher):
        frame = fleet.ask(name, period, as_of, names, pairs(parameter or []))
    if form is Format.table and output is None:
        frame_table(frame)
        return
    written = write_frame(frame, form.value, output)
    if output is None:
        say(written.rstrip("\n"))
    else:
        say(f"{output}: {frame.height:,} rows")


def _estimate(
    name: str,
    period: str,
    as_of: str,
    services: list[str],
    parameters: dict[str, str],
    address: str | None,
) -> None:
    from fleetslo.errors import UsageError
    from fleetslo.periods import Period
    from fleetslo.settings import load_settings
    from fleetslo.warehouse.base import open_warehouse
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse
    from fleetslo.warehouse.queries import read_query

    settings = load_settings({"warehouse": address}).settings
    warehouse = open_warehouse(settings.warehouse)
    if not isinstance(warehouse, BigQueryWarehouse):
        raise UsageError(f"--dry-run is for bigquery:// only; {warehouse.url} costs nothing to ask")
    window = Period.parse(period, as_of=as_of or None)
    given = {"start": window.start, "end": window.end, "services": services}
    query = read_query(name)
    given = {key: value for key, value in given.items() if key in query.parameters}
    estimate = warehouse.estimate(name, **given, **query.parse(parameters))
    say(
        f"{name} would read at most {bytes_text(estimate.byte_count)}, "
        f"${estimate.price(settings.price_per_tib):.4f} on demand"
    )


def _list_queries() -> None:
    from fleetslo.warehouse.queries import list_queries, read_query

    table(
        ["question", "what it answers"], [(name, read_query(name).says) for name in list_queries()]
    )


def register(app: typer.Typer) -> None:
    """Add the commands to the tool."""
    app.command()(demo)
    app.command()(query)
