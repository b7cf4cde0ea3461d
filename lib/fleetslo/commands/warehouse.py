"""``fleetslo warehouse``: create, load, check, rollup, describe, cost, migrate."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fleetslo.commands.screen import Progress, bytes_text, pairs, progress, say, table

if TYPE_CHECKING:
    from fleetslo.fleet import Fleet
    from fleetslo.warehouse.base import LoadReport, Step, Warehouse
    from fleetslo.warehouse.mappings import TableMapping

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
def create(
    change: Annotated[
        bool, typer.Option("--change", help="also change what exists; no row is touched")
    ] = False,
    warehouse: Address = None,
) -> None:
    """Say what is missing or differs, and make every missing table; what exists stays as it is."""
    from fleetslo.errors import MigrationNeeded
    from fleetslo.warehouse.base import open_warehouse

    url = _url(warehouse)
    left = open_warehouse(url, must_exist=False).create(change=change, show=_planned)
    waiting = sum(step.kind == "change" for step in left)
    by_hand = [step for step in left if step.kind == "by hand"]
    if waiting:
        say(f"{waiting} to change; add --change to have it done")
    if by_hand:
        raise MigrationNeeded(
            f"{url}: {len(by_hand)} of these cannot be changed in place; do what is said above"
        )
    say(f"{url} is ready. Fill it with 'fleetslo warehouse load TABLE FILE'.")


def _planned(steps: "Sequence[Step]") -> None:
    for step in steps:
        say(f"{step.kind:<8} {step.where}: {step.says}")
    if not steps:
        say("nothing to do")


@app.command()
def load(
    table_name: Annotated[str, typer.Argument(metavar="TABLE", help="the table to fill")],
    files: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE...]", help="Parquet, CSV or NDJSON, .gz too"),
    ] = None,
    step: Annotated[
        str | None, typer.Option(help="the source reports every 5m, say; default: every minute")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            help="SQL under queries/sources that makes rows of the table, such as apollo/requests, "
            "backstage/services, cloud-monitoring/requests, four-keys/deployments, "
            "load-balancer/log_sink/requests, opentelemetry/requests, or one of your own"
        ),
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(
            help="a file under queries/mappings that says what your columns mean to a source; "
            "without files it reads the table in BigQuery that it names"
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="where the period that a mapping reads begins")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="where that period ends")] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", metavar="NAME=VALUE", help="a parameter of the source")
    ] = None,
    warehouse: Address = None,
) -> None:
    """Load files or a table of yours: every row is checked first, then all of it or nothing."""
    from fleetslo.warehouse.base import open_warehouse

    length = _step(step)
    given = pairs(parameter or [])
    mapped = _mapping(mapping, source, files, start, end)
    place = open_warehouse(_url(warehouse))
    with progress() as show:
        if mapped is not None and not files:
            report = _load_mapped(place, table_name, mapped, start, end, length, given, show)
        else:
            report = place.load(
                table_name,
                files or [],
                step=length,
                source=mapped.for_files(table_name) if mapped else source,
                # With them a file is told apart from the same one under other parameters.
                parameters={**mapped.parameters, **given} if mapped else given,
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


def _mapping(
    name: str | None,
    source: str | None,
    files: list[Path] | None,
    start: str | None,
    end: str | None,
) -> "TableMapping | None":
    """Return the mapping of a load; options that do not go together are refused."""
    from fleetslo.errors import UsageError

    if (start or end) and (name is None or files):
        raise UsageError(
            "--from and --to bound what a mapping reads in BigQuery; of files every row is loaded"
        )
    if name is None:
        return None
    if source is not None:
        raise UsageError(f"mapping {name!r} names its source itself; leave out --source")
    from fleetslo.warehouse.mappings import read_mapping

    return read_mapping(name)


def _load_mapped(
    place: "Warehouse",
    table_name: str,
    mapping: "TableMapping",
    start: str | None,
    end: str | None,
    step: timedelta | None,
    given: dict[str, str],
    show: Progress,
) -> "LoadReport":
    """Load the table in BigQuery that a mapping names."""
    from fleetslo.errors import UsageError
    from fleetslo.periods import instant
    from fleetslo.warehouse.bigquery.mapped import load as load_mapped
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

    if not isinstance(place, BigQueryWarehouse):
        raise UsageError(
            f"{place.url} reads files alone; name files that hold what mapping {mapping.name!r} "
            "reads, or a warehouse bigquery://project/dataset"
        )
    return load_mapped(
        place,
        table_name,
        mapping,
        start=instant(start) if start else None,
        end=instant(end) if end else None,
        step=step,
        parameters=given,
        progress=show,
    )


@app.command()
def check(
    as_of: Annotated[
        str | None, typer.Option(help="the instant that freshness is measured against")
    ] = None,
    tables: Annotated[
        list[str] | None, typer.Option("--table", help="only this table; may be repeated")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="the first day that is looked at; default: all are")
    ] = None,
    warehouse: Address = None,
) -> None:
    """Check the stored data against its contracts; failures give exit code 15."""
    from fleetslo.errors import CheckFailed
    from fleetslo.fleet import open_fleet
    from fleetslo.periods import instant

    fleet = open_fleet(_url(warehouse))
    moment = instant(as_of) if as_of else fleet.complete_until
    first = instant(since) if since else None
    findings = fleet.warehouse.check(moment, tables or None, since=first)
    rows = [(f.severity, f.table, f.check, f.says, f.example, f"{f.count:,}") for f in findings]
    if rows:
        table(["severity", "table", "check", "what", "example", "rows"], rows, numeric=1)
    failures = sum(finding.severity == "fail" for finding in findings)
    if failures:
        raise CheckFailed(f"{failures} checks failed and {len(findings) - failures} warned")
    say(f"every check passed as of {moment:%Y-%m-%d %H:%M} UTC; {len(findings)} warnings")


@app.command()
def rollup(
    sql: Annotated[
        bool, typer.Option("--sql", help="print a stored procedure of BigQuery that does it")
    ] = False,
    install: Annotated[
        bool, typer.Option("--install", help="make that procedure in the dataset")
    ] = False,
    warehouse: Address = None,
) -> None:
    """Sum minutes into hours, days and objectives, where something changed."""
    from fleetslo.fleet import open_fleet

    fleet = open_fleet(_url(warehouse))
    if sql or install:
        _procedure(fleet, install=install)
        return
    with progress() as show:
        report = fleet.rollup(progress=show)
    for name, days in report.days.items():
        say(f"{name}: {days:,} days, {report.rows.get(name, 0):,} rows written")
    if not any(report.days.values()):
        say("everything was up to date")


def _procedure(fleet: "Fleet", *, install: bool) -> None:
    from fleetslo.errors import UsageError
    from fleetslo.warehouse.bigquery import procedure
    from fleetslo.warehouse.bigquery.warehouse import BigQueryWarehouse

    if not isinstance(fleet.warehouse, BigQueryWarehouse):
        raise UsageError(f"--sql and --install are for bigquery:// only, not {fleet.warehouse.url}")
    name = f"{fleet.warehouse.dataset_id}.{procedure.NAME}"
    if install:
        procedure.install(fleet.warehouse, fleet.measures)
        say(f"{name} is made; call it from a scheduled query, and make it anew with each objective")
    else:
        say(procedure.procedure(fleet.warehouse.dataset_id, fleet.measures))


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
