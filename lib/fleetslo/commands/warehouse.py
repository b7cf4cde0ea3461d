"""``fleetslo warehouse``: create, load, check, rollup, describe, cost, migrate."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from fleetslo.commands.screen import bytes_text, pairs, progress, say, table

app = typer.Typer(help="The stored data: make it, fill it, check it.", no_args_is_help=True)

Address = Annotated[
    str | None,
    typer.Option(
        "--warehouse", metavar="URL", help="duckdb:///folder or bigquery://project/dataset"
    ),
]


def _url(given: str | None) -> str:
    from fleetslo.settings import load_settings

    return load_settings({"warehouse": given}).settings.warehouse


def _step(text: str | None) -> timedelta | None:
    from fleetslo.errors import UsageError

    if text is None:
        return None
    number, unit = text[:-1], text[-1:]
    if not number.isdigit() or unit not in "smh" or not unit or int(number) == 0:
        raise UsageError(f"--step {text!r} is no length; write 60s, 5m or 1h")
    return timedelta(seconds=int(number) * {"s": 1, "m": 60, "h": 3600}[unit])


@app.command()
def create(warehouse: Address = None) -> None:
    """Make an empty warehouse with every table; nothing that exists is changed."""
    from fleetslo.warehouse.base import open_warehouse

    url = _url(warehouse)
    open_warehouse(url, must_exist=False).create()
    say(f"{url} is ready. Fill it with 'fleetslo warehouse load TABLE FILE'.")


@app.command()
def load(
    table_name: Annotated[str, typer.Argument(metavar="TABLE", help="the table to fill")],
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Parquet, CSV or NDJSON, .gz too")
    ],
    step: Annotated[
        str | None, typer.Option(help="the source reports every 5m, say; default: every minute")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="a mapping under queries/sources, such as petshop/requests")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="a parameter of the source")
    ] = None,
    warehouse: Address = None,
) -> None:
    """Load files into a table: every row is checked first, then all of it or nothing."""
    from fleetslo.warehouse.base import open_warehouse

    length = _step(step)
    given = pairs(parameter or [])
    place = open_warehouse(_url(warehouse))
    with progress() as show:
        report = place.load(
            table_name,
            files,
            step=length,
            source=source,
            parameters=given,
            progress=show,
        )
    for path in report.already_loaded:
        say(f"{path}: already loaded, left as it is")
    say(
        f"{table_name}: {report.rows:,} rows in {report.days} days; "
        f"{report.replaced:,} of them replaced rows of the same grain"
    )
    if report.rows:
        say("Run 'fleetslo warehouse rollup' to bring hours, days and objectives up to date.")


@app.command()
def check(
    as_of: Annotated[
        str | None, typer.Option(help="the instant that freshness is measured against")
    ] = None,
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="only this table; may be repeated")
    ] = None,
    warehouse: Address = None,
) -> None:
    """Check the stored data against its contracts; failures give exit code 15."""
    from fleetslo.errors import CheckFailed
    from fleetslo.fleet import open_fleet
    from fleetslo.periods import instant

    fleet = open_fleet(_url(warehouse))
    moment = instant(as_of) if as_of else fleet.complete_until
    findings = fleet.warehouse.check(moment, tables or None)
    rows = [(f.severity, f.table, f.check, f.says, f.example, f"{f.count:,}") for f in findings]
    if rows:
        table(["severity", "table", "check", "what", "example", "rows"], rows, numeric=1)
    failures = sum(finding.severity == "fail" for finding in findings)
    if failures:
        raise CheckFailed(f"{failures} checks failed and {len(findings) - failures} warned")
    say(f"every check passed as of {moment:%Y-%m-%d %H:%M} UTC; {len(findings)} warnings")


@app.command()
def rollup(warehouse: Address = None) -> None:
    """Sum minutes into hours, days and objectives, where something changed."""
    from fleetslo.fleet import open_fleet

    fleet = open_fleet(_url(warehouse))
    with progress() as show:
        report = fleet.rollup(progress=show)
    for name, days in report.days.items():
        say(f"{name}: {days:,} days, {report.rows.get(name, 0):,} rows written")
    if not any(report.days.values()):
        say("everything was up to date")


@app.command()
def describe(
    table_name: Annotated[
        str | None,
        typer.Argument(metavar="TABLE", help="what its columns mean; none: all tables"),
    ] = None,
    warehouse: Address = None,
) -> None:
    """Say what each table holds (rows, days, size), or what the columns of one table mean."""
    if table_name is not None:
        _columns(table_name)
        return
    from fleetslo.warehouse.base import open_warehouse

    frame = open_warehouse(_url(warehouse)).describe()
    rows = [
        (
            row["table"],
            f"{row['first']:%Y-%m-%d %H:%M}" if row["first"] else None,
            f"{row['last']:%Y-%m-%d %H:%M}" if row["last"] else None,
            f"{row['days']:,}" if row["days"] is not None else None,
            f"{row['rows']:,}",
            bytes_text(row["bytes"]),
        )
        for row in frame.iter_rows(named=True)
    ]
    table(["table", "first (UTC)", "last (UTC)", "days", "rows", "size"], rows, numeric=3)


def _columns(name: str) -> None:
    from fleetslo.warehouse.contracts import contract

    found = contract(name)
    say(found.says)
    say(f"One row per {', '.join(found.grain)}.")
    rows = []
    for column in found.columns:
        needed = "may be left out" if column.nullable or column.type.is_histogram else "needed"
        rules = "; ".join(check.name for check in column.checks)
        rows.append((column.name, str(column.type), needed, column.unit, column.says, rules))
    table(["column", "type", "", "unit", "what it is", "rules"], rows)
    if any(column.type.is_histogram for column in found.columns):
        say("In CSV a histogram is JSON text: [[bucket, count], …]; bucket i holds durations in")
        say("(2 ** (i / 16), 2 ** ((i + 1) / 16)] seconds, so that -54 is about 100 ms.")
    for check in found.checks:
        say(f"{check.severity}: {check.name}")


@app.command()
def cost(
    services: Annotated[
        list[int] | None, typer.Option(min=1, help="how many; repeat it to compare fleets")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="days that every table is kept")] = 100,
    endpoints: Annotated[float, typer.Option(min=1, help="of a service")] = 3,
    regions: Annotated[float, typer.Option(min=1, help="of a service")] = 3,
    versions: Annotated[float, typer.Option(min=1, help="that serve at a time")] = 1,
    rate: Annotated[
        float, typer.Option(min=0, help="requests a minute of one endpoint, region and version")
    ] = 20,
    price: Annotated[float, typer.Option(min=0, help="of a TiB read")] = 6.25,
    storage_price: Annotated[float, typer.Option(min=0, help="of a GiB stored for a month")] = 0.02,
) -> None:
    """Say what BigQuery would store and read for a fleet, and what that costs a month."""
    from fleetslo.commands.costing import compared, detailed
    from fleetslo.warehouse.sizes import Shape

    shapes = [
        Shape(count, endpoints=endpoints, regions=regions, versions=versions, rate=rate)
        for count in services or [1000]
    ]
    compared(shapes, days, price, storage_price)
    if len(shapes) == 1:
        detailed(shapes[0], days, price)


@app.command()
def migrate(warehouse: Address = None) -> None:
    """Bring a folder that an older version wrote up to the present contracts."""
    from fleetslo.warehouse.base import open_warehouse

    changed = open_warehouse(_url(warehouse)).migrate()
    for line in changed or ["nothing to migrate"]:
        say(line)
