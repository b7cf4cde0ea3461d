"""``fleetslo objectives``: check the OpenSLO documents, show and export what they amount to."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleetslo.commands.screen import complain, say, table
from fleetslo.commands.warehouse import Address

if TYPE_CHECKING:
    from fleetslo.reliability.objectives import Objective

app = typer.Typer(help="The objectives: OpenSLO v1 documents.", no_args_is_help=True)


@app.command()
def check(
    path: Annotated[
        Path | None,
        typer.Argument(help="a file or folder; default: the objectives in force here"),
    ] = None,
) -> None:
    """Read every document and name what is wrong; list the objectives, and what to know of them."""
    from fleetslo.charts import words
    from fleetslo.charts.objectives import asks, window_of
    from fleetslo.measuring import objective_files
    from fleetslo.reliability.objectives import read_contents, remarks

    found = read_contents(objective_files() if path is None else path)
    rows = [
        (
            one.name,
            one.for_condition or one.service,
            asks(one),
            window_of(one),
            None if one.since is None else words.day(one.since, year=True),
        )
        for one in found.objectives
    ]
    table(["objective", "for", "asks for", "window", "since"], rows)
    about: dict[str, list[str]] = {}
    for one in found.objectives:
        known = [f"not measurable here: {one.unmeasured}"] if one.unmeasured else []
        for remark in (*known, *remarks(one)):
            about.setdefault(remark, []).append(one.name)
    for remark, names in about.items():
        say(f"{words.listed(list(dict.fromkeys(names)))}: {remark}")
    unmeasured = sum(one.unmeasured is not None for one in found.objectives)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kinds.items()))
    say(
        f"{words.plural(len(found.objectives), 'objective')}, all valid"
        + (f"; {unmeasured} not measurable here" if unmeasured else "")
        + (f" (documents: {kinds})" if kinds else "")
    )


@app.command()
def show(
    service: Annotated[str, typer.Argument(help="the service")],
    warehouse: Address = None,
) -> None:
    """Say which objectives apply to a service, what each amounts to, and where it stands."""
    from fleetslo.errors import UnknownService, nearest
    from fleetslo.measuring import objectives_in_force

    written = objectives_in_force()
    rows = _services(warehouse, written)
    if service not in rows:
        known = sorted(rows)
        raise UnknownService(
            f"neither a document nor the warehouse names a service {service!r}."
            f"{nearest(service, known)} "
            "Load the table services, so that templates can find it"
        )
    templates = {one.source: one.for_condition for one in written if one.for_condition}
    found = _resolved(written, {service: rows[service]})
    for one in found:
        _show(one, f"template for {templates[one.source]}" if one.source in templates else None)
    if not found:
        say(f"no objective is for {service}")


@app.command()
def export(
    service: Annotated[
        str | None, typer.Option(help="of one service; default: of all that are known")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            help="a .yaml file, or a folder for one file each; default: the screen",
        ),
    ] = None,
    warehouse: Address = None,
) -> None:
    """Write the objectives as they apply: a document each, templates and references written out."""
    from fleetslo.errors import UnknownService, nearest
    from fleetslo.files import write_file
    from fleetslo.measuring import objectives_in_force
    from fleetslo.reliability.openslo.exporting import as_yaml

    written = objectives_in_force()
    rows = _services(warehouse, written)
    if service is not None and service not in rows:
        raise UnknownService(f"there is no service {service!r}.{nearest(service, sorted(rows))}")
    found = _resolved(written, rows if service is None else {service: rows[service]})
    if to is None:
        say(as_yaml(found).rstrip("\n"))
    elif to.suffix in (".yaml", ".yml") and not to.is_dir():
        say(f"{write_file(to, as_yaml(found))}: {len(found)} objectives")
    else:
        files: dict[str, list[Objective]] = {}
        for one in found:
            files.setdefault(_file_name(one), []).append(one)
        for name, inside in files.items():  # names that differ in signs alone share a file
            write_file(to / name, as_yaml(inside))
        say(f"{to}: {len(found)} objectives in {len(files)} files")


def _services(url: str | None, written: "list[Objective]") -> dict[str, dict[str, Any]]:
    """Return what is known of each service, by name: catalogued, seen, or named in a document."""
    from fleetslo.errors import WarehouseMissing
    from fleetslo.fleet import open_fleet
    from fleetslo.periods import Period, instant
    from fleetslo.reliability.openslo.conditions import FIELDS

    nothing: dict[str, Any] = dict.fromkeys(FIELDS)
    named = {one.service for one in written if one.for_condition is None}
    found = {name: {**nothing, "service": name} for name in sorted(named)}
    try:
        fleet = open_fleet(url)
        ever = Period(instant("2000-01-01"), instant("2100-01-01"))
        rows = fleet.services(ever).iter_rows(named=True)
    except WarehouseMissing:
        if url is not None:
            raise
        if any(one.for_condition for one in written):
            complain(
                "there is no warehouse here, whose catalogue says which services a template is for"
            )
        return found
    return found | {row["service"]: row for row in rows}


def _resolved(written: "list[Objective]", services: dict[str, dict[str, Any]]) -> "list[Objective]":
    from fleetslo.reliability.objectives import resolve

    return resolve(written, services.values())


def _show(one: "Objective", template: str | None) -> None:
    """Print an objective: what it asks, how it is counted, who is told, where it stands."""
    from fleetslo.charts import words
    from fleetslo.charts.objectives import asks, window_of
    from fleetslo.reliability.objectives import remarks

    lines = [("asks for", asks(one))]
    lines += [
        ("member", f"{member.label}: {asks(member)}, weight {member.weight:g}")
        for member in one.members
    ]
    lines.append(("window", window_of(one)))
    lines.append(("method", one.method))
    if one.no_data:
        lines.append(("no data", f"a slice without data is {one.no_data}"))
    lines += [
        (
            "alert",
            f"{window.severity} at {window.factor:.4g} × over {words.window(window.long)}"
            + (f" and {words.window(window.short)}" if window.short < window.long else "")
            + f" ({words.share(window.budget_share)} of the budget)"
            + (f", {window.name}" if window.name else ""),
        )
        for window in one.alerts
    ]
    if one.since:
        lines.append(("since", words.day(one.since, year=True)))
    if one.owner:
        lines.append(("owner", one.owner))
    lines.append(("reviewed", words.day(one.reviewed, year=True) if one.reviewed else "not said"))
    lines.append(("from", f"{one.source}: {template or 'written for this service'}"))
    if one.unmeasured:
        lines.append(("here", f"not measurable: {one.unmeasured}"))
    lines += [("note", remark) for remark in remarks(one)]
    say(one.name if one.label == one.name else f"{one.name} ({one.label})")
    for key, text in lines:
        say(f"  {key:<9} {text}")


def _file_name(one: "Objective") -> str:
    since = "" if one.since is None else f"-{one.since:%Y-%m-%d}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", f"{one.name}{since}") + ".yaml"
